"""Records as a run would leave them: published, of many classes, stopped by a gate, and hostile."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Literal

from pipeline.cleaning.leaks import Leak
from pipeline.cleaning.outliers import Bound
from pipeline.cleaning.repairs import Change, CleaningFacts, DroppedColumn, FittedCleaning
from pipeline.cleaning.spelling import Spelling, Typo
from pipeline.config.settings import Resampling, Role
from pipeline.diagnosis import summary, terms
from pipeline.diagnosis.finding import Summary
from pipeline.diagnosis.record import RunRecord
from pipeline.imputation import Fill, ImputationFacts
from pipeline.imputation.rehearsal import HiddenTrial, Rehearsal
from pipeline.ingest.canonical import ColumnFacts, IngestFacts
from pipeline.ingest.roles import Suspicion
from pipeline.report import markdown, page, text
from pipeline.resampling import ResamplingFacts
from pipeline.splitting.split_facts import SplitFacts
from pipeline.targets.decisions import Decision
from pipeline.targets.metric_names import METRICS
from pipeline.targets.race_facts import RaceFacts, Racer, Standing
from pipeline.targets.results import (
    CalibrationBin,
    Difference,
    FoldScore,
    Interval,
    Score,
    TrainingFacts,
)
from pipeline.validation.column_profiles import ColumnProfile
from pipeline.validation.distributions import Distribution
from pipeline.validation.drift_results import ColumnDrift, DriftFacts
from pipeline.validation.validation_facts import Check, Severity, Status, ValidationFacts, Verdict

NUMBERS = {
    "age": (1, 94, 1),
    "TSH": (0.005, 478, 284),
    "T3": (0.05, 10.6, 585),
    "TT4": (2, 430, 184),
    "T4U": (0.31, 2.12, 297),
    "FTI": (2, 395, 295),
}
FLAGS = (
    "sex",
    "on_thyroxine",
    "query_on_thyroxine",
    "on_antithyroid_medication",
    "sick",
    "pregnant",
    "thyroid_surgery",
    "I131_treatment",
    "query_hypothyroid",
    "lithium",
    "goitre",
    "tumor",
    "psych",
)
ROWS = 2800
HOSTILE = "<script>alert(1)</script>\" onload='alert(2)' & {{ 7*7 }} שלום ‮evil"


def make_check(
    suite: str,
    kind: str,
    column: str | None,
    severity: Severity,
    status: Status,
    rule: str,
    observed: str,
    *,
    share: float | None = None,
    by: str | None = None,
    bad: list[str] | None = None,
) -> Check:
    """Build a check; rows that break the rule follow from the share."""
    count = None if share is None else round(share * ROWS)
    return Check(suite, kind, column, severity, status, rule, observed, count, share, bad or [], by)


def make_verdict(
    when: Literal["raw", "repaired"], reasons: list[str], *, to_repair: int = 0, warnings: int = 0
) -> Verdict:
    """Build a verdict that passes if there is no reason to stop."""
    return Verdict(when, not reasons, reasons, to_repair, warnings)


def make_column(name: str, role: Role, missing: int, distinct: int) -> ColumnFacts:
    """Build what ingest saw; gaps are written as question marks."""
    tokens = {"?": missing} if missing else {}
    return ColumnFacts(name, role, "declared", distinct, missing, tokens, 0, [])


def make_profiles(draw: random.Random) -> list[ColumnProfile]:
    """Build the profiles of the thyroid columns, skewed ones on logarithmic edges."""
    profiles = []
    for name, (low, high, missing) in NUMBERS.items():
        log = name == "TSH"
        bins = 40
        edges = [low + (high - low) * i / bins for i in range(bins + 1)]
        if log:
            edges = [low * (high / low) ** (i / bins) for i in range(bins + 1)]
        samples = [draw.gauss(18, 5) for _ in range(ROWS - missing)]
        raw = [0] * bins
        for sample in samples:
            raw[max(0, min(bins - 1, int(sample)))] += 1
        raw[-1] += 9
        repaired = [round(count * (1 + missing / ROWS)) for count in raw]
        repaired[-1] = 0
        bound = (edges[2], edges[35])
        profiles.append(
            ColumnProfile(name, "numeric", ROWS, missing, 0, edges, log, [], raw, repaired, *bound)
        )
    for name in FLAGS:
        yes = draw.randint(8, 300)
        gaps = 110 if name == "sex" else 0
        raw = [ROWS - yes - gaps, yes]
        role = "categorical" if name == "sex" else "boolean"
        labels = ["F", "M"] if name == "sex" else ["f", "t"]
        profiles.append(
            ColumnProfile(
                name, role, ROWS, gaps, 0, [], False, labels, raw, [raw[0] + gaps, raw[1]]
            )
        )
    source = ColumnProfile(
        "referral_source",
        "categorical",
        ROWS,
        0,
        0,
        [],
        False,
        ["other", "SVI", "SVHC", "STMW", "SVHD", "Other", "WEST", "ANON"],
        [1628, 771, 275, 91, 28, 4, 2, 1],
        [1632, 771, 275, 91, 28, 0, 2, 1],
    )
    tbg = ColumnProfile("TBG", "constant", ROWS, ROWS, None, [], False, [], [], [])
    target = ColumnProfile(
        "class",
        "target",
        ROWS,
        0,
        0,
        [],
        False,
        ["negative", "hypothyroid"],
        [2580, 220],
        [2566, 217],
    )
    return [*profiles, source, tbg, target]


def make_checks(repaired: bool) -> list[Check]:
    """Build the checks of three suites and the schema; repair removes most failures."""
    ok: Status = "passed"
    cured: Status = "passed" if repaired else "failed"
    checks = [
        make_check(
            "schema",
            "expect_column_to_exist",
            name,
            "critical",
            ok,
            "the column is there",
            "present",
        )
        for name in (*NUMBERS, *FLAGS, "referral_source", "TBG", "class")
    ]
    for name, (_, _, missing) in NUMBERS.items():
        share = 0.0 if repaired else missing / ROWS
        status = cured if share > 0.05 or (repaired and missing > 140) else ok
        checks.append(
            make_check(
                "missing_values",
                "expect_column_values_to_not_be_null",
                name,
                "critical",
                status,
                "at most 5 % missing",
                f"{round(share * ROWS):,} of 2,800 missing ({100 * share:.3g} %)",
                share=share,
                by="imputation",
            )
        )
    tbg: Status = "not applicable" if repaired else "failed"
    checks.append(
        make_check(
            "missing_values",
            "expect_column_values_to_not_be_null",
            "TBG",
            "critical",
            tbg,
            "at most 5 % missing",
            "column 'TBG' was dropped: empty" if repaired else "2,800 of 2,800 missing (100 %)",
            share=None if repaired else 1.0,
            by="cleaning",
        )
    )
    for name, (low, high, _) in NUMBERS.items():
        bad = name in ("age", "TSH", "FTI")
        checks.append(
            make_check(
                "outliers",
                "expect_column_values_to_be_between",
                name,
                "warning",
                cured if bad else ok,
                f"values from {low:g} to {high / 2:g}",
                "0 of 2,800 break it (0 %)"
                if repaired or not bad
                else "9 of 2,800 break it (0.321 %)",
                share=0.0 if repaired or not bad else 9 / ROWS,
                by="cleaning",
                bad=[] if repaired or not bad else ["455", "478", "440"],
            )
        )
    checks += [
        make_check(
            "class_distribution",
            "expect_column_values_to_be_in_set",
            "class",
            "critical",
            ok,
            "one of negative, hypothyroid",
            "0 of 2,800 break it (0 %)",
        ),
        make_check(
            "class_distribution",
            "expect_column_kl_divergence_to_be_less_than",
            "class",
            "warning",
            "failed",
            "class shares near those learned (KL divergence below 0.05)",
            "0.39",
        ),
        make_check(
            "class_distribution",
            "expect_table_row_count_to_be_between",
            None,
            "info",
            ok,
            "rows at least 1,000",
            "2800",
        ),
    ]
    return checks


def make_ingest() -> IngestFacts:
    """Build what was read of the thyroid data."""
    columns = [make_column(n, "numeric", missing, 200) for n, (_, _, missing) in NUMBERS.items()]
    columns += [make_column(n, "boolean", 110 if n == "sex" else 0, 2) for n in FLAGS]
    columns += [
        make_column("referral_source", "categorical", 0, 8),
        make_column("TBG", "constant", ROWS, 0),
        make_column("class", "target", 0, 2),
    ]
    suspicions = [
        Suspicion("T3", "-1", 14, "sentinel", "if it means missing, add it to columns.T3.missing"),
        Suspicion("age", "999", 3, "sentinel", "taken as missing", taken=True),
    ]
    return IngestFacts(
        {"format": "csv", "delimiter": ",", "encoding": "utf-8", "decimal": "."},
        ROWS + 14,
        ROWS,
        12,
        2,
        "content",
        61,
        {"hypothyroid": 220, "negative": 2580},
        columns,
        suspicions,
    )


def make_cleaning() -> CleaningFacts:
    """Build what cleaning learned and did."""
    fitted = FittedCleaning(
        "class",
        [DroppedColumn("TBG", "empty")],
        {
            "referral_source": Spelling(
                {"other": "other"}, [Typo("referral_source", "SVHCC", 1, "SVHC", 275, 1, False)]
            )
        },
        {name: Bound(low, high, "clip", "3 IQR", 4) for name, (low, high, _) in NUMBERS.items()},
        [],
    )
    changes = [
        Change("(rows)", "left out", 17, "duplicate of an earlier row", ["3f2a9b", "77c01e"]),
        Change("TSH", "clipped", 9, "outside 0.005 to 143", ["478", "440", "230"]),
        Change("FTI", "clipped", 6, "outside 17 to 281", ["395", "349"]),
        Change("referral_source", "respelled", 4, "case or blanks", ["Other → other"]),
    ]
    return CleaningFacts(
        {"train": 1960, "validation": 421, "test": 419},
        {"train": 1949, "validation": 418, "test": 416},
        fitted,
        changes,
        17,
    )


def make_score(
    name: str, title: str, accuracy: float, balanced: float, half: float, confusion: list[list[int]]
) -> Score:
    """Build a learner's score, all intervals of one width."""
    values = {
        "accuracy": accuracy,
        "balanced_accuracy": balanced,
        "macro_f1": balanced - 0.01,
        "auc": min(0.999, balanced + 0.05),
        "average_precision": balanced - 0.05,
        "brier": 0.04,
        "ece": 0.018,
    }
    metrics: dict[str, Interval] = {
        key: Interval(v, max(0.0, v - half), min(1.0, v + 0.8 * half)) for key, v in values.items()
    }
    if name == "majority":
        metrics = {k: Interval(v, v, v) for k, v in values.items() if k != "auc"}
        metrics["auc"] = Interval(0.5, 0.5, 0.5)
    bins = [
        CalibrationBin(0.55, 0.51, 9),
        CalibrationBin(0.65, 0.7, 12),
        CalibrationBin(0.77, 0.72, 20),
        CalibrationBin(0.86, 0.9, 41),
        CalibrationBin(0.97, 0.985, 334),
    ]
    return Score(name, title, metrics, confusion, [] if name == "majority" else bins, 3.2)


