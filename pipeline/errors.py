"""The errors a user can meet, and the one form their messages take.

AssayError
├── ConfigError          dataset.yaml, an override or a command line is wrong      exit code 2
├── SourceError          the source can't be found, read or parsed                 exit code 2
├── DataContractError    the data breaks what a stage needs                        exit code 1
├── StageError           a stage can't do what its configuration asks of the data  exit code 2
└── MachineError         the disk is full, a folder can't be written, a server is  exit code 3
                         down: nothing is wrong with data or configuration

A message holds four parts: the stage, the column or class, the value seen with its count, the fix:

    resampling: class 'fraud' has 3 training rows but SMOTE with k_neighbors=5 needs 6.
    Set resampling.k_neighbors to 2 or less, or resampling.method to 'random_over'.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MAX_EXAMPLES = 5
MAX_EXAMPLE_LENGTH = 40


class AssayError(Exception):
    """Base of all errors that are about a user's data or configuration.

    Parameters
    ----------
    stage
        The stage that found the fault, as it is named in dataset.yaml.
    problem
        What is wrong: the column or class, and the value seen with its count.
    fix
        What to do about it, as an imperative sentence.
    """

    exit_code = 2

    def __init__(self, stage: str, problem: str, fix: str) -> None:
        self.stage = stage
        self.problem = problem.rstrip(".")
        self.fix = fix.rstrip(".")
        end = "" if self.fix.endswith("?") else "."
        super().__init__(f"{stage}: {self.problem}. {self.fix}{end}")

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        # The default would call the class with the finished message as its only argument.
        return type(self), (self.stage, self.problem, self.fix)


class ConfigError(AssayError):
    """The declaration of a data set, an override or a call is wrong."""


class SourceError(AssayError):
    """The source of a data set can't be found, read or parsed."""


class DataContractError(AssayError):
    """The data breaks what a stage needs; another refresh with better data will pass."""

    exit_code = 1


class StageError(AssayError):
    """A stage can't do to this data what its configuration asks."""


class MachineError(AssayError):
    """The machine, its disk or a server fails a run whose data and configuration are sound."""

    exit_code = 3


def name_examples(values: Iterable[object]) -> str:
    """Join the first few values for a message, each quoted and cut to a bounded length.

    >>> name_examples(["a", "b"])
    "'a', 'b'"
    >>> name_examples(range(7))
    "'0', '1', '2', '3', '4' and 2 more"
    """
    texts = [str(value) for value in values]
    shown = [
        repr(text if len(text) <= MAX_EXAMPLE_LENGTH else text[: MAX_EXAMPLE_LENGTH - 1] + "…")
        for text in texts[:MAX_EXAMPLES]
    ]
    more = len(texts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def write_count(count: int, noun: str = "", nouns: str = "") -> str:
    """Write a count with its noun.

    >>> write_count(1, "row"), write_count(3772, "row"), write_count(2, "class", "classes")
    ('1 row', '3,772 rows', '2 classes')

    Parameters
    ----------
    count
        How many.
    noun, nouns
        What is counted, one of it and several; several left out: the noun with an s.
    """
    if not noun:
        return f"{count:,}"
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def name_near_misses(name: str, known: Iterable[str]) -> str:
    """Say which known names a wrong one may have meant, or else some that are known.

    >>> name_near_misses("speceis", ["species", "sex"])
    "did you mean 'species'?"
    """
    known = [str(item) for item in known]
    examples = "known are " + name_examples(known) if known else "none are known"
    return find_near_misses(name, known) or examples


def find_near_misses(name: str, known: Iterable[str]) -> str:
    """Say which known names a wrong one may have meant; nothing where none is near.

    >>> find_near_misses("speceis", ["island"])
    ''
    """
    import difflib

    known = [str(item) for item in known]
    folded = {item.casefold(): item for item in known}
    near = [
        folded[match]
        for match in difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.6)
    ]
    return "did you mean " + " or ".join(map(repr, near)) + "?" if near else ""
