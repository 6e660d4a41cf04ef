"""Labels are names: written in one way where that is certain, and never read as numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

import numpy as np

from pipeline.sources.guesses import Guess

PLAIN_LABEL = re.compile(r"[+-]?\d+(\.\d+)?")
ZERO_DECIMALS = re.compile(r"\.0+$")


def fold_text(text: str) -> str:
    """Reduce a text to what is left without case, repeated blanks and Unicode variants.

    >>> fold_text("New  York ") == fold_text("NEW YORK")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def merge_labels(
    name: str, values: np.ndarray, counts: np.ndarray, *, case: bool
) -> tuple[dict[str, str], list[Guess]]:
    """Find the labels that are one name in several writings: 1 and 1.0, Yes and yes.

    Letters that differ in case alone, such as A and a, stay apart; so do 1 and 01.

    Parameters
    ----------
    name
        The target.
    values, counts
        Shape ``(distinct,)``: its labels, and the rows of each.
    case
        Whether names that differ in case or blanks are one.

    Returns
    -------
    tuple
        The labels that are written otherwise, with the name that most rows have; and what is to be
        told of it. That 1.0 is 1 is certain.
    """
    rows = dict(zip(values.tolist(), counts.tolist(), strict=True))
    if all(PLAIN_LABEL.fullmatch(text) for text in rows):
        return {t: ZERO_DECIMALS.sub("", t) for t in rows if ZERO_DECIMALS.search(t)}, []
    if not case:
        return {}, []
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for text in sorted(rows):
        groups[fold_text(text)].append(text)
    merged: dict[str, str] = {}
    guesses = []
    for texts in groups.values():
        if len(texts) == 1 or (len(texts[0]) == 1 and len({*map(str.casefold, texts)}) == 1):
            continue
        form = max(texts, key=rows.__getitem__)
        others = [text for text in texts if text != form]
        merged |= dict.fromkeys(others, form)
        guesses.append(tell_merged(name, form, others, rows))
    return merged, guesses


def tell_merged(name: str, form: str, others: list[str], rows: dict[str, int]) -> Guess:
    """Tell that some values are read as another one.

    Parameters
    ----------
    name
        The column.
    form, others
        The value, and those that are read as it.
    rows
        The rows of each value.
    """
    few, all_ = sum(rows[text] for text in others), sum(rows[text] for text in (form, *others))
    return Guess(
        "spelling", name, f"{', '.join(map(repr, others[:4]))} is read as {form!r}",
        "they are different values", f"{few} of {all_} rows are written so",
        change={"cleaning.spelling.case": False},
    )  # fmt: skip
