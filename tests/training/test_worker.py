"""The training process: its protocol, its errors, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.settings import TrainingConfig
from pipeline.errors import MachineError, StageError
from pipeline.training.client import Trainer
from pipeline.training.jobs import Job

ROOT = Path(__file__).resolve().parents[2]
CONFIG = TrainingConfig(hidden=(8,), epochs=3)
ROWS = "pipeline.training.row_networks"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_for_end(pid: int, seconds: float) -> bool:
    """Wait until a process is gone."""
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def test_the_parent_loads_nothing_heavy() -> None:
    """The parent's modules import neither TensorFlow nor Keras nor scikit-learn."""
    code = (
        "import sys, pipeline.targets.results, pipeline.targets.class_metrics, "
        "pipeline.targets.peers, pipeline.training.client, pipeline.training.baseline\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_one_worker_serves_many_fits(trainer: Trainer, make_features, tmp_path: Path) -> None:
    """Fits leave their files, report each epoch in order, and repeat for the same seed."""
    features = make_features()
    epochs: list[tuple[int, int]] = []
    handles = [
        trainer.submit(
            Job(features, tmp_path / name, CONFIG, seed, ROWS, save_model=name == "a"),
            lambda epoch, count: epochs.append((epoch, count)),
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    summaries = [handle.result() for handle in reversed(handles)]
    assert epochs == [(1, 3), (2, 3), (3, 3)] * 3
    assert {summary.parameters for summary in summaries} == {4 * 8 + 8 + 8 * 2 + 2}
    arrays = {name: np.load(tmp_path / name / "probabilities.npz") for name in "abc"}
    assert arrays["a"]["test"].shape == (80, 2)
    assert arrays["a"]["validation"].dtype == np.float32
    assert np.array_equal(arrays["a"]["test"], arrays["b"]["test"])
    assert not np.array_equal(arrays["a"]["test"], arrays["c"]["test"])
    assert (tmp_path / "a" / "baseline.keras").is_file()
    assert not (tmp_path / "b" / "baseline.keras").exists()
    history = json.loads((tmp_path / "a" / "history.json").read_text(encoding="utf-8"))
    assert len(history["val_loss"]) == 3


def test_an_error_comes_back_as_itself(trainer: Trainer, make_features, tmp_path: Path) -> None:
    """A fault in the data is raised in the parent in four parts, and the worker lives on."""
    features = make_features()
    wild = TrainingConfig(hidden=(8,), optimizer="sgd", learning_rate=1e30)
    with pytest.raises(StageError, match=r"training: .*became.*Set training\.learning_rate") as hit:
        trainer.submit(Job(features, tmp_path / "out", wild, 0, ROWS)).result()
    assert hit.value.stage == "training"
    with pytest.raises(StageError, match=r"layout\.json was not found"):
        trainer.submit(Job(tmp_path / "nowhere", tmp_path / "out", CONFIG, 0, ROWS)).result()
    assert trainer.submit(Job(features, tmp_path / "out", CONFIG, 0, ROWS)).result().epochs_run == 3


def test_a_crash_carries_its_traceback(trainer: Trainer, make_features, tmp_path: Path) -> None:
    """An error of ours is not written up as one of the user's."""
    features = make_features()
    (features / "layout.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*KeyError: 'target'"):
        trainer.submit(Job(features, tmp_path / "out", CONFIG, 0, ROWS)).result()


def test_a_killed_worker_names_its_log(make_features, tmp_path: Path) -> None:
    """A worker that dies is an error that says where to read on; the next call says so too."""
    log = tmp_path / "log.txt"
    with Trainer(log) as trainer:
        handle = trainer.submit(Job(make_features(), tmp_path / "out", CONFIG, 0, ROWS))
        assert trainer.pid is not None
        os.kill(trainer.pid, signal.SIGKILL)
        with pytest.raises(MachineError, match=r"code -9 \(killed.*log\.txt"):
            handle.result()
    with pytest.raises(StageError, match="closed"):
        trainer.receive()


def test_a_worker_does_not_outlive_its_parent(tmp_path: Path) -> None:
    """Killing the parent without warning ends the worker, even in the middle of its start."""
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from pipeline.training.client import Trainer\n"
        "trainer = Trainer(Path(sys.argv[1]))\ntrainer.start()\n"
        "print(trainer.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log.txt")],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    time.sleep(1.5)
    assert is_alive(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for_end(worker, 10)


def test_closing_ends_a_busy_worker(make_features, tmp_path: Path) -> None:
    """Leaving the context, by an error too, leaves no process behind."""
    with Trainer(tmp_path / "log.txt") as trainer:
        pid = trainer.pid
        trainer.submit(Job(make_features(), tmp_path / "out", CONFIG, 0, ROWS))
    assert pid is not None
    assert wait_for_end(pid, 1)


def test_it_speaks_its_protocol_without_a_client(make_features, tmp_path: Path) -> None:
    """Lines in, lines out, an end when the input ends; prints of others don't get in between."""
    job = Job(make_features(), tmp_path / "out", CONFIG, 0, ROWS, save_model=False)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.training.worker"],
        cwd=ROOT, input=json.dumps(job.dump()) + "\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["epoch"] * 3 + ["done"]
    assert set(events[0]) >= {"epoch", "epochs", "loss", "val_loss"}
