"""Runs on a Ray cluster, or on a Ray started for the sweep: `hydra/launcher=ray`.

Ray itself is imported inside functions: it is an extra, and takes a second.
"""
