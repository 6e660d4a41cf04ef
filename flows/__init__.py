"""The flows of Assay: the recipe of a refresh, its tasks, and the command line."""
