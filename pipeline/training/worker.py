"""The process that trains: jobs come in as lines of JSON, events go out as lines of JSON.

    python -m pipeline.training.worker [--threads N] [--parent PID]

A job is what ``Job.dump`` makes. Events: ``epoch`` (epoch, epochs, and its history), then one of
``done`` (the fields of ``FitSummary``), ``error`` (kind, stage, problem, fix) or ``crash`` (text).
The worker ends when its input does, after the jobs it was given, and immediately when its parent is
gone.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TextIO

from pipeline.errors import AssayError
from pipeline.training.jobs import Job, run_job

WATCH_SECONDS = 0.5


def main() -> None:
    """Serve jobs until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--parent", type=int, default=os.getppid())
    options = parser.parse_args()
    # A thread, since the death signal of Linux is sent when the *thread* that started us ends.
    threading.Thread(target=_die_with, args=(options.parent,), daemon=True).start()
    channel = _claim_stdout()
    # Collections during the imports are a fifth of their time and find nothing.
    gc.set_threshold(100_000, 20, 20)
    _load_tensorflow(options.threads)
    for line in sys.stdin:
        if line.strip():
            _serve(line, channel)


def _claim_stdout() -> TextIO:
    """Keep the protocol's stream for us; whatever libraries print goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return channel


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


@contextlib.contextmanager
def _without(*packages: str) -> Iterator[None]:
    """Hide packages that Keras imports if they are there, for what no network here uses.

    They are a quarter of the time that Keras takes to import; a job that needs one imports it then.
    """
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _load_tensorflow(threads: int) -> None:
    """Import TensorFlow, quiet and without a GPU, and pay for its first use before a job comes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import numpy as np

    with _without("pandas", "scipy", "sklearn"):
        import keras
        import tensorflow as tf
    assert keras

    from pipeline.config.image import AugmentationConfig
    from pipeline.config.settings import TrainingConfig
    from pipeline.features.layout import Layout
    from pipeline.features.splits import Split
    from pipeline.training import row_networks as rows
    from pipeline.training.fit import fit_network, predict
    from pipeline.training.networks import build_network

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # Handing the small operations of a small network to one another took a fifth of a fit.
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    count = 4
    split = Split(
        np.arange(count),
        np.zeros((count, 2), np.float32),
        np.arange(count, dtype=np.int32) % 2,
        np.ones(count, np.float32),
        np.ones(count, bool),
    )
    config = TrainingConfig.model_validate({"hidden": (2,), "epochs": 1, "batch_size": 2})
    layout = Layout("", ("no", "yes"), ("a", "b"))
    blocks = rows.feed(split, config, 2, 0, AugmentationConfig())
    fitted = fit_network(
        lambda: build_network(layout, config, 0, rows.build_inputs), blocks, split, config, seed=0
    )
    predict(fitted.model, split.values)
    # What is loaded now stays; collections that pass over it again cost 0.3 s each.
    gc.collect()
    gc.freeze()


def _serve(line: str, channel: TextIO) -> None:
    def emit(event: str, **fields: Any) -> None:
        channel.write(json.dumps({"event": event, **fields}) + "\n")

    def report(epoch: int, epochs: int, values: dict[str, float]) -> None:
        emit("epoch", epoch=epoch, epochs=epochs, **values)

    try:
        summary = run_job(Job.parse(json.loads(line)), report)
    except AssayError as error:
        kind = type(error).__name__
        emit("error", kind=kind, stage=error.stage, problem=error.problem, fix=error.fix)
    except Exception:
        # The parent can't see this stack otherwise; the worker itself lives on.
        emit("crash", text=traceback.format_exc())
    else:
        emit("done", **asdict(summary))


if __name__ == "__main__":
    main()
