"""Comparison tables: the runs table grouped into rows, one `Table` model, and its renderers.

`tables` says which tables there are, `rows` groups repeats, `table` has columns, cells and marks,
`overview` is the table at a sweep's end, `render/` has a module per format. Titles, formats and
directions come from `mnist_sweep.metrics`, words from `reporting.phrases`.
"""
