"""The files that a network reads: layout, splits, pictures; their only owner."""
