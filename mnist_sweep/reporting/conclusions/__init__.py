"""Selections and conclusions in words."""
