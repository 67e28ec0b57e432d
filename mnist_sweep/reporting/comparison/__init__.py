"""A comparison of directories as text, Markdown, JSON and HTML.

`phrases` makes the words, `tables` the tables, `render` writes them. May import analysis.compare
and the shared parts of reporting.
"""
