"""What the values of columns show: gaps, outliers, typos; and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.dataset import FEATURE_ROLES
from pipeline.diagnosis.finding import Finding, Severity
from pipeline.diagnosis.wording import cut, join_words, quote, write_count, write_share

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord
    from pipeline.diagnosis.terms import Terms

MOST = 3  # findings of one kind that are told one by one
MUCH_MISSING = 0.3
MUCH_LOST = 0.02
MUCH_LEFT_OUT = 0.5  # share of the columns
MOST_NAMED = 8
MUCH_CLIPPED = 0.01


def find_disguises(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which values may stand for missing ones and were taken as they are."""
    open_ = [s for s in record.ingest.suspicions if not s.taken]
    for suspicion in sorted(open_, key=lambda s: -s.count)[:MOST]:
        yield Finding(
            "disguised_missing",
            "warning",
            f"{quote(suspicion.value, 24)} in {quote(suspicion.column)} may mean missing",
            f"It is in {write_count(suspicion.count, 'row')} and was taken as a value.",
            suspicion.advice[:1].upper() + suspicion.advice[1:].rstrip(".") + ".",
            cause="missing_values",
            column=suspicion.column,
            figures={"value": suspicion.value, "rows": suspicion.count},
            change={f"columns.{suspicion.column}.missing": [suspicion.value]},
        )
    if len(open_) > MOST:
        title = f"{len(open_) - MOST} more values may mean missing"
        yield Finding(
            "disguised_missing",
            "warning",
            title,
            "They are listed under Changes.",
            "",
            cause="missing_values",
            figures={"more_values": len(open_) - MOST},
        )


