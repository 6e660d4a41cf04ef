"""The report: one HTML file that opens offline, in light and dark, on paper and on a phone.

All text of the data is escaped by Jinja's autoescape or, in charts, by ``svg.tag``. A content
security policy that allows nothing but the page's own style and script is the second line.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.diagnosis.wording import (
    DASH,
    METHODS,
    MODELS,
    cut,
    reveal,
    write_count,
    write_interval,
    write_moment,
    write_number,
    write_seconds,
    write_share,
)
from pipeline.targets.metric_names import LOWER_IS_BETTER, TITLES

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

    from pipeline.diagnosis.record import RunRecord
    from pipeline.targets.results import TrainingFacts

SECTIONS = "columns|ingest|split|validation|cleaning|imputation|encoding|resampling|training"
KEY = re.compile(rf"(\b(?:(?:{SECTIONS})\.|expectations/)\S*[\w>/](?::\s(?:true|\w+\b))?)")
FOLDER = Path(__file__).parent


def render_html(record: RunRecord) -> str:
    """Render a run as one self-contained HTML page.

    The record is not changed, and the same record gives the same page.

    Parameters
    ----------
    record
        The facts of the stages that ran; sections of stages that did not run are left out.

    Returns
    -------
    str
        HTML without any outside resource. Characters that can't be seen (controls, bidirectional
        overrides, zero-width ones) are written as their escapes.
    """
    template = _make_environment().get_template("page.html.jinja")
    return reveal(
        template.render(_gather(record) | {"sheets": [s for s in record.sheets if s.strips]})
    )


@cache
def _make_environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "count": write_count,
        "cut": cut,
        "moment": write_moment,
        "name": _mark_name,
        "keys": _mark_keys,
        "percent": lambda share: f"{100 * share:.0f}",
        "plain": _write_plain,
        "seconds": write_seconds,
        "share": write_share,
        "value": lambda value: write_number(value) if isinstance(value, float) else value,
    }
    return environment


def _mark_name(text: object, length: int = 48) -> Markup:
    """Isolate a name of the data from the direction of its surroundings; cut, with a hint."""
    from markupsafe import Markup

    short = cut(text, length)
    if len(short) == len(str(text)):
        return Markup("<bdi>{}</bdi>").format(short)
    return Markup('<bdi title="{}">{}</bdi>').format(cut(text, 160), short)


def _mark_keys(text: str) -> Markup:
    """Set the keys of the configuration that a sentence names as code."""
    from markupsafe import Markup, escape

    parts = KEY.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )


def _write_plain(value: float | None) -> str:
    return DASH if value is None or not math.isfinite(value) else f"{value:.3f}"


def _gather(record: RunRecord) -> dict[str, Any]:
    """Gather all that the template shows."""
    from pipeline.diagnosis.reading_findings import describe_lines, list_guesses
    from pipeline.diagnosis.repair_findings import explain_unrepaired
    from pipeline.diagnosis.summary import count_failures
    from pipeline.report import checks, figures
    from pipeline.report import row_counts as rows
    from pipeline.report.charts import draw_seconds

    counts = rows.count_classes(record)
    chart, steps = figures.draw_class_steps(counts)
    gaps = figures.list_gaps(record)
    outcomes = rows.follow_rows(record)
    context: dict[str, Any] = {
        "record": record,
        "pictures": record.ingest.images,
        "methods": METHODS,
        "summary": record.verdict,
        "suites": checks.pair_suites(record),
        "ranks": checks.RANK,
        "stops": [f.verdict for f in (record.raw, record.repaired) if f and not f.verdict.passed],
        "failed_raw": count_failures(record.raw),
        "failed_repaired": count_failures(record.repaired) if record.repaired else None,
        "used": rows.count_used(record),
        "columns_used": rows.count_columns(record),
        "outcomes": outcomes,
        "guesses": list_guesses(record),
        "lines_aside": describe_lines(record.ingest.set_aside),
        "gaps": gaps,
        "gapless": len(record.profiles) - len(gaps),
        "column_charts": figures.draw_columns(record),
        "class_chart": chart,
        "class_steps": steps,
        "class_counts": counts,
        "class_names": list(next(iter(counts.values()))),
        "class_count": len(record.ingest.classes),
        "timing": draw_seconds(record.seconds, title="Wall time of each stage"),
        "config": _write_config(record.config),
    }
    context |= _gather_repairs(record) | _gather_assets()
    if record.race is not None:
        from pipeline.report.race_table import tabulate_race

        context["race"] = tabulate_race(record.race)
    if record.drift is not None:
        from pipeline.config.settings import DriftConfig
        from pipeline.report.drift_table import draw_drift, list_drift

        chance = record.config.get("drift", {}).get("significance")
        context |= {"drift_rows": list_drift(record), "drift_charts": draw_drift(record)}
        context["drift_chance"] = DriftConfig().significance if chance is None else chance
    if record.training:
        context["without"] = explain_unrepaired(record)
    return context | (_gather_training(record.training) if record.training else {})


def _gather_repairs(record: RunRecord) -> dict[str, Any]:
    changes = record.cleaning.changes if record.cleaning else []
    fills = record.imputation.fills if record.imputation else []
    filled = record.imputation.filled if record.imputation else {}
    return {
        "value_changes": [change for change in changes if change.column != "(rows)"],
        "fills": [f for f in fills if f.training_missing or filled.get(f.column)],
    }


def _gather_training(training: TrainingFacts) -> dict[str, Any]:
    from pipeline.report import figures
    from pipeline.report import row_counts as rows

    known = [m for m in TITLES if any(m in score.metrics for score in training.scores)]
    return {
        "models": MODELS,
        "metrics": TITLES,
        "learners": figures.compare_learners(training),
        "forest": figures.draw_forest(training),
        "curves": figures.draw_history(training),
        "confusion": figures.draw_network_confusion(training),
        "calibration": figures.draw_network_calibration(training),
        "thresholds": rows.list_thresholds(training),
        "class_scores": rows.score_classes(training),
        "score_rows": [_write_scores(training, metric) for metric in known],
        "fold_metrics": [m for m in TITLES if training.folds and m in training.folds[0].metrics],
        "how_scored": (
            f"On {write_count(training.test_rows, 'test row')} that no learner was trained on. "
            f"Intervals: 95 %, percentile bootstrap of the test rows, "
            f"{write_count(training.bootstrap, 'resample')}, seed {training.seed}."
        ),
    }


def _write_scores(training: TrainingFacts, metric: str) -> dict[str, Any]:
    cells = []
    for score in training.scores:
        interval = score.metrics.get(metric)
        text = write_interval(interval) if interval else DASH
        value = interval.value if interval and interval.value is not None else ""
        cells.append({"text": text, "value": value})
    return {"name": TITLES[metric], "lower": metric in LOWER_IS_BETTER, "cells": cells}


def _write_config(config: dict[str, Any]) -> str:
    import yaml

    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=88)
    return text if len(text) < 50_000 else text[:50_000] + "\n… cut; the whole is in manifest.json"


def _gather_assets() -> dict[str, Any]:
    """Read the page's own style and script; only this very script may run."""
    from markupsafe import Markup

    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"style": Markup(style), "script": Markup(script), "script_hash": f"sha256-{digest}"}
