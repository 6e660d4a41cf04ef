"""Single bytes that change in a published version: `assay verify` finds each and names the file."""

from __future__ import annotations

import os
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.endurance.project import Log, Project, adopt


@dataclass(slots=True)
class Flip:
    """One change, and what the command said of it."""

    kind: str
    file: str
    place: int = -1
    before: int = -1
    after: int = -1
    code: int = 0
    said: str = ""
    found: bool = False


def flip_all(
    folder: Path, log: Log, rounds: int, seed: int, minutes: float, template: Path | None = None
) -> list[Flip]:
    """Change a byte `rounds` times, each undone; then lose, cut and add a file.

    Raises
    ------
    RuntimeError
        If an unchanged version is not found to be as published.
    """
    deadline = time.monotonic() + 60 * minutes
    draw = random.Random(f"flips {seed}")
    project = adopt(folder / "flips", "hypothyroid", template)
    if project.current() is None:
        code, output = project.run(1)
        if code != 0:
            raise RuntimeError(output)
    version = project.published / str(project.current())
    _expect_sound(project)
    files = sorted(p for p in version.rglob("*") if p.is_file() and p.stat().st_size > 0)
    # Every file once, those about the files first; then by chance.
    first = [p for p in files if p.name.startswith("manifest")]
    rest = [p for p in files if p not in first]
    draw.shuffle(rest)
    order = [*first, *rest]
    done = []
    for number in range(rounds):
        if time.monotonic() > deadline:
            break
        file = order[number] if number < len(order) else draw.choice(files)
        place = draw.randrange(file.stat().st_size)
        done.append(_flip(project, version, file, place, draw.randrange(1, 256)))
        log.write(**asdict(done[-1]))
    manifest = version / "manifest.json"
    digit = re.search(rb'"schema_version": *(\d)', manifest.read_bytes())
    if digit:  # an older schema must not excuse a manifest
        for change in (1, 2, 3):
            done.append(_flip(project, version, manifest, digit.start(1), change))
            log.write(**asdict(done[-1]))
    for kind, harm in (("lost", _lose), ("cut off", _cut), ("added", _add)):
        done.append(_damage(project, version, kind, draw.choice(rest), harm))
        log.write(**asdict(done[-1]))
    _expect_sound(project)
    return done


def _expect_sound(project: Project) -> None:
    code, output = project.call("verify", project.name)
    if code != 0:
        raise RuntimeError(f"an unchanged version is said to differ ({code}): {output}")


def _flip(project: Project, version: Path, file: Path, place: int, change: int) -> Flip:
    """Change the bits of one byte, ask, and undo it."""
    before = file.read_bytes()[place]
    after = before ^ change
    flip = Flip("flip", file.relative_to(version).as_posix(), place, before, after)
    _write_byte(file, place, after)
    try:
        _ask(project, flip)
    finally:
        _write_byte(file, place, before)
    return flip


def _write_byte(file: Path, place: int, value: int) -> None:
    mode = file.stat().st_mode
    file.chmod(0o644)  # a version may be kept from being written
    with file.open("r+b") as handle:
        handle.seek(place)
        handle.write(bytes([value]))
    file.chmod(mode)


def _damage(
    project: Project, version: Path, kind: str, file: Path, change: Callable[[Path], Path]
) -> Flip:
    """Change a file otherwise, ask, and undo it."""
    kept = project.temporary / "kept"
    shutil.copy2(file, kept)
    touched = change(file)
    flip = Flip(kind, touched.relative_to(version).as_posix())
    _ask(project, flip)
    touched.unlink(missing_ok=True)
    shutil.copy2(kept, file)
    kept.unlink()
    return flip


def _lose(file: Path) -> Path:
    file.unlink()
    return file


def _cut(file: Path) -> Path:
    os.truncate(file, file.stat().st_size // 2)
    return file


def _add(file: Path) -> Path:
    other = file.with_name("added.txt")
    other.write_text("not published")
    return other


def _ask(project: Project, flip: Flip) -> None:
    flip.code, flip.said = project.call("verify", project.name)
    flip.found = flip.code == 1 and flip.file in flip.said and "Traceback" not in flip.said


def summarise(done: list[Flip]) -> str:
    """Say in a few lines what all changes showed."""
    lines = [f"{sum(f.found for f in done)} of {len(done)} changes found and named"]
    lines += [
        f"  missed: {f.kind} in {f.file} at {f.place} ({f.before}→{f.after}): exit code {f.code}, "
        f"{f.said.strip()[-200:]!r}"
        for f in done
        if not f.found
    ]
    kinds = Counter(f.file.rpartition(".")[2] for f in done)
    return "\n".join([*lines, f"by kind of file: {dict(kinds)}"])
