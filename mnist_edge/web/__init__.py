"""A page that draws and answers: served by this machine (`server`), or wholly in the browser
(`site`). Both are the same files in `page/`; what they know of the models is in `facts`."""
