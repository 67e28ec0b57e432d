"""Records shown where a team already looks: TensorBoard and MLflow, both optional extras.

The trackers' packages are imported inside functions, so nothing else needs them.
"""
