"""What the runs say: pure functions over the runs table that return fields, never sentences.

- `where`: conditions such as `layers=2`.
- `varying`: which settings vary; `configurations`: runs grouped by configuration.
- `selection`, `uncertainty`: the worst or best configuration, and how certain that is.
- `answers`: what a sweep answers unasked, and how the selected do on the test split.
- `resolve_run`: the one run that a directory means.
- `importance`: the share of a metric's variance that each setting explains.
- `study_effect`: what a study's change did.
- `compare`, `gate`: two directories beside each other, and the verdict of a CI job.
- `statistics`: the one method behind every interval and p-value.

May import: settings, records, metrics, errors and plugins. `reporting` turns the fields into words.
"""
