"""Studies: sweeps of several stages, where a later stage's points come from a selection."""
