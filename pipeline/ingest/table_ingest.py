"""A table from its source to canonical partitions on the disk."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.settings import DatasetConfig
from pipeline.ingest.canonical import canonicalise
from pipeline.sources.reading import read_source
from pipeline.storage.parts import write_frame, write_parts
from pipeline.storage.store import FACTS, dump_json


def ingest_table(source: Path, config: DatasetConfig, out: Path) -> None:
    """Write canonical rows by partition, the rows without a label, and how values were read.

    Parameters
    ----------
    source
        A file, or a folder of partitions.
    out
        The stage's directory.
    """
    table = read_source(source, config.ingest)
    canonical = canonicalise(table, config)
    write_parts(out, canonical.frame, config.ingest.partition_rows)
    write_frame(out / "unlabelled.parquet", canonical.unlabelled)
    (out / "malformed.txt").write_text("\n".join(table.malformed), encoding="utf-8")
    dump_json(out / "columns.json", canonical.rules)
    dump_json(out / FACTS, canonical.facts)