def find_gaps(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which columns are mostly imputed, and which values could not be read."""
    rows = record.ingest.labelled + record.ingest.unlabelled
    gone = {c.name for c in record.cleaning.fitted.dropped} if record.cleaning else set()
    gaps = {
        c.name: c.missing / rows
        for c in record.ingest.columns
        if rows and c.name not in gone and c.role in FEATURE_ROLES
    }
    wide = sorted((n for n in gaps if gaps[n] >= MUCH_MISSING), key=lambda n: -gaps[n])
    if wide:
        yield Finding(
            "missing_values",
            "warning",
            f"{write_count(len(wide), 'column lacks', 'columns lack')} "
            f"{write_share(MUCH_MISSING)} or more of the values",
            join_words([f"{quote(n, 24)} {write_share(gaps[n])}" for n in wide])
            + ". What is imputed is learned from the rest, and carries little of its own.",
            "Try imputation.indicators: true, so that the gap itself is a feature, or drop them.",
            cause="missing_values",
            column=wide[0] if len(wide) == 1 else None,
            figures={name: gaps[name] for name in wide},
            change={"imputation.indicators": True},
        )
    bad = [column for column in record.ingest.columns if column.unparsable]
    if bad:
        named = [
            f"{quote(c.name, 24)} {write_count(c.unparsable)} (such as "
            f"{join_words([quote(e, 16) for e in c.unparsable_examples[:2]])})"
            for c in bad
        ]
        title = (
            f"Values in {write_count(len(bad), 'column')} could not be read and count as missing"
        )
        yield Finding(
            "unreadable_values",
            "warning",
            title,
            join_words(named, MOST) + ".",
            "Correct them in the source, or declare them under columns.<name>.missing.",
            cause="inconsistent_values",
            column=bad[0].name if len(bad) == 1 else None,
            figures={c.name: c.unparsable for c in bad},
        )


def find_left_out(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which columns Assay left out, before anybody looks for what else is missing."""
    if record.cleaning is None or not terms.drops_columns:
        return
    leaks = {leak.column for leak in record.cleaning.fitted.leaks}  # they have a finding already
    gone = [column for column in record.cleaning.fitted.dropped if column.name not in leaks]
    if gone:
        share = len(gone) / max(1, len(record.ingest.columns) - 1)
        yield Finding(
            "columns_left_out",
            "warning" if share > MUCH_LEFT_OUT else "info",
            f"{write_count(len(gone), 'column is', 'columns are')} left out, and not learned from",
            join_words([f"{quote(c.name, 24)} ({cut(c.reason, 60)})" for c in gone], MOST_NAMED)
            + ".",
            "If one of them says something of the label, declare columns.<name>.role, or take it "
            "out of cleaning.drop_columns.",
            figures={column.name: column.reason for column in gone},
        )


def find_lost_rows(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which rows never reached a model."""
    read = record.ingest
    if read.malformed:
        severity: Severity = "warning" if read.malformed / read.rows > MUCH_LOST / 2 else "info"
        yield Finding(
            "malformed_lines",
            severity,
            f"{write_count(read.malformed, 'line')} could not be read",
            f"{write_share(read.malformed, read.rows)} of the source's rows were left out.",
            "Look for unquoted delimiters in the source.",
            cause="inconsistent_values",
            figures={"rows": read.malformed, "share": read.malformed / read.rows},
        )
    if read.unlabelled:
        severity = "warning" if read.unlabelled / read.rows > MUCH_LOST else "info"
        yield Finding(
            "unlabelled_rows",
            severity,
            f"{write_count(read.unlabelled, 'row has', 'rows have')} no label",
            f"{write_share(read.unlabelled, read.rows)} of the source's rows were left out.",
            "Label them, if they are like the rows that the network will meet.",
            cause="too_little_data",
            figures={"rows": read.unlabelled, "share": read.unlabelled / read.rows},
        )
    repeated = record.split.duplicates if record.split else 0
    if repeated / read.labelled > MUCH_LOST and not expects_repeats(record):
        yield Finding(
            "duplicates",
            "warning",
            f"{write_count(repeated, 'row repeats', 'rows repeat')} an earlier one",
            f"{write_share(repeated, read.labelled)} of the labelled rows. Equal rows "
            "were kept on one side of the split, so they don't flatter the scores.",
            "Ask whether the source joins or exports rows twice.",
            cause="duplicates",
            figures={"rows": repeated, "share": repeated / read.labelled},
        )


def expects_repeats(record: RunRecord) -> bool:
    """Tell whether rows that are alike were declared to be other rows."""
    return bool(record.config.get("split", {}).get("repeats") == "apart")


def find_repairs(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of outliers and probable typos."""
    if record.cleaning is None:
        return
    changes = [c for c in record.cleaning.changes if c.action in ("clipped", "set missing")]
    total = sum(record.cleaning.rows_after.values())
    if changes and total:
        largest = max(changes, key=lambda change: change.rows)
        columns = write_count(len({change.column for change in changes}), "column")
        examples = join_words([cut(example, 16) for example in largest.examples[:3]])
        values = write_count(sum(c.rows for c in changes), "outlier was", "outliers were")
        clipped = any(change.action == "clipped" for change in changes)
        yield Finding(
            "outliers",
            "warning" if largest.rows / total > MUCH_CLIPPED else "info",
            f"{values} {'brought within bounds' if clipped else 'set missing'} in {columns}",
            f"Most in {quote(largest.column)}: {write_count(largest.rows, 'row')} "
            f"{cut(largest.detail, 60)}, such as {examples}.",
            "If such values are real, declare columns.<name>.minimum and maximum, and let "
            f"assay suggest {cut(record.dataset)} learn the suites again.",
            cause="outliers",
            column=largest.column,
            figures={change.column: change.rows for change in changes},
        )
    typos = [typo for typo in record.cleaning.fitted.typos if not typo.applied]
    if typos:
        named = [
            f"{quote(t.rare, 24)} ({write_count(t.rare_rows)}) for {quote(t.likely, 24)} "
            f"({write_count(t.likely_rows)}) in {quote(t.column, 24)}"
            for t in typos
        ]
        yield Finding(
            "typos",
            "info",
            write_count(
                len(typos), "rare category looks like a typo", "rare categories look like typos"
            ),
            join_words(named, MOST) + ". They were left as they are.",
            "If they are typos, set cleaning.spelling.typos to apply.",
            cause="inconsistent_values",
            figures={"typos": len(typos)},
            change={"cleaning.spelling.typos": "apply"},
        )
