"""Records at rest: what a run leaves, and many runs read into one table.

`record` defines `record.json`, `plan_file` `sweep.json`, `study_file` `study.json`, `predictions`
`predictions.npz`; `paths` knows where they lie, `store` writes them, `locks` keeps writers apart.
`sweep.load` reads a directory: `reading` one run strictly, `cache` very many; `fields` makes a row
of each, and `table` of the rows the pandas DataFrame that analysis works on.

Imports settings, metrics, errors and the modules beside the packages only; pandas and pyarrow when
they are needed.
"""