def make_history(epochs: int, best: int) -> dict[str, list[float]]:
    """Build learning curves whose validation loss turns after the best epoch."""
    loss = [0.09 + 0.45 * 0.82**e for e in range(epochs)]
    val = [
        0.12 + 0.40 * 0.80**e + max(0, e + 1 - best) * 0.004 + 0.006 * (e % 3 - 1)
        for e in range(epochs)
    ]
    return {
        "loss": loss,
        "val_loss": val,
        "accuracy": [1 - value / 2.6 for value in loss],
        "val_accuracy": [1 - value / 2.4 for value in val],
        "learning_rate": [0.001] * epochs,
    }


def make_training() -> TrainingFacts:
    """Build the network behind gradient boosting, and repair that helps."""
    scores = [
        make_score("network", "Network", 0.962, 0.878, 0.055, [[25, 7], [9, 375]]),
        make_score(
            "network_unrepaired", "Network, unrepaired", 0.938, 0.79, 0.07, [[19, 13], [13, 371]]
        ),
        make_score(
            "gradient_boosting", "Gradient boosting", 0.988, 0.951, 0.04, [[29, 3], [2, 382]]
        ),
        make_score("majority", "Majority", 0.923, 0.5, 0.0, [[0, 32], [0, 384]]),
    ]
    differences = [
        Difference(
            "balanced_accuracy", "network", "network_unrepaired", Interval(0.088, 0.021, 0.161), 416
        ),
        Difference("accuracy", "network", "network_unrepaired", Interval(0.024, 0.002, 0.045), 416),
        Difference(
            "balanced_accuracy",
            "network",
            "gradient_boosting",
            Interval(-0.073, -0.131, -0.019),
            416,
        ),
        Difference(
            "accuracy", "network", "gradient_boosting", Interval(-0.026, -0.043, -0.01), 416
        ),
        Difference("macro_f1", "network", "gradient_boosting", Interval(-0.02, -0.06, 0.018), 416),
        Difference("brier", "network", "gradient_boosting", Interval(0.013, 0.004, 0.022), 416),
        Difference("balanced_accuracy", "network", "majority", Interval(0.378, 0.31, 0.44), 416),
    ]
    return TrainingFacts(
        classes=["hypothyroid", "negative"],
        target="class",
        features=27,
        train_rows=3594,
        validation_rows=418,
        test_rows=416,
        parameters=3937,
        epochs_run=21,
        best_epoch=16,
        batch_size=32,
        learning_rate=0.001,
        history=make_history(21, 16),
        decision=Decision(["hypothyroid", "negative"], [0.078, 0.922], [0.5, 0.5], [6.41, 0.542]),
        scores=scores,
        differences=differences,
        folds=[],
        notes=["The unrepaired network saw medians in place of gaps, since it can't take gaps."],
        rows_per_second=61_000.0,
        seconds=14.8,
        seed=7,
        bootstrap=1000,
    )


