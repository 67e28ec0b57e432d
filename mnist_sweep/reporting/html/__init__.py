"""The report as one HTML file: nothing is loaded, nothing but its own scripts is run.

`page.render` puts it together; templates/ holds what stands in it, static/ its style and scripts.
"""
