"""Variants of a run on folds, within a budget, paired and judged once."""
