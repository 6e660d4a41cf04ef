"""From a run's facts to a page, a summary and a few lines of text."""
