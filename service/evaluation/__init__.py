"""Evaluation: sets of cases, run against configurations side by side, checked, counted and compared."""
