"""Whether a version is still what was published: every file against its hash in the manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataContractError, name_examples
from pipeline.storage.disk import explaining
from pipeline.storage.hashing import hash_file

MANIFEST = "manifest.json"
CHECKSUM = "manifest.json.sha256"


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file of a version that is not as it was published.

    Attributes
    ----------
    fault
        What is wrong with it, such as 'changed', 'missing' or 'added'.
    """

    file: str
    fault: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a re-hash of a version found."""

    version: Path
    files: int
    size: int
    differences: list[FileDifference]


def write_checksum(folder: Path) -> None:
    """Write the hash of the manifest beside it, as ``sha256sum --check`` reads it."""
    (folder / CHECKSUM).write_text(_write_line(folder / MANIFEST), encoding="ascii")


def verify(version: Path) -> Verification:
    """Hash every file of a version again and compare.

    Parameters
    ----------
    version
        Its folder.

    Raises
    ------
    MachineError
        If a file can't be read.
    """
    with explaining("verify", version):
        present = {
            item.relative_to(version).as_posix(): item
            for item in sorted(version.rglob("*"))
            if item.is_symlink() or not item.is_dir()
        }
        expected, found = _read_expected(version)
        for file, digest in expected.items():
            if file not in present:
                found.append(FileDifference(file, "missing"))
            elif present[file].is_symlink() or hash_file(present[file]) != digest:
                found.append(FileDifference(file, "changed"))
        known = {*expected, MANIFEST, CHECKSUM}
        found += [FileDifference(file, "added") for file in present if file not in known]
        size = sum(item.lstat().st_size for item in present.values())
    return Verification(version, len(present), size, found)


def _read_expected(version: Path) -> tuple[dict[str, str], list[FileDifference]]:
    """Read the hashes that the manifest holds, and what is wrong with the manifest itself."""
    manifest, checksum = version / MANIFEST, version / CHECKSUM
    if not manifest.is_file():
        return {}, [FileDifference(MANIFEST, "missing")]
    found = []
    if not checksum.is_file():
        found.append(FileDifference(CHECKSUM, "missing"))
    elif checksum.read_bytes() != _write_line(manifest).encode():
        found.append(FileDifference(MANIFEST, f"does not match {CHECKSUM}"))
    try:
        read = json.loads(manifest.read_text(encoding="utf-8"))
        files = {str(name): str(digest) for name, digest in read["files"].items()}
        if int(read["schema_version"]) < 2:  # published before there were checksums
            found = [item for item in found if item.file != CHECKSUM]
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, [*found, FileDifference(MANIFEST, "is no manifest any more")]
    return files, found


def refuse_differences(version: Path) -> None:
    """Refuse a version that is not as it was published.

    Raises
    ------
    DataContractError
        If a file of it differs.
    """
    faults = verify(version).differences
    if faults:
        raise DataContractError(
            "verify",
            f"{len(faults)} files of version {version.name} differ from what was published: "
            + name_examples(f"{item.file} {item.fault}" for item in faults),
            "Use another version: assay rollback; or publish again: assay run",
        )


def _write_line(manifest: Path) -> str:
    return f"{hash_file(manifest)}  {MANIFEST}\n"