def make_race(reason: str = "class 'x' has 3 training rows") -> RaceFacts:
    """Build a race of each end: chosen, as good, worse, dropped, idle and impossible."""

    def stand(method: Resampling, score: float, gap: float, folds: int) -> Standing:
        metrics = {name: Interval(0.8, 0.75, 0.85) for name in METRICS}
        behind = Interval(gap, gap - 0.03, gap + 0.03)
        return Standing(method, Interval(score, score - 0.04, score + 0.04), behind, metrics, folds)

    return RaceFacts(
        chosen="threshold",
        best="random_over",
        score="combined",
        racers=[
            Racer("none", "worse", 3, 1555, 4.1, stand("none", 0.7, 0.06, 3)),
            Racer("threshold", "chosen", 5, 1555, 6.8, stand("threshold", 0.76, 0.01, 5)),
            Racer("class_weight", "dropped", 1, 1555, 1.4, stand("class_weight", 0.7, 0.05, 1)),
            Racer("tomek", "idle", 0, 0, 0.0, None),
            Racer("random_over", "as good", 5, 2870, 9.9, stand("random_over", 0.77, 0.0, 5)),
            Racer("smotenc", "impossible", 0, 0, 0.0, None, reason),
        ],
        rows=1949,
        folds=5,
        planned=5,
        fits=13,
        all_fits=20,
        rows_trained=24_000,
        all_rows=49_000,
        seconds=17.2,
        significance=0.05,
        seed=7,
        notes=["It ended after 4 of 5 folds."],
    )


