"""What can be concluded from a sweep: statistics chosen here, words from `reporting.phrases`."""
