"""Images that are drawn: digits of a pen, and what is no digit."""