def make_published() -> RunRecord:
    """Build a published run: 2 classes, 22 columns, repair that helps, boosting ahead."""
    draw = random.Random(3)
    train = {"hypothyroid": 152, "negative": 1797}
    return RunRecord(
        dataset="hypothyroid",
        version="2026-11-22T02-34-10-7f3a",
        started="2026-11-22T02:34:10+00:00",
        seconds={
            "ingest": 0.31,
            "validate raw": 1.9,
            "split": 0.05,
            "clean": 0.2,
            "impute": 1.2,
            "validate repaired": 1.7,
            "resample": 0.4,
            "publish": 0.6,
            "train": 14.8,
        },
        sources={
            "hypothyroid.csv": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        },
        suites={
            "missing_values": "ab" * 32,
            "outliers": "cd" * 32,
            "class_distribution": "ef" * 32,
        },
        packages={
            "pandas": "3.0.1",
            "numpy": "2.4.0",
            "great-expectations": "1.24.1",
            "keras": "3.15.0",
        },
        config={
            "dataset": "hypothyroid",
            "target": "class",
            "seed": 7,
            "cleaning": {"leaks": "warn"},
            "resampling": {"method": "smotenc", "ratio": 1.0},
            "training": {"hidden": [64, 32], "epochs": 30},
        },
        ingest=make_ingest(),
        raw=ValidationFacts(
            ROWS, make_checks(False), make_verdict("raw", [], to_repair=9, warnings=4)
        ),
        profiles=make_profiles(draw),
        split=SplitFacts(
            "hash",
            {
                "train": {"hypothyroid": 154, "negative": 1806},
                "validation": {"hypothyroid": 33, "negative": 388},
                "test": {"hypothyroid": 33, "negative": 386},
            },
            17,
            6,
            21,
            [],
        ),
        cleaning=make_cleaning(),
        imputation=ImputationFacts(
            [
                Fill(n, "numeric", "knn", 1.9 * low + 1, missing)
                for n, (low, _, missing) in NUMBERS.items()
            ]
            + [
                Fill("sex", "categorical", "most_frequent", "F", 74),
                Fill("goitre", "boolean", "most_frequent", "f", 0),
            ],
            [],
            1949,
            1949,
            {**{n: missing for n, (_, _, missing) in NUMBERS.items()}, "sex": 110},
            [
                Rehearsal(
                    "sex",
                    301,
                    [
                        HiddenTrial("most_frequent", 0, 0.319, 0.26, 0.37),
                        HiddenTrial("knn", 15, 0.328, 0.27, 0.38),
                        HiddenTrial("knn", 5, 0.368, 0.31, 0.42),
                    ],
                )
            ],
        ),
        repaired=ValidationFacts(2783, make_checks(True), make_verdict("repaired", [], warnings=1)),
        features=[f"feature_{i}" for i in range(27)],
        leftover={"validation": 0, "test": 0},
        race=make_race(),
        resampling=ResamplingFacts(
            "smotenc",
            train,
            {"hypothyroid": 1797, "negative": 1797},
            {"hypothyroid": 1797, "negative": 1797},
            {"hypothyroid": 1645},
            {},
            {},
            [],
        ),
        training=make_training(),
    )


