"""Test modules of scikit-learn and imbalanced-learn, read from where they are installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SAMPLERS = (
    "SMOTE", "BorderlineSMOTE", "ADASYN", "SMOTENC", "SMOTEN", "TomekLinks",
    "EditedNearestNeighbours", "SMOTETomek", "SMOTEENN",
)  # fmt: skip


@dataclass(frozen=True)
class Borrowed:
    """A test module of a library, and the room that its classes are replaced from."""

    library: str
    path: str
    room: str
    classes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The module's place in its wheel."""
        return f"{self.library}/{self.path}"


MODULES = [
    Borrowed("sklearn", "impute/tests/test_knn.py", "pipeline.imputation", ("KNNImputer",)),
    *(
        Borrowed("imblearn", path, "pipeline.resampling", SAMPLERS)
        for path in (
            "over_sampling/_smote/tests/test_smote.py",
            "over_sampling/_smote/tests/test_borderline_smote.py",
            "over_sampling/_smote/tests/test_smote_nc.py",
            "over_sampling/_smote/tests/test_smoten.py",
            "over_sampling/tests/test_adasyn.py",
            "over_sampling/tests/test_common.py",
            "under_sampling/_prototype_selection/tests/test_tomek_links.py",
            "under_sampling/_prototype_selection/tests/test_edited_nearest_neighbours.py",
            "combine/tests/test_smote_enn.py",
            "combine/tests/test_smote_tomek.py",
        )
    ),
]


@dataclass(frozen=True)
class Outcome:
    """What pytest said in its last line, and all that it said."""

    counts: str
    text: str


def run_borrowed(modules: list[Borrowed], folder: Path) -> Outcome:
    """Run a library's tests with our classes under the names that it imports.

    The compiled search is used for all sizes.
    """
    targets = [str(_write(module, folder)) for module in modules]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=",
               f"--rootdir={folder}", "--import-mode=importlib", *targets]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return Outcome(re.sub(r" in [\d.]+s.*", "", lines[-1]), done.stdout + done.stderr)


def _write(module: Borrowed, folder: Path) -> Path:
    """Write a test module with our imports after its own."""
    spec = importlib.util.find_spec(module.library)
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / module.path).read_text(encoding="utf-8")
    imports = [*re.finditer(r"^(?:from|import) [^\n(]*(?:\([^)]*\))?\n", text, re.MULTILINE)]
    used = [name for name in module.classes if re.search(rf"\b{name}\b", text)]
    assert used, f"{module.name} tests none of {module.classes}"
    place = imports[-1].end()
    ours = (
        f"from {module.room} import {', '.join(used)}\n"
        "import pipeline.neighbours.search as _search\n"
        "_search._is_small = lambda index, rows: False\n"
        + "".join(f"assert {name}.__module__.startswith('pipeline.')\n" for name in used)
    )
    target = folder / f"test_{module.library}_{Path(module.path).stem}.py"
    target.write_text(text[:place] + ours + text[place:], encoding="utf-8")
    return target
