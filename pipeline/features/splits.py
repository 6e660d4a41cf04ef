"""Reading the splits of a features directory as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset import IMAGE, ORIGIN, ROW_ID, SAMPLE_WEIGHT
from pipeline.errors import StageError, name_examples
from pipeline.features.layout import Layout

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


STAGE = "training"
# Rows that are read together.
TOGETHER = 8192


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of one split as arrays.

    Attributes
    ----------
    row_ids
        Shape ``(n,)``, text.
    values
        Shape ``(n, n_features)``, float32; for a network that learns pictures, their ``Pictures``.
    labels
        Shape ``(n,)``, int32: the class index.
    weights
        Shape ``(n,)``, float32; ones where the file holds none.
    original
        Shape ``(n,)``, bool: False for synthetic and augmented rows.
    """

    row_ids: np.ndarray
    values: Any
    labels: np.ndarray
    weights: np.ndarray
    original: np.ndarray

    def take(self, rows: np.ndarray) -> Split:
        """Pick rows by a mask or by positions."""
        return Split(
            self.row_ids[rows],
            self.values[rows],
            self.labels[rows],
            self.weights[rows],
            self.original[rows],
        )


def load_split(
    directory: Path,
    name: str,
    layout: Layout,
    read: Callable[[Path, Layout], Any] | None = None,
) -> Split:
    """Read one split.

    Parameters
    ----------
    directory
        A features directory.
    name
        ``train``, ``validation`` or ``test``.
    layout
        The directory's layout.
    read
        Reads the values of a file; left out, they are the features.

    Raises
    ------
    StageError
        If the file or a feature is missing, a label is no known class, or a value is not finite.
    """
    import numpy as np
    import pyarrow.parquet as pq

    path = directory / f"{name}.parquet"
    if not path.is_file():
        raise StageError(STAGE, f"{path} was not found", "Publish the data set before training")
    columns = set(pq.read_schema(path).names)
    missing = [c for c in (*layout.features, layout.target) if c not in columns]
    if missing:
        raise StageError(
            STAGE, f"{path.name} lacks the columns {name_examples(missing)}",
            "Make the features again; layout.json and the splits disagree",
        )  # fmt: skip
    table, values = _read(path, layout.features)
    _refuse_gaps(values, layout, name)
    return Split(
        row_ids=np.array(table.column(ROW_ID).to_pylist(), dtype=object),
        values=values if read is None else read(path, layout),
        labels=_code_labels(table.column(layout.target).to_pylist(), layout, name),
        weights=(
            table.column(SAMPLE_WEIGHT).to_numpy().astype(np.float32)
            if SAMPLE_WEIGHT in columns
            else np.ones(table.num_rows, np.float32)
        ),
        original=(
            np.array([origin == "original" for origin in table.column(ORIGIN).to_pylist()], bool)
            if ORIGIN in columns
            else np.ones(table.num_rows, bool)
        ),
    )


def _read(path: Path, features: tuple[str, ...]) -> tuple[pa.Table, np.ndarray]:
    """Read the features as rows, float32, and the other columns but pictures as a table.

    Some rows at once: the memory of one batch serves the next, where a whole table beside the rows
    took three times as long and twice the memory.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        others = [name for name in schema.names if name not in {*features, IMAGE}]
        values = np.empty((file.metadata.num_rows, len(features)), np.float32)
        parts, start = [], 0
        for batch in file.iter_batches(TOGETHER, columns=[*features, *others]):
            rows = values[start : start + len(batch)]
            if features:
                columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in features]
                np.stack(columns, axis=1, out=rows, casting="unsafe")
            parts.append(batch.select(others))
            start += len(batch)
        fields = pa.schema([schema.field(name) for name in others])
        return pa.Table.from_batches(parts, fields), values


def _refuse_gaps(values: np.ndarray, layout: Layout, name: str) -> None:
    """Name the feature: a single gap or infinity would turn the whole network into NaN."""
    import numpy as np

    # The sum of a column is finite whenever all its values are, at the magnitudes of features.
    for position in np.flatnonzero(~np.isfinite(values.sum(axis=0, dtype=np.float64))):
        count = int(np.count_nonzero(~np.isfinite(values[:, position])))
        raise StageError(
            STAGE,
            f"feature '{layout.features[position]}' has {count} values in {name}.parquet "
            "that are missing or infinite",
            "Impute the column, or drop it with cleaning.drop_columns",
        )


def _code_labels(labels: list[object], layout: Layout, name: str) -> np.ndarray:
    import numpy as np

    index = {label: position for position, label in enumerate(layout.classes)}
    unknown = sorted({str(label) for label in labels if label not in index})
    if unknown:
        raise StageError(
            STAGE,
            f"{name}.parquet holds the classes {name_examples(unknown)} "
            f"that are not among the {len(index)} of layout.json",
            "Make the features again",
        )
    return np.array([index[str(label)] for label in labels], np.int32)
