"""From a folder of pictures to a data set: what is inferred, written down for people to edit."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import steps
from pipeline.config import DatasetConfig
from pipeline.config_file import parse_config
from pipeline.declaration import Initialised, learn_suites, quote
from pipeline.disk import write_whole
from pipeline.image_config import ImageConfig
from pipeline.images.listing import PICTURES
from pipeline.ingest import IngestFacts
from pipeline.plan import make_run
from pipeline.reading import TABLES
from pipeline.split_facts import SplitFacts
from pipeline.splitting import Assignment
from pipeline.store import Store
from pipeline.tables import read_all, read_frame

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")
IMBALANCE = 3.0


def holds_pictures(source: Path) -> bool:
    """Tell whether a source holds pictures, as files (more than tables) or in Parquet."""
    if source.is_dir():
        files = [item for item in source.rglob("*") if item.is_file()]
        tables = sorted(item for item in files if is_parquet(item))  # a README may lie beside them
        return _are_pictures([item.name for item in files]) or any(map(_embeds, tables[:1]))
    if zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                return _are_pictures(archive.namelist())
        except (OSError, ValueError, RuntimeError, struct.error, zipfile.BadZipFile):
            return False  # what reads it says what is wrong
    return _embeds(source)


def _are_pictures(names: list[str]) -> bool:
    """Tell whether more of the files are pictures than tables, by their suffixes."""
    kinds = [Path(name).suffix.lower() for name in names]
    pictures = sum(kind in PICTURES for kind in kinds)
    return pictures > sum(kind in TABLES for kind in kinds)


def is_parquet(source: Path) -> bool:
    """Tell whether a source is a Parquet file or a folder of them, by its names."""
    files = [item for item in source.rglob("*") if item.is_file()] if source.is_dir() else [source]
    return {item.suffix.lower() for item in files} <= {".parquet", ".pq"}


def _embeds(path: Path) -> bool:
    """Tell whether a Parquet file has a column of pictures: bytes, or bytes with a path."""
    if not is_parquet(path):
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = [field.name for field in file.schema_arrow if _holds_bytes(field.type)]
        first = next(file.iter_batches(1, columns=names), None) if names else None
    except (OSError, pa.ArrowException):
        return False  # what is wrong with it is told when it is read
    if first is None or not len(first):
        return False
    values = [first.column(number)[0].as_py() for number in range(first.num_columns)]
    return any(_starts_picture(v["bytes"] if isinstance(v, dict) else v) for v in values)


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _starts_picture(content: object) -> bool:
    """Tell pictures from other bytes, such as keys, by how their files begin."""
    return isinstance(content, bytes) and content.startswith(MAGIC)


def initialise_pictures(place: str, source: Path, target: str, store: Store) -> Initialised:
    """Infer a declaration and suites from a source of pictures and write them.

    Parameters
    ----------
    place
        How dataset.yaml is to name the source.
    target
        The name of the class; for Parquet the column that holds it.

    Raises
    ------
    SourceError, ConfigError, DataContractError
        If the source can't be read, or has no two classes.
    """
    from pipeline.images.choosing import choose_image_config
    from pipeline.images.sources import list_pictures

    plain: dict[str, Any] = {
        "dataset": store.dataset, "source": place, "target": target, "modality": "image",
        "augmentation": {"preset": "light"},
    }  # fmt: skip
    image = choose_image_config(list_pictures(source, parse_config(plain)))
    plain["image"] = image.model_dump(mode="json")
    config = parse_config(plain)
    facts = steps.ingest(make_run(store, config)).facts(IngestFacts)
    counts = sorted(facts.classes.values())
    if counts[-1] >= IMBALANCE * counts[0]:
        # Measured on the samples: weights did more for the small classes than new pictures of them.
        config = parse_config(plain | {"resampling": {"method": "class_weight"}})
    done = suggest_for_pictures(config, store)
    write_whole(store.config_path, write_picture_declaration(config, facts, source.name))
    return done


def suggest_for_pictures(config: DatasetConfig, store: Store) -> Initialised:
    """Write suites learned on the training pictures; what is decoded here serves the run too."""
    run = make_run(store, config)
    rows = steps.ingest(run)
    split = steps.split(run, rows)
    frame = read_frame(split.path / "assignment.parquet")
    assignment = Assignment(frame, split.facts(SplitFacts))
    unlabelled = read_frame(rows.path / "unlabelled.parquet")
    return learn_suites(
        config, read_all(rows.path), unlabelled, rows.facts(IngestFacts), assignment, store
    )


def write_picture_declaration(config: DatasetConfig, facts: IngestFacts, source: str) -> str:
    """Write a dataset.yaml that people can read: what was inferred, and why, in comments."""
    image: ImageConfig = config.image
    sizes = facts.images.sizes if facts.images else {}
    seen = ", ".join(f"{count:,} of {size}" for size, count in list(sizes.items())[:3])
    lines = [
        f"# What Assay inferred from {source}. Edit it as you know better;",
        "# every other setting has a default: assay settings.",
        f"dataset: {quote(config.dataset)}",
        f"source: {quote(config.source)}",
        f"target: {quote(config.target)}  # {len(facts.classes)} classes",
        "modality: image",
        f"seed: {config.seed}",
        "",
        "image:",
        f"  height: {image.height}  # pixels; {seen}",
        f"  width: {image.width}",
        f"  channels: {image.channels}  # {'grey' if image.channels == 1 else 'RGB'}",
        f"  fit: {image.fit}  # what happens to a picture of another aspect",
        "",
        "augmentation:",
        f"  preset: {config.augmentation.preset}  # small turns, shifts, zooms; no mirroring",
    ]
    if config.resampling.method != "none":
        low, high = min(facts.classes.values()), max(facts.classes.values())
        lines += [
            "",
            "resampling:",
            f"  method: {config.resampling.method}  # or augment; {low} to {high} pictures a class",
        ]
    return "\n".join(lines) + "\n"
