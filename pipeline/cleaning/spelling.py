"""One way to write each category: case, blanks, and typos by rarity and edit distance."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass

import pandas as pd

from pipeline.config.settings import SpellingConfig

# More categories than this are names or codes; comparing all pairs would find chance neighbours.
MAX_CATEGORIES = 500
COMMONER = 10


@dataclass(frozen=True, slots=True)
class Typo:
    """A rare category that is probably a frequent one, mistyped."""

    column: str
    rare: str
    rare_rows: int
    likely: str
    likely_rows: int
    distance: int
    applied: bool


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the categories of one column are written.

    Attributes
    ----------
    forms
        By folded text (see ``fold_text``), the form that most training rows use.
    typos
        Probable typos among training rows.
    """

    forms: dict[str, str]
    typos: list[Typo]

    def write(self, text: str) -> str:
        """Write a category as training rows mostly do; an unknown one stays as it is."""
        written = self.forms.get(fold_text(text), text)
        for typo in self.typos:
            if typo.applied and typo.rare == written:
                return typo.likely
        return written


def fold_text(text: str) -> str:
    """Reduce a text to what is left without case, repeated blanks and Unicode variants.

    >>> fold_text("New  York ") == fold_text("NEW YORK")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def learn_spelling(name: str, values: pd.Series, config: SpellingConfig) -> Spelling:
    """Learn how a column's categories are written from its training rows.

    Parameters
    ----------
    name
        The column, for the report of typos.
    values
        Its training rows, text; missing ones are left out.
    config
        Whether case is merged, what happens to typos, and how rare they are.
    """
    counts = {str(text): int(count) for text, count in values.value_counts().items()}
    variants: defaultdict[str, list[str]] = defaultdict(list)
    for text in sorted(counts):
        variants[fold_text(text)].append(text)
    forms: dict[str, str] = {}
    if config.case:
        # Of equally frequent forms the first in the alphabet, so that the choice is stable.
        forms = {key: max(texts, key=lambda t: counts[t]) for key, texts in variants.items()}
        merged: defaultdict[str, int] = defaultdict(int)
        for text, count in counts.items():
            merged[forms[fold_text(text)]] += count
        counts = dict(merged)
    typos = [] if config.typos == "ignore" else _find_typos(name, counts, config)
    return Spelling(forms, typos)


def _find_typos(name: str, counts: dict[str, int], config: SpellingConfig) -> list[Typo]:
    """Pair each rare category with the nearest frequent one, where they are close enough."""
    from rapidfuzz.distance import OSA

    if len(counts) > MAX_CATEGORIES:
        return []
    most = max(2, config.rarity * sum(counts.values()))
    found = []
    for rare, rows in counts.items():
        if rows > most:
            continue
        allowed = 1 if len(rare) < 8 else 2
        near = [
            (OSA.distance(fold_text(rare), fold_text(text), score_cutoff=allowed), -count, text)
            for text, count in counts.items()
            if count > most and count >= COMMONER * rows and _may_be_typo(rare, text)
        ]
        distance, negative, likely = min(near, default=(allowed + 1, 0, ""))
        if distance <= allowed:
            applied = config.typos == "apply"
            found.append(Typo(name, rare, rows, likely, -negative, int(distance), applied))
    return sorted(found, key=lambda typo: typo.rare)


def _may_be_typo(rare: str, text: str) -> bool:
    """Tell codes from words: B-737-300 and B-737-400 are two things, so are hepatitis A and B."""
    if len(rare) < 4 or any(letter.isdigit() for letter in rare + text):
        return False
    ours, theirs = fold_text(rare).split(), fold_text(text).split()
    if len(ours) != len(theirs):
        return True
    return all(len(own) >= 4 for own, other in zip(ours, theirs, strict=True) if own != other)
