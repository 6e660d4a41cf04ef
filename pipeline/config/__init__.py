"""The declaration of a data set: sections, bounds, defaults, and reading of dataset.yaml."""
