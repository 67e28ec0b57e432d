"""Figures of a report: what a plot shows, apart from what draws it.

`plots` makes a `plot.Plot` of configurations: plain values. `drawing` draws any of
them with Matplotlib, for `figures/` and for print; the page gives the same to Plotly. `matrices`
and `gallery` are of single classes and images, and files only. Matplotlib is imported when
something is drawn.
"""
