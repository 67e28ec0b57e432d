"""Comparison tables: which there are, what stands in them, and how each format renders them."""
