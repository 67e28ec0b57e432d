"""The gate's result for people and CI services: words in `phrases`, formats in `gate_report`.

May import analysis.gate and the shared parts of reporting.
"""
