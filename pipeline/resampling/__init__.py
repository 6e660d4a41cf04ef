"""Class balance of the training split: the stage, and imbalanced-learn's samplers made fast."""

from pipeline.resampling.balance import Resampled, ResamplingFacts, resample

__all__ = ["Resampled", "ResamplingFacts", "resample"]
