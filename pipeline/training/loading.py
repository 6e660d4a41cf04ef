"""Loading a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_network(path: Path) -> Any:
    """Load a saved network in plain Keras; TensorFlow is imported here.

    Returns
    -------
    keras.Model
        Takes float32 of shape ``(n, n_features)``, gives a probability for each class.
    """
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    return keras.saving.load_model(path, compile=False)
