"""Several digits on one picture: a number on a line, or a sheet of rows."""
