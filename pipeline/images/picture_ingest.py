"""From a source of pictures to canonical rows, and to the pictures that belong to them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.config.settings import DatasetConfig, Role
from pipeline.dataset import FLAGS, PIXEL_HASH, REASON, ROW_ID, SPLIT
from pipeline.errors import ConfigError, DataContractError
from pipeline.images.listing import PictureList
from pipeline.images.picture_sources import list_pictures
from pipeline.images.picture_store import PictureWriter
from pipeline.images.preparing import Prepared, Seen, prepare_pictures
from pipeline.ingest.canonical import Canonical, ColumnFacts, IngestFacts
from pipeline.ingest.columns import ColumnRules
from pipeline.ingest.picture_facts import ImageFacts
from pipeline.storage.parts import write_frame, write_parts
from pipeline.storage.store import FACTS, dump_json
from pipeline.targets.label_checks import check_labels

FILE, MODE, PERCEPTUAL_HASH = "file", "mode", "perceptual_hash"
NUMBERS = (
    "width", "height", "aspect", "channels", "brightness", "contrast", "sharpness", "entropy",
    "file_size",
)  # fmt: skip
NO_LABEL = "no label"
MAX_SET_ASIDE = 50
MAX_SIZES = 10
PROGRESS_STEP = 256
Progress = Callable[[int, int], None]


def read_pictures(
    path: Path,
    config: DatasetConfig,
    folder: Path,
    on_progress: Progress | None = None,
    *,
    threads: int = 2,
) -> Canonical:
    """Read a source of pictures into canonical rows.

    Parameters
    ----------
    path
        A folder with a folder for each class, a zip of one, or Parquet.
    folder
        Where ``pictures/`` is written: the labelled, readable pictures in the order of the rows.
    on_progress
        Called now and then with the pictures done and all pictures.
    threads
        Threads that decode; the result does not depend on them.

    Returns
    -------
    Canonical
        ``frame`` has ``row_id``, ``file``, the target, what was measured, ``mode`` and two hashes;
        ``unlabelled`` the pictures that were left out, with the ``reason``.

    Raises
    ------
    SourceError
        If the source can't be read, or holds no pictures.
    ConfigError
        If dataset.yaml names a column that is not there, or one that Assay needs.
    DataContractError
        If no picture can be read, or the labels are absent, all of one class, or too many.
    """
    _check_target(config)
    listed = list_pictures(path, config)
    ledger = _Ledger()
    with PictureWriter(folder, config.image) as writer:
        for prepared in prepare_pictures(listed.pictures, config.image, threads):
            row_id = ledger.enter(prepared)
            if prepared.seen is not None and prepared.source.label is not None:
                writer.add(row_id, prepared.seen.picture, prepared.seen.raster)
            done, of = ledger.rows, len(listed.pictures)
            if on_progress is not None and (done % PROGRESS_STEP == 0 or done == of):
                on_progress(done, of)
    frame = _make_frame(ledger.kept, config.target).drop(columns=[REASON])
    unlabelled = _make_frame(ledger.aside, config.target)
    _check_readable(ledger)
    classes = frame[config.target].value_counts()
    check_labels(config.target, classes, len(frame))
    rules = ColumnRules(config.target, ".", {})
    return Canonical(frame, unlabelled, rules, _tell(frame, ledger, listed, config))


def ingest_pictures(
    source: Path, config: DatasetConfig, out: Path, on_progress: Progress | None = None
) -> None:
    """Decode the pictures once; write their facts as canonical rows, their pixels beside them.

    Parameters
    ----------
    source
        A folder of class folders, a zip of it, or Parquet.
    config
        Size and channels of the pictures, key and target.
    out
        The folder that is filled.
    on_progress
        Called now and then with the pictures that were read, of all.

    Raises
    ------
    SourceError, DataContractError
        If the source can't be read, or has no two classes.
    """
    canonical = read_pictures(source, config, out, on_progress=on_progress)
    write_parts(out, canonical.frame, config.ingest.partition_rows)
    write_frame(out / "unlabelled.parquet", canonical.unlabelled)
    dump_json(out / "columns.json", canonical.rules)
    dump_json(out / FACTS, canonical.facts)


@dataclass(slots=True)
class _Ledger:
    """What is entered of each picture, kept or left out."""

    kept: list[tuple[object, ...]] = field(default_factory=list)
    aside: list[tuple[object, ...]] = field(default_factory=list)
    seen_before: Counter[bytes] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0

    @property
    def rows(self) -> int:
        """Pictures entered."""
        return len(self.kept) + len(self.aside)

    def enter(self, prepared: Prepared) -> str:
        """Enter a picture; return its id."""
        row_id = self._name(prepared.digest)
        source, seen, reason = prepared.source, prepared.seen, prepared.reason
        if seen is not None:
            self.rules.update(seen.rules)
            self.sizes[f"{seen.width}x{seen.height}"] += 1
            reason = NO_LABEL if source.label is None else None
        else:
            self.unreadable += 1
        row = (row_id, source.name, source.label, *_list_facts(seen, prepared.file_size), reason)
        if reason is None:
            self.kept.append(row)
        else:
            self.aside.append(row)
            self.reasons[reason] += 1
        return row_id

    def _name(self, digest: bytes) -> str:
        """Name a row by its content; repeats are told apart by counting them."""
        occurrence = self.seen_before[digest]
        self.seen_before[digest] += 1
        if occurrence:
            digest = hashlib.sha256(digest + occurrence.to_bytes(8, "big")).digest()
        return digest.hex()[:32]


def _list_facts(seen: Seen | None, file_size: int) -> tuple[object, ...]:
    """List a picture's facts in the order of the columns."""
    if seen is None:
        return (None,) * (len(NUMBERS) + 3)
    *figures, perceptual_hash = seen.measures
    return (
        seen.width, seen.height, seen.width / seen.height, seen.channels, *figures, file_size,
        seen.mode, f"{perceptual_hash:016x}", seen.pixel_hash,
    )  # fmt: skip


