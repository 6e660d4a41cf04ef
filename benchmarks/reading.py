"""How files as people have them are read: by Assay, and by others without help.

Values count as right by one yardstick for all: every row is there, and each column holds what is
true, or another reading that is as right; that it was named is asked of Assay alone, in the first
table. A column of numbers that arrives as text is wrong. A column of dates is right if
``pandas.to_datetime`` makes it so without being told how. A table without the target's column, on
which the next line of a program fails, counts as said, as an error does.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks.readers import Reader, find_readers
from tests.reading.cases import Case
from tests.reading.comparing import count_differences
from tests.reading.corpus import make_corpus
from tests.reading.judging import OUTCOMES, Result, judge_all

Verdict = str
VERDICTS: tuple[Verdict, ...] = ("right", "said", "silently wrong")
KINDS = {
    1: "parser", 2: "encodings", 3: "numbers", 4: "times", 5: "labels", 6: "categories",
    9: "parts", 13: "containers",
}  # fmt: skip


def measure(rounds: int) -> None:
    """Print what came of all cases, by kind and reader, and how much false caution there is."""
    del rounds  # nothing is timed
    corpus = make_corpus()
    faulty = [case for case in corpus if not case.clean]
    clean = [case for case in corpus if case.clean]
    results = judge_all(faulty)
    _print_outcomes(results)
    readers, absent = find_readers()
    verdicts = {"Assay": [find_verdict(result) for result in results]}
    for name, read in readers.items():
        verdicts[name] = judge_reader(read, faulty)
    _print_verdicts(faulty, verdicts)
    for name in absent:
        print(f"{name} is not installed, so it was passed over")
    _print_caution(judge_all(clean), {n: judge_reader(r, clean) for n, r in readers.items()})
    print("\nsilently wrong: " + ", ".join(
        result.case.name for result in results if result.outcome in ("silently wrong", "crashed")
    ))  # fmt: skip


def find_verdict(result: Result) -> Verdict:
    """Judge Assay's values as those of the others are judged."""
    if result.exact:
        return "right"
    return "silently wrong" if result.outcome == "silently wrong" else "said"


def judge_reader(read: Reader, cases: Iterable[Case]) -> list[Verdict]:
    """Judge what another reader makes of each case."""
    verdicts = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = case.write(Path(folder))
            try:
                frame = read(path)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # each library raises errors of its own; Polars also panics
                verdicts.append("said")
                continue
            verdicts.append(judge_frame(case, frame))
    return verdicts


def judge_frame(case: Case, frame: pd.DataFrame) -> Verdict:
    """Judge a table that another reader gave."""
    columns = {str(name).strip(): frame.iloc[:, i] for i, name in enumerate(frame.columns)}
    if case.target not in columns:
        return "said"
    if len(frame) != case.rows:
        return "silently wrong"
    right = all(
        name in columns
        and any(
            count_differences(columns[name], column.kind, column.values) == 0
            for column in case.accept(name)
        )
        for name in case.columns
    )
    return "right" if right else "silently wrong"


def _print_outcomes(results: Sequence[Result]) -> None:
    """Print Assay's outcomes by kind; as it should: nothing better could come of a case."""
    print(f"{'Assay':<12}" + "".join(f"{name:>15}" for name in (*OUTCOMES, "as it should", "all")))
    for kind in (*KINDS, None):
        chosen = [r for r in results if kind is None or r.case.kind == kind]
        counts = Counter(result.outcome for result in chosen)
        good = sum(result.as_it_should for result in chosen)
        row = [*(counts[name] for name in OUTCOMES), good, len(chosen)]
        name = "all" if kind is None else KINDS[kind]
        print(f"{name:<12}" + "".join(f"{count:>15}" for count in row))


def _print_verdicts(cases: Sequence[Case], verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    print(f"\n{' / '.join(VERDICTS)}")
    print(f"{'':<12}" + "".join(f"{name:>17}" for name in verdicts))
    for kind in (*KINDS, None):
        row = []
        for given in verdicts.values():
            counts = Counter(
                verdict
                for case, verdict in zip(cases, given, strict=True)
                if kind is None or case.kind == kind
            )
            row.append(" / ".join(str(counts[name]) for name in VERDICTS))
        name = "all" if kind is None else KINDS[kind]
        print(f"{name:<12}" + "".join(f"{cell:>17}" for cell in row))


def _print_caution(results: Sequence[Result], verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """Print how many guesses and suspicions a clean table gets."""
    counts = [len(result.cautions) for result in results]
    wrong = [result.case.name for result in results if result.outcome != "right"]
    print(
        f"\n{len(results)} clean tables: {len(results) - len(wrong)} right; cautions a table: "
        f"median {median(counts):g}, at most {max(counts)}"
    )
    for result in results:
        if result.outcome != "right" or result.cautions:
            said = "; ".join(result.cautions)
            print(f"  {result.case.name}: {result.outcome} {result.why} {said}".rstrip())
    for name, given in verdicts.items():
        print(f"  {name}: {Counter(given)['right']} right")
