"""Whether a column can be predicted."""

from __future__ import annotations

import pandas as pd

from pipeline.errors import DataContractError, name_examples, write_count

MAX_CLASSES = 100


def check_labels(target: str, classes: pd.Series, rows: int) -> None:
    """Refuse a target that holds no classes, one, or too many.

    Parameters
    ----------
    classes
        Rows of each value.
    rows
        Rows with a label.

    Raises
    ------
    DataContractError
        If it can't be predicted.
    """
    name = name_examples([target])
    if rows == 0:
        raise DataContractError(
            "ingest", f"the target {name} is missing in every row", "Give rows with a label"
        )
    if len(classes) == 1:
        raise DataContractError(
            "ingest",
            f"the target {name} has a single class, {name_examples(classes.index)}, in "
            f"{write_count(rows, 'row')}",
            "Give rows of at least two classes, or name another target",
        )  # fmt: skip
    if len(classes) > max(2, min(MAX_CLASSES, rows // 2)):
        raise DataContractError(
            "ingest",
            f"the target {name} has {len(classes)} different values in {rows} rows "
            f"({name_examples(classes.index[:3])}): these are no classes",
            "Name a target with classes, or bin this one; regression is not supported",
        )
