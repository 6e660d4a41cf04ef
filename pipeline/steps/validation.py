"""What both validations share: suites judged on partitions, their results kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from pipeline.dataset import ROW_ID, Schema
from pipeline.storage.parts import list_parts
from pipeline.storage.store import FACTS, dump_json
from pipeline.validation.opening import make_table
from pipeline.validation.running import run_suites

When = Literal["raw", "repaired"]


def list_raw(rows: Path) -> list[Path]:
    """List the partitions of all raw rows, those without a label last."""
    unlabelled = rows / "unlabelled.parquet"
    return list_parts(rows) + ([unlabelled] if pq.read_metadata(unlabelled).num_rows else [])


def write_results(
    files: list[Path], schema: Schema, suites: Mapping[str, dict[str, Any]], out: Path
) -> None:
    """Judge partitions by suites; keep Great Expectations' own results and the count of rows.

    Parameters
    ----------
    files
        The Parquet partitions.
    schema
        Names the columns that are judged.
    suites
        By name, as their JSON has them.
    out
        The folder that is filled.
    """
    names = pq.read_schema(files[0]).names
    table = make_table(files, [n for n in names if n != ROW_ID and n in schema.roles])
    (out / "results").mkdir()
    for name, result in run_suites(table, suites).items():
        text = json.dumps(result, indent=1, ensure_ascii=False)
        (out / "results" / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    dump_json(out / FACTS, {"rows": table.rows})