def _make_frame(rows: list[tuple[object, ...]], target: str) -> pd.DataFrame:
    names = [ROW_ID, FILE, target, *NUMBERS, MODE, PERCEPTUAL_HASH, PIXEL_HASH, REASON]
    values = zip(*rows, strict=True) if rows else [()] * len(names)
    return pd.DataFrame(
        {
            name: pd.Series(column, dtype="float64" if name in NUMBERS else "str")
            for name, column in zip(names, values, strict=True)
        }
    )


def _check_target(config: DatasetConfig) -> None:
    """Refuse names that Assay needs, and a key: pictures are named by their content."""
    taken = (ROW_ID, FILE, *NUMBERS, MODE, PERCEPTUAL_HASH, PIXEL_HASH, SPLIT, *FLAGS, REASON)
    if config.target in taken:
        raise ConfigError(
            "ingest", f"the target is named '{config.target}', a name Assay needs",
            "Name the target otherwise, say 'label'",
        )  # fmt: skip
    if config.key is not None:
        raise ConfigError(
            "ingest", f"key names '{config.key}', but pictures are named by their content",
            "Remove `key`",
        )  # fmt: skip


def _check_readable(ledger: _Ledger) -> None:
    if ledger.unreadable and not ledger.kept:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in ledger.reasons.most_common(5))
        raise DataContractError(
            "ingest",
            f"none of {ledger.rows} pictures has a label and can be read: {reasons}",
            "Give undamaged pictures in a folder for each class",
        )


def _tell(
    frame: pd.DataFrame, ledger: _Ledger, listed: PictureList, config: DatasetConfig
) -> IngestFacts:
    """Tell what was read."""
    images = ImageFacts(
        height=config.image.height,
        width=config.image.width,
        channels=config.image.channels,
        rules=dict(sorted(ledger.rules.items())),
        set_aside=[(str(row[1]), str(row[-1])) for row in ledger.aside[:MAX_SET_ASIDE]],
        reasons=dict(sorted(ledger.reasons.items())),
        skipped=listed.skipped,
        case_clashes=listed.case_clashes,
        sizes=dict(ledger.sizes.most_common(MAX_SIZES)),
    )
    classes = frame[config.target].value_counts()
    return IngestFacts(
        dialect=listed.dialect,
        rows=ledger.rows,
        labelled=len(frame),
        unlabelled=ledger.reasons[NO_LABEL],
        malformed=0,
        row_ids="content",
        repeated_rows=int(frame.duplicated([config.target, PIXEL_HASH]).sum()),
        classes={str(name): int(count) for name, count in sorted(classes.items())},
        columns=[_describe(frame, name, config.target) for name in frame.columns if name != ROW_ID],
        suspicions=[],
        unreadable=ledger.unreadable,
        images=images,
    )


def _describe(frame: pd.DataFrame, name: str, target: str) -> ColumnFacts:
    """Describe a column; Assay made all but the target itself, so nothing was inferred."""
    role: Role = "identifier"
    if name in NUMBERS:
        role = "numeric"
    elif name == MODE:
        role = "categorical"
    elif name == target:
        role = "target"
    missing = int(frame[name].isna().sum())
    reason = "declared" if name == target else "measured"
    return ColumnFacts(name, role, reason, int(frame[name].nunique()), missing, {}, 0, [])
