"""Findings are data: named, with causes of one vocabulary, and with changes that can be made."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.dataset_yaml import change_settings, parse_config
from pipeline.diagnosis.causes import CAUSES
from pipeline.diagnosis.finding import Finding
from pipeline.diagnosis.record import RunRecord
from pipeline.storage.store import Store, read_manifest
from tests.report.example import (
    make_hostile,
    make_multiclass,
    make_published,
    make_stopped,
    summarise,
)

ROOT = Path(__file__).parents[2]
MAKERS: tuple[Callable[[], RunRecord], ...] = (
    make_published, make_multiclass, make_stopped, make_hostile,
)  # fmt: skip
RENDER = """
import sys
from pathlib import Path
from pipeline.diagnosis.record import RunRecord
from pipeline.report.markdown import render_markdown
from pipeline.report.page import render_html
from pipeline.report.text import render_text
from pipeline.storage.store import load_facts
record = load_facts(Path(sys.argv[1]), RunRecord)
out = Path(sys.argv[2])
(out / "report.html").write_text(render_html(record), encoding="utf-8")
(out / "report.md").write_text(render_markdown(record), encoding="utf-8")
(out / "text").write_text(render_text(record), encoding="utf-8")
"""


@pytest.mark.parametrize("make", MAKERS)
def test_findings_are_named_and_speak_the_vocabulary(make: Callable[[], RunRecord]) -> None:
    """An identifier is a plain name; causes are those of the vocabulary; figures are JSON."""
    findings = summarise(make()).findings
    assert findings
    for finding in findings:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", finding.id)
        assert finding.cause is None or finding.cause in CAUSES
        json.dumps([dict(finding.figures), dict(finding.change)], allow_nan=False)


def test_what_a_finding_would_change_is_a_setting() -> None:
    """The patch of each finding is taken by a declaration, and changes it."""
    found: dict[str, Finding] = {}
    for make in MAKERS:
        found |= {f.id: f for f in summarise(make()).findings if f.change and make != make_hostile}
    assert {"class_imbalance", "disguised_missing"} & found.keys() or len(found) > 2
    plain = parse_config({"dataset": "d", "source": "d.csv", "target": "y"})
    for finding in found.values():
        changed = change_settings(plain, finding.change)
        assert changed != plain, finding.id


def test_a_report_is_rendered_from_its_record_alone(published: Path, tmp_path: Path) -> None:
    """record.json, in a fresh process and without the data, gives the very report and its words."""
    version = Store(published, "hypothyroid").version()
    shutil.copyfile(version / "record.json", tmp_path / "record.json")
    subprocess.run(
        [sys.executable, "-c", RENDER, "record.json", "."],
        cwd=tmp_path, check=True, env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    for name in ("report.html", "report.md"):
        assert (tmp_path / name).read_bytes() == (version / name).read_bytes()
    summary = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))["summary"]
    assert summary["headline"][:60] in (tmp_path / "text").read_text().replace("\n", " ")
    named = [finding["id"] for finding in read_manifest(version)["findings"]]
    assert named == [finding["id"] for finding in summary["findings"]]
