"""A comparison of directories as text, Markdown, JSON and HTML.

`phrases` makes the words, `page` the sections; `render`, `html` and `as_json` write them. May
import analysis.compare and the shared parts of reporting.
"""
