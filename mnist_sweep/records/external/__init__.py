"""Directories that other programs wrote, read as sweeps of tasks.

One reader a kind (`hydra`, `mlflow`, `tensorboard`, `csv`) finds the runs of a directory as
`found.FoundRun`s; `convert` finds out what is a split, a seed, a percentage, and makes records of
the runs, so that every command works on them as on runs of a task. `mapping` is what a user says
where nothing can be guessed. What cannot be used at all is a `DirectoryError`; a single
file that cannot is one of `Found.problems`.
"""
