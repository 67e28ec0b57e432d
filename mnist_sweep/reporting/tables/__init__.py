"""Comparison tables: the runs table grouped into rows, one `Table` model, and its renderers.

`tables` says which tables there are, `rows` groups repeats, `table` has columns, cells and marks,
`render/` a module per format, `terminal` the layout for a terminal's width. Titles, formats and
directions come from `mnist_sweep.metrics`, words from `reporting.phrases`.
"""
