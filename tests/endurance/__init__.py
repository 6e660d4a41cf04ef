"""Endurance: kill -9, crowds, full disks and flipped bytes, on real runs of the real command.

python -m tests.endurance kill|crowd|full|flips [--rounds N] [--seed S]
"""
