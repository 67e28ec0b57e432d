"""What can be concluded from a sweep: statistics chosen here, words from `reporting.phrases`.

`selections` are the best and the worst, `summary` is what reports and a sweep's end begin with.
"""
