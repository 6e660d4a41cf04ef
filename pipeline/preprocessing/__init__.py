"""The fitted stages chained: from raw values to features."""
