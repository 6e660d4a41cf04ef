"""Repaired columns to model-ready features."""
