"""Integrity: every byte of a version is accounted for, and nothing in it is executed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
from pathlib import Path

import pytest

from flows.cli import main
from pipeline.errors import DataContractError
from pipeline.published import open_version
from pipeline.storage.integrity import CHECKSUM, MANIFEST, verify
from pipeline.storage.store import Store


@pytest.fixture
def version(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of a published version, in a project of its own that is the current one."""
    for part in ("data/hypothyroid", "data/published", "expectations"):
        shutil.copytree(published / part, tmp_path / part, symlinks=True)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return Store(tmp_path, "hypothyroid").version()


def test_an_untouched_version_is_as_published(
    version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing differs, and the checksum is one that other tools can read."""
    found = verify(version)
    assert found.differences == []
    assert found.files == sum(p.is_file() for p in version.rglob("*")) > 20
    digest, name = (version / CHECKSUM).read_text().split()
    assert name == MANIFEST
    assert digest == hashlib.sha256((version / MANIFEST).read_bytes()).hexdigest()
    assert main(["verify", "hypothyroid"]) == 0
    assert "as published" in capsys.readouterr().out


def test_each_changed_byte_is_found(version: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty single bytes, in files the manifest and its checksum among them."""
    files = sorted(p for p in version.rglob("*") if p.is_file() and p.stat().st_size)
    draw = random.Random(0)
    chosen = [version / MANIFEST, version / CHECKSUM, *draw.choices(files, k=48)]
    for file in chosen:
        content = file.read_bytes()
        place = draw.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= 1 << draw.randrange(8)
        file.write_bytes(bytes(changed))
        faults = verify(version).differences
        assert faults, (file.name, place)
        if file.name not in (MANIFEST, CHECKSUM):
            assert [f.file for f in faults] == [file.relative_to(version).as_posix()]
        file.write_bytes(content)
    assert verify(version).differences == []
    (version / "test.parquet").write_bytes(b"")
    assert main(["verify", "hypothyroid"]) == 1
    assert "test.parquet: changed" in capsys.readouterr().out


def test_missing_and_added_files_are_found(version: Path) -> None:
    """Also a link in the place of a file, and a manifest that says nothing any more."""
    (version / "report.md").unlink()
    (version / "model" / "extra.bin").write_bytes(b"x")
    moved = version.parent.parent / "elsewhere"
    shutil.move(version / "test.parquet", moved)
    (version / "test.parquet").symlink_to(moved)
    faults = {item.file: item.fault for item in verify(version).differences}
    assert faults == {
        "report.md": "missing", "model/extra.bin": "added", "test.parquet": "changed"
    }  # fmt: skip
    (version / MANIFEST).write_text("[]")
    assert "is no manifest any more" in {item.fault for item in verify(version).differences}
    (version / MANIFEST).unlink()
    assert next(item.fault for item in verify(version).differences) == "missing"


def test_a_version_of_an_earlier_release_has_no_checksum(version: Path) -> None:
    """Versions that were published before there were checksums are still verified file by file."""
    manifest = json.loads((version / MANIFEST).read_text())
    (version / MANIFEST).write_text(json.dumps(manifest | {"schema_version": 1}))
    (version / CHECKSUM).unlink()
    assert verify(version).differences == []
    (version / "report.md").write_text("other")
    assert [item.file for item in verify(version).differences] == ["report.md"]


def test_reading_checks_hashes_on_request(version: Path) -> None:
    """A version that was changed opens only for those who do not ask."""
    open_version(version, verify=True)
    (version / "report.md").write_text("other")
    with pytest.raises(DataContractError, match=r"1 files of .* published: 'report.md changed'"):
        open_version(version, verify=True)
    open_version(version)


class Bomb:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, ("exploded", 0o700)


def test_nothing_in_a_version_is_executed(
    version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle in the place of the preprocessor's arrays is refused, and so is one within them."""
    monkeypatch.chdir(tmp_path)
    import numpy as np

    donors = version / "preprocessor" / "donors.npz"
    assert donors.is_file()
    donors.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="allow_pickle"):
        open_version(version)
    np.savez(donors, rows=np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises((ValueError, KeyError)):
        open_version(version)
    assert not (tmp_path / "exploded").exists()


def test_current_is_followed_once(version: Path) -> None:
    """A version that becomes current while another one is opened does not mix in."""
    opened = open_version(version.parent / "current")
    assert opened.path == version.resolve()