def make_multiclass() -> RunRecord:
    """Build six classes, one of a single row; nothing is distinguishable; folds; a leak."""
    base = make_published()
    assert base.training
    assert base.cleaning
    assert base.imputation
    classes = ["cp", "im", "imU", "om", "omL", "pp"]
    total = dict(zip(classes, [143, 77, 35, 20, 1, 52], strict=True))
    counts = {
        "train": {"cp": 99, "im": 53, "imU": 24, "om": 14, "omL": 1, "pp": 36},
        "validation": {"cp": 22, "im": 12, "imU": 5, "om": 3, "omL": 0, "pp": 8},
        "test": {"cp": 22, "im": 12, "imU": 6, "om": 3, "omL": 0, "pp": 8},
    }
    confusion = [
        [21, 1, 0, 0, 0, 0],
        [1, 9, 2, 0, 0, 0],
        [0, 5, 1, 0, 0, 0],
        [0, 0, 0, 2, 0, 1],
        [0, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 6],
    ]
    scores = [
        make_score("network", "Network", 0.824, 0.736, 0.12, confusion),
        make_score("network_unrepaired", "Network, unrepaired", 0.804, 0.71, 0.13, confusion),
        make_score("gradient_boosting", "Gradient boosting", 0.843, 0.74, 0.12, confusion),
        make_score(
            "majority",
            "Majority",
            0.431,
            0.2,
            0.0,
            [[sum(row), 0, 0, 0, 0, 0] for row in confusion],
        ),
    ]
    scores[0].metrics["auc"] = Interval(None, None, None)
    differences = [
        Difference(
            "balanced_accuracy", "network", "network_unrepaired", Interval(0.026, -0.08, 0.13), 51
        ),
        Difference(
            "balanced_accuracy", "network", "gradient_boosting", Interval(-0.004, -0.11, 0.1), 51
        ),
        Difference("balanced_accuracy", "network", "majority", Interval(0.536, 0.41, 0.65), 51),
        Difference("auc", "network", "gradient_boosting", Interval(None, None, None), 51),
    ]
    history = make_history(30, 30)
    history["learning_rate"] = [0.001 * 0.5 ** (epoch // 8) for epoch in range(30)]
    training = replace(
        base.training,
        classes=classes,
        scores=scores,
        differences=differences,
        history=history,
        train_rows=227,
        validation_rows=50,
        test_rows=51,
        epochs_run=30,
        best_epoch=30,
        folds=[
            FoldScore(i, 45, {"accuracy": 0.8 + 0.01 * i, "balanced_accuracy": 0.7 + 0.02 * i})
            for i in range(1, 6)
        ],
        notes=["Class 'omL' has no test row: metrics are over the other 5 classes."],
    )
    note = "class 'omL' is not in validation or test: it has 1 row, and each split needs one"
    return replace(
        base,
        dataset="ecoli",
        training=training,
        imputation=replace(
            base.imputation, filled={n: k // 9 for n, k in base.imputation.filled.items()}
        ),
        ingest=replace(
            base.ingest,
            rows=328,
            labelled=328,
            unlabelled=0,
            malformed=0,
            classes=total,
            columns=[
                replace(c, missing=c.missing // 9, tokens={k: v // 9 for k, v in c.tokens.items()})
                for c in base.ingest.columns
            ],
        ),
        split=SplitFacts("hash", counts, 0, 24, 0, [note]),
        cleaning=replace(
            base.cleaning,
            rows_before={"train": 227, "validation": 50, "test": 51},
            rows_after={"train": 227, "validation": 50, "test": 51},
            changes=[],
            quarantined=0,
            fitted=replace(
                base.cleaning.fitted,
                dropped=[DroppedColumn("name", "identifier: not learned from")],
                leaks=[
                    Leak("accession", 0.998, 227, "balanced accuracy 0.998 by 'accession' alone")
                ],
            ),
        ),
        resampling=ResamplingFacts(
            "class_weight",
            counts["train"],
            counts["train"],
            counts["train"],
            {},
            {},
            {name: 227 / (6 * n) for name, n in counts["train"].items()},
            [],
        ),
    )


def make_stopped() -> RunRecord:
    """Build a run that the gate stopped on raw data, before anything was learned."""
    base = make_published()
    checks = [
        *base.raw.checks,
        make_check(
            "schema",
            "expect_column_to_exist",
            "weight",
            "critical",
            "failed",
            "the column is there",
            "absent",
        ),
        make_check(
            "class_distribution",
            "expect_column_values_to_be_in_set",
            "class",
            "critical",
            "failed",
            "one of negative, hypothyroid, but for 1 %",
            "131 of 2,800 break it (4.68 %)",
            share=0.0468,
            bad=["neg.", "hypo?", "unknown"],
        ),
        make_check(
            "outliers",
            "expect_column_stdev_to_be_between",
            "note",
            "warning",
            "error",
            "the spread lies between 1 and 9",
            "the column holds text",
        ),
    ]
    reasons = [
        "weight: the column is there; found absent",
        "class: one of negative, hypothyroid, but for 1 %; found 131 of 2,800 break it (4.68 %)",
    ]
    raw = ValidationFacts(ROWS, checks, make_verdict("raw", reasons, to_repair=9, warnings=5))
    profiles = [replace(p, repaired=[], missing_repaired=None) for p in base.profiles]
    return replace(
        base,
        version=None,
        raw=raw,
        profiles=profiles,
        split=None,
        cleaning=None,
        imputation=None,
        repaired=None,
        features=None,
        leftover=None,
        race=None,
        resampling=None,
        training=None,
        seconds={"ingest": 0.31, "validate raw": 1.9},
    )


def make_drift(names: list[str], text: str) -> DriftFacts:
    """Make a comparison of columns with the last refresh: numbers, categories, a change of unit."""
    columns = []
    for number, name in enumerate(names):
        shift = 1.5 * (number % 2)
        points = [float(value) for value in range(200)]
        before = Distribution("numbers", 1000, 10, 100.0, 60.0, points)
        now = replace(before, missing=90, mean=100 + shift, points=[p + shift for p in points])
        if number % 3 == 1:
            before = Distribution("categories", 1000, 0, counts={"a": 700, "b": 300}, distinct=2)
            now = Distribution("categories", 900, 0, counts={text: 600, "b": 300}, distinct=2)
        measure = "jensen_shannon" if number % 3 == 1 else "wasserstein"
        columns.append(
            ColumnDrift(
                name, "warning", {measure: 0.05 + shift, "missing": 0.08},
                {measure: 0.1, "missing": 0.05}, {measure: 1e-9, "missing": 1e-9},
                [measure, "missing"] if shift else [], measure, before, now,
                new=[(text, 600)] if number % 3 == 1 else [], gone=[("a", 700)],
                retyped=text if number % 7 == 5 else "",
                unit="miles to kilometres" if number % 5 == 3 else "",
                factor=1.609344 if number % 5 == 3 else 1.0,
            )
        )  # fmt: skip
    return DriftFacts(text, 5, columns)


def make_hostile(columns: int = 200, classes: int = 50) -> RunRecord:
    """Build a record all of whose names and values try to break out of the page."""
    base = make_multiclass()
    assert base.training
    assert base.cleaning
    assert base.imputation
    draw = random.Random(5)
    names = [f"{HOSTILE} {'very_long_name_' * 12}{i}" for i in range(columns)]
    labels = [f"{HOSTILE} class {i}" for i in range(classes)]
    counts = {label: draw.randint(3, 90) for label in labels}
    confusion = [[draw.randint(0, 3) for _ in labels] for _ in labels]
    score = make_score("network", HOSTILE, 0.5, 0.4, 0.05, confusion)
    checks = [
        make_check(
            HOSTILE,
            HOSTILE,
            name,
            "warning",
            "failed" if i % 2 else "passed",
            HOSTILE,
            HOSTILE,
            share=0.1,
            by=HOSTILE,
            bad=[HOSTILE, f"{name}"],
        )
        for i, name in enumerate(names)
    ]
    shape = base.profiles[1]
    profiles = [
        replace(shape, name=name)
        if i % 2
        else ColumnProfile(
            name,
            "categorical",
            ROWS,
            5,
            0,
            [],
            False,
            [*labels[:12], "(other)"],
            [9] * 13,
            [9] * 13,
        )
        for i, name in enumerate(names)
    ]
    return replace(
        base,
        dataset=HOSTILE,
        version=HOSTILE,
        profiles=profiles,
        sources={HOSTILE: HOSTILE},
        suites={HOSTILE: HOSTILE},
        packages={HOSTILE: HOSTILE},
        config={HOSTILE: dict.fromkeys(names, HOSTILE)},
        features=names,
        seconds={HOSTILE: 1.0},
        ingest=replace(
            base.ingest,
            classes=counts,
            dialect={HOSTILE: HOSTILE},
            columns=[
                ColumnFacts(n, "numeric", HOSTILE, 3, 5, {HOSTILE: 5}, 2, [HOSTILE]) for n in names
            ]
            + [make_column("class", "target", 0, classes)],
            suspicions=[Suspicion(n, HOSTILE, 4, HOSTILE, HOSTILE) for n in names[:20]],
        ),
        raw=ValidationFacts(ROWS, checks, make_verdict("raw", [], warnings=100)),
        repaired=ValidationFacts(ROWS, checks, make_verdict("repaired", [HOSTILE], warnings=100)),
        split=SplitFacts(
            HOSTILE,
            dict.fromkeys(("train", "validation", "test"), counts),
            5,
            900,
            3,
            [HOSTILE] * 9,
        ),
        cleaning=replace(
            base.cleaning,
            changes=[Change(n, HOSTILE, 4, HOSTILE, [HOSTILE]) for n in names],
            fitted=FittedCleaning(
                "class",
                [DroppedColumn(n, HOSTILE) for n in names[:30]],
                {n: Spelling({}, [Typo(n, HOSTILE, 1, HOSTILE, 90, 1, False)]) for n in names[:30]},
                {n: Bound(0, 1, "clip", HOSTILE, 4) for n in names},
                [Leak(n, 0.999, 90, HOSTILE) for n in names[:9]],
            ),
        ),
        imputation=ImputationFacts(
            [Fill(n, HOSTILE, HOSTILE, HOSTILE, 4) for n in names],
            names,
            9,
            12,
            dict.fromkeys(names, 5),
            [Rehearsal(n, 9, [HiddenTrial(HOSTILE, 3, 0.1, 0.0, 0.2)] * 2) for n in names],
        ),
        leftover={HOSTILE: 3},
        drift=make_drift(names, HOSTILE),
        lost_suites=[HOSTILE],
        race=make_race(HOSTILE * 9),
        resampling=ResamplingFacts(HOSTILE, counts, counts, counts, counts, counts, {}, [HOSTILE]),
        training=replace(
            base.training,
            classes=labels,
            target=HOSTILE,
            notes=[HOSTILE],
            scores=[
                score,
                *[replace(s, title=HOSTILE, confusion=confusion) for s in base.training.scores[1:]],
            ],
        ),
    )


def summarise(record: RunRecord) -> Summary:
    """Judge a record of a table."""
    return summary.summarise(record, terms.ROWS)


def render_html(record: RunRecord) -> str:
    """Render a record that is judged first, as a run does."""
    return page.render_html(replace(record, summary=summarise(record)))


def render_markdown(record: RunRecord) -> str:
    """Render a record that is judged first, as a run does."""
    return markdown.render_markdown(replace(record, summary=summarise(record)))


def render_text(record: RunRecord) -> str:
    """Render a record that is judged first, as a run does."""
    return text.render_text(replace(record, summary=summarise(record)))
