"""The history of runs, and who is told."""
