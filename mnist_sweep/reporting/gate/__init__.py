"""The gate's result for people and CI services."""
