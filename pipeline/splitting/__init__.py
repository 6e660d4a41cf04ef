"""Splits, duplicates, conflicting labels and folds."""
