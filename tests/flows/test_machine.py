"""When the machine fails: a real read-only file system, a file in the place of a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import main
from pipeline.storage.store import Store
from tests.conftest import copy_sample

ROOT = Path(__file__).parents[2]
SHARE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(
        [*SHARE, "sh", "-c", "mount -t tmpfs none /mnt"], check=False, capture_output=True
    ).returncode
    == 0
)


@pytest.mark.skipif(not CAN_MOUNT, reason="this user may not mount file systems")
@pytest.mark.parametrize(
    "command", [["run", "hypothyroid"], ["deploy"], ["suggest", "hypothyroid"]]
)
def test_a_read_only_project_is_told(home: Path, command: list[str]) -> None:
    """Exit code 3, the place and the way out; no traceback, and nothing is written."""
    copy_sample(home, "hypothyroid")
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    called = [sys.executable, "-m", "flows.cli", *command]
    server = {"PREFECT_API_URL": "http://127.0.0.1:9"} if command == ["deploy"] else {}
    done = subprocess.run(
        [*SHARE, "sh", "-c", script, "sh", str(home), *called],
        env=os.environ | {"ASSAY_HOME": str(home), "PYTHONPATH": str(ROOT)} | server,
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    if command[0] != "deploy":  # which writes nothing here, and meets no server
        assert "can't be written or read: Read-only file system" in done.stderr
        assert "Give this user the right to it" in done.stderr
    assert not (home / "data" / "runs").exists()


def test_a_file_in_the_place_of_a_folder_is_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in the way is named; it is not removed."""
    copy_sample(home, "hypothyroid")
    (home / "data" / "runs").write_text("mine")
    assert main(["run", "hypothyroid"]) == 3
    said = capsys.readouterr().err
    assert str(home / "data/runs") in said
    assert "Traceback" not in said
    assert "an error of ours" not in said
    assert (home / "data" / "runs").read_text() == "mine"


def test_a_pinned_version_and_the_rule_are_shown(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """`pin` keeps a version, `versions` shows it, `--release` lets it go again."""
    for part in ("data/hypothyroid", "data/published"):
        shutil.copytree(published / part, tmp_path / part, symlinks=True)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    version = Store(tmp_path, "hypothyroid").version().name
    assert main(["pin", "hypothyroid", version]) == 0
    assert main(["versions", "hypothyroid"]) == 0
    assert ", pinned" in capsys.readouterr().out
    assert main(["pin", "hypothyroid", version, "--release"]) == 0
    assert main(["versions", "hypothyroid"]) == 0
    assert "pinned" not in capsys.readouterr().out.splitlines()[-1]
    assert main(["pin", "hypothyroid", "v9"]) == 2
