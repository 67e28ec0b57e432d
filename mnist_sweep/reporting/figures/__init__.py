"""Figures of a report: one file per figure, its data apart from its drawing.

A `…_of` function makes the data of a figure from records, a frozen dataclass of arrays; `draw`
makes a Matplotlib figure of it. The HTML report's plots are made of the same data. Matplotlib is
imported by `draw` alone.
"""
