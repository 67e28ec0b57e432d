"""Searches: points chosen one after another by what earlier runs returned (Optuna)."""
