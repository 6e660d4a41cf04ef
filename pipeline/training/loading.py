"""Loading a trained network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def load_network(path: Path) -> Any:
    """Load a saved network in plain Keras; TensorFlow is imported here.

    Returns
    -------
    keras.Model
        Takes float32 of shape ``(n, n_features)``, gives a probability for each class.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with _quiet_stderr():
        import keras

    return keras.saving.load_model(path, compile=False)


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep off the screen what TensorFlow says at its import, before its log level counts."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
