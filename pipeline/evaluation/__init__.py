"""Metrics with intervals, decisions, peers. Needs no training."""
