"""Where a source lies or is fetched from, and how its files are read as text."""
