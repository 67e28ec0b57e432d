"""The gate's result for people and CI services: `phrases` makes the words, the others the files.

May import analysis.gate and the shared parts of reporting.
"""
