"""Texts to roles, missing values and canonical rows with ids."""
