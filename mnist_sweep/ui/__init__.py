"""`mnist-sweep ui`: a local page over all sweeps below a directory, live while they run.

`sweeps` finds sweeps and says how far they are, `pages` fills the HTML of `templates/` with that,
`app` answers requests and decides what may be read. Starlette and Uvicorn serve it (extra `ui`):
pages, files and pushed events are all there is. Tables and comparisons are the report's own.
"""
