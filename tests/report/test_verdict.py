"""The verdict says what the numbers support, and ranks what costs most first."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cleaning.leaks import Leak
from pipeline.diagnosis import class_findings, repair_findings
from pipeline.diagnosis.class_findings import find_recall_interval
from pipeline.diagnosis.drift_findings import find_drift
from pipeline.diagnosis.finding import ORDER, Summary
from pipeline.diagnosis.record import RunRecord
from pipeline.diagnosis.terms import ROWS
from pipeline.diagnosis.wording import (
    count_decimals,
    cut,
    read_difference,
    write_interval,
    write_share,
    write_signed,
)
from pipeline.evaluation.bootstrap import Interval
from pipeline.report.row_counts import count_columns, follow_rows
from pipeline.targets.results import Difference
from pipeline.validation.validation_facts import Check
from tests.report.example import (
    make_drift,
    make_hostile,
    make_multiclass,
    make_published,
    make_stopped,
    render_html,
    summarise,
)

FINITE = st.floats(-1, 1, allow_nan=False)


def with_difference(
    against: str, value: float | None, low: float | None, high: float | None
) -> RunRecord:
    """Build a published run with one paired difference in balanced accuracy."""
    record = make_published()
    assert record.training
    interval = Interval(value, low, high)
    difference = Difference("balanced_accuracy", "network", against, interval, 416)
    return replace(record, training=replace(record.training, differences=[difference]))


def with_training(**changes: Any) -> RunRecord:
    """Build a published run whose training facts differ."""
    record = make_published()
    assert record.training
    return replace(record, training=replace(record.training, **changes))


def find(summary: Summary, words: str) -> list[str]:
    """Find the severities of the findings whose title holds some words."""
    return [finding.severity for finding in summary.findings if words in finding.title]


@given(low=FINITE, high=FINITE)
def test_an_interval_that_holds_zero_is_never_called_better_or_worse(
    low: float, high: float
) -> None:
    """Only an interval wholly on one side of zero tells two learners apart."""
    low, high = min(low, high), max(low, high)
    difference = Difference("accuracy", "network", "x", Interval((low + high) / 2, low, high), 9)
    told = read_difference(difference) in ("better", "worse")
    assert told == (low > 0 or high < 0)


@pytest.mark.parametrize("against", ["gradient_boosting", "network_unrepaired", "majority"])
@pytest.mark.parametrize("bounds", [(-0.05, 0.2), (0.0, 0.3), (-0.3, 0.0)])
def test_a_difference_across_zero_is_not_told_as_one(
    against: str, bounds: tuple[float, float]
) -> None:
    """Neither headline nor findings nor page call it better, worse, helpful or hurtful."""
    record = with_difference(against, sum(bounds) / 2, *bounds)
    summary = summarise(record)
    text = " ".join([summary.headline, *(finding.title for finding in summary.findings)])
    for word in ("better", "worse", "helps", "helped", "hurts", "hurt it"):
        assert word not in text
    assert "network is better" not in render_html(record)


def test_less_is_better_for_brier_and_calibration() -> None:
    """A Brier score clearly below the other's is read as better."""
    less = Interval(-0.1, -0.2, -0.05)
    assert read_difference(Difference("brier", "network", "x", less, 9)) == "better"
    assert read_difference(Difference("accuracy", "network", "x", less, 9)) == "worse"


def test_a_network_clearly_behind_boosting_is_critical() -> None:
    """The paired interval wholly below zero blames the network, and the headline says so."""
    summary = summarise(with_difference("gradient_boosting", -0.07, -0.13, -0.02))
    assert find(summary, "gradient boosting is better") == ["critical"]
    assert "worse than gradient boosting" in summary.headline


def test_repair_that_hurts_is_critical() -> None:
    """The report does not hide that its own repair made things worse."""
    summary = summarise(with_difference("network_unrepaired", -0.07, -0.13, -0.02))
    assert find(summary, "Repair with resampling hurts") == ["critical"]
    assert "repair with resampling hurt it" in summary.headline


@pytest.mark.parametrize(
    ("decisions", "loss", "ending", "told"),
    [
        ((0.02, -0.01, 0.05), (0.04, 0.02, 0.06), "rows, and {} worse for it.", ["warning"]),
        ((0.03, 0.01, 0.05), (0.004, 0.002, 0.006), "helped it, and {} worse for it.", ["info"]),
        ((0.02, -0.01, 0.05), (-0.04, -0.06, -0.02), "rows, and {} better for it.", []),
        ((0.0, 0.0, 0.0), (0.04, 0.02, 0.06), "its decisions, and {} worse for it.", ["warning"]),
        ((0.03, 0.01, 0.05), (-0.04, -0.06, -0.02), "resampling helped it.", []),
        ((0.03, 0.01, 0.05), (0.01, -0.02, 0.06), "resampling helped it.", []),
    ],
)  # fmt: skip
def test_what_repair_does_to_probabilities_is_told_where_it_differs(
    decisions: tuple[float, float, float],
    loss: tuple[float, float, float],
    ending: str,
    told: list[str],
) -> None:
    """Decisions that hold up don't hide probabilities that got worse."""
    record = with_training(
        differences=[
            Difference(
                "balanced_accuracy", "network", "network_unrepaired", Interval(*decisions), 416
            ),
            Difference("log_loss", "network", "network_unrepaired", Interval(*loss), 416),
        ]
    )
    summary = summarise(record)
    assert summary.headline.endswith(ending.format("its probabilities are"))
    assert find(summary, "probabilities worse") == told
    for finding in summary.findings:
        if "probabilities worse" in finding.title:
            assert finding.detail.startswith(
                "Log loss, network minus the same network without it: +0.0"
            )


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("smotenc", "gaps at the mean. Its rows were not resampled either."),
        ("threshold", "gaps at the mean. Its decisions were moved by weights of its own, too."),
        ("none", "gaps at the mean."),
    ],
)
def test_what_the_network_without_repair_was_is_said(method: str, said: str) -> None:
    """It is another one where rows were resampled than where they were not."""
    record = make_published()
    assert record.resampling
    record = replace(record, resampling=replace(record.resampling, method=method))
    assert repair_findings.explain_unrepaired(record).endswith(said)
    assert said in render_html(record)
    alone = with_training(scores=record.training.scores[:1] if record.training else [])
    assert repair_findings.explain_unrepaired(alone) == ""


def test_a_repair_that_changed_nothing_is_not_said_to_be_uncertain() -> None:
    """Equal decisions on every row need no more test rows to be told apart."""
    summary = summarise(with_difference("network_unrepaired", 0.0, 0.0, 0.0))
    assert find(summary, "Repair with resampling changes none of the network's") == ["info"]
    assert summary.headline.endswith("; repair with resampling changed none of its decisions.")


@pytest.mark.parametrize(("rows", "told"), [(22, ["info"]), (49, ["info"]), (50, []), (4, [])])
def test_few_test_rows_that_were_all_found_are_told(rows: int, told: list[str]) -> None:
    """A bootstrap of rows that were all found shows no spread, and the report says so."""
    record = make_published()
    assert record.training
    score = replace(record.training.scores[0], confusion=[[rows, 0], [13, 371]])
    record = with_training(scores=[score, *record.training.scores[1:]])
    summary = summarise(record)
    assert find(summary, f"All {rows} test rows of class") == told
    if rows == 22:
        details = [f.detail for f in summary.findings if f.title.startswith("All 22")]
        assert "class, 85" in details[0].replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(("value", "told"), [(0.9986, ["warning"]), (0.994, [])])
def test_a_score_that_is_too_good_is_doubted(value: float, told: list[str]) -> None:
    """Where no leak was found, a network that is nearly always right asks for a look."""
    record = make_published()
    assert record.training
    assert record.cleaning
    score = record.training.scores[0]
    metrics = score.metrics | {"balanced_accuracy": Interval(value, value - 0.001, 1.0)}
    clean = replace(record.cleaning, fitted=replace(record.cleaning.fitted, leaks=[]))
    training = replace(record.training, scores=[replace(score, metrics=metrics)])
    summary = summarise(replace(record, cleaning=clean, training=training))
    assert find(summary, "The network is nearly always right") == told


def test_features_are_told_with_the_columns_that_they_are_made_of() -> None:
    """Columns that cleaning dropped, or that can't be learned from, are not among them."""
    record = make_published()
    assert record.cleaning
    gone = {column.name for column in record.cleaning.fitted.dropped}
    used = [name for name in record.ingest.schema.features if name not in gone]
    assert 0 < count_columns(record) == len(used) < len(record.ingest.columns) - 1
    assert f"from {len(used)} of {len(record.ingest.columns) - 1} columns" in render_html(record)


def test_a_repair_that_costs_little_is_a_note() -> None:
    """A significant difference of less than 0.01 is no reason to turn repairs off."""
    record = make_published()
    assert record.training
    slight = Difference(
        "balanced_accuracy", "network", "network_unrepaired", Interval(-0.006, -0.01, -0.003), 416
    )
    training = replace(record.training, differences=[slight])
    (finding,) = repair_findings.compare_repair(replace(record, training=training), ROWS)
    assert finding.severity == "info"
    assert "resampling.method" not in finding.action  # a race chose it


def test_false_alarms_of_a_class_that_is_decided_for_early_are_told() -> None:
    """Seven hits among 246 are worth a warning where thresholds were moved, and only there."""
    record = make_published()
    assert record.training
    score = replace(record.training.scores[0], confusion=[[7, 3], [239, 656]])
    training = replace(record.training, scores=[score, *record.training.scores[1:]])
    (finding,) = class_findings.find_false_alarms(replace(record, training=training), ROWS)
    assert finding.title == "Of the 246 test rows taken for 'hypothyroid', 7 are"
    plain = replace(training, decision=replace(training.decision, multipliers=[1.0, 1.0]))
    assert not list(class_findings.find_false_alarms(replace(record, training=plain), ROWS))


def test_a_class_that_is_not_found_is_compared_with_the_one_it_is_taken_for() -> None:
    """Both classes are named: the one that is missed, and the one that the network says instead."""
    record = make_published()
    assert record.training
    score = replace(record.training.scores[0], confusion=[[0, 20], [6, 890]])
    training = replace(record.training, scores=[score, *record.training.scores[1:]])
    found = list(class_findings.judge_classes(replace(record, training=training), ROWS))
    first, second = record.training.classes
    assert f"Compare the features of '{first}' and '{second}'; " in found[0].action


def test_the_target_of_the_test_rows_is_named_as_one() -> None:
    """A target that is called class does not read as a word of the sentence."""
    record = make_published()
    assert record.training
    assert record.training.target == "class"
    assert re.search(r"never trained on; target: .*class", render_html(record))


def test_a_network_that_learned_nothing_is_critical() -> None:
    """A network that can't be told from the majority class is the first thing to say."""
    summary = summarise(with_difference("majority", 0.01, -0.02, 0.04))
    assert find(summary, "not distinguishable from always answering") == ["critical"]
    assert "not distinguishable from always answering the largest class" in summary.headline


def test_undefined_differences_say_nothing() -> None:
    """A metric that is not defined leads to no finding about better or worse."""
    summary = summarise(with_difference("gradient_boosting", None, None, None))
    assert find(summary, "gradient boosting") == []
    assert "gradient boosting" not in summary.headline


def test_findings_are_ranked_by_severity() -> None:
    """Critical findings go first, then warnings, then notes."""
    for record in (make_published(), make_multiclass(), make_stopped(), make_hostile()):
        ranks = [ORDER[finding.severity] for finding in summarise(record).findings]
        assert ranks == sorted(ranks)


def test_each_warning_says_what_it_rests_on() -> None:
    """A critical finding or a warning has numbers or names behind it."""
    for record in (make_published(), make_multiclass(), make_stopped()):
        for finding in summarise(record).findings:
            assert finding.title
            assert finding.detail


def test_a_gate_stop_goes_first_with_its_reasons() -> None:
    """A stopped run leads with why it stopped and what to do."""
    summary = summarise(make_stopped())
    assert summary.state == "stopped"
    assert "stopped this run before anything was learned" in summary.headline
    assert summary.findings[0].title == "weight: the column is there; found absent"
    assert "expectations/hypothyroid/" in summary.findings[0].action


def test_a_validation_that_passed_was_not_stopped() -> None:
    """Raw validation alone publishes nothing, but no gate stopped it."""
    record = make_stopped()
    passed = replace(record.raw, verdict=replace(record.raw.verdict, passed=True, reasons=[]))
    summary = summarise(replace(record, raw=passed))
    assert summary.state == "validated"
    assert "passed the gate" in summary.headline


def test_a_dropped_leak_is_only_noted() -> None:
    """A leak that was left out costs no trust any more."""
    record = make_multiclass()
    assert record.cleaning
    fitted = record.cleaning.fitted
    leak = Leak(fitted.dropped[0].name, 0.999, 99, "")
    dropped = replace(record.cleaning, fitted=replace(fitted, leaks=[leak]))
    assert find(summarise(record), "alone gives the label away") == ["critical"]
    assert find(summarise(replace(record, cleaning=dropped)), "gave the label away") == ["info"]


def test_taken_disguises_are_no_finding() -> None:
    """A value that is declared missing is settled; one that is not is a warning."""
    titles = [finding.title for finding in summarise(make_published()).findings]
    assert "'-1' in 'T3' may mean missing" in titles
    assert not [title for title in titles if "999" in title]


@pytest.mark.parametrize(
    ("rows", "severity"), [(0, []), (20, ["info"]), (60, ["warning"]), (300, ["critical"])]
)
def test_conflicting_labels_weigh_by_their_share(rows: int, severity: list[str]) -> None:
    """Contradicting rows bound what any model can reach."""
    record = make_published()
    assert record.split
    split = replace(record.split, conflicts=rows)
    assert find(summarise(replace(record, split=split)), "but another label") == severity


def test_a_wide_interval_is_a_warning() -> None:
    """Few test rows, or few of one class, are named as the reason that a score says little."""
    assert find(summarise(make_multiclass()), "are too few for a score") == ["warning"]
    record = make_published()
    assert record.training is not None
    wide = [
        replace(score, metrics=score.metrics | {"balanced_accuracy": Interval(0.8, 0.6, 0.95)})
        for score in record.training.scores
    ]
    assert find(summarise(with_training(scores=wide)), "few for a precise score") == ["warning"]


def test_a_loss_that_is_no_number_is_critical() -> None:
    """A diverged training is told, and nothing else is read from its history."""
    history = {"loss": [0.4, float("nan")], "val_loss": [0.4, float("nan")]}
    record = with_training(history=history, best_epoch=1)
    assert find(summarise(record), "stopped being a number") == ["critical"]
    assert "Network</h2>" in render_html(record)


def test_overfitting_is_told_by_the_gap_at_the_best_epoch() -> None:
    """A validation loss far above the training loss, with accuracy apart, is overfitting."""
    history = {
        "loss": [0.1] * 5,
        "val_loss": [0.5] * 5,
        "accuracy": [0.99] * 5,
        "val_accuracy": [0.8] * 5,
    }
    record = with_training(history=history, best_epoch=3, epochs_run=5)
    assert find(summarise(record), "overfits") == ["warning"]


def test_training_cut_off_while_improving_is_told() -> None:
    """If the last planned epoch was the best, more epochs may help."""
    record = with_training(
        best_epoch=30, epochs_run=30, history={"loss": [1.0] * 30, "val_loss": [1.0] * 30}
    )
    assert find(summarise(record), "cut off while it still improved") == ["warning"]
    early = with_training(best_epoch=21, epochs_run=21)
    assert find(summarise(early), "cut off") == []


def test_an_empty_history_says_nothing() -> None:
    """Without a history nothing is said about its course."""
    record = with_training(history={}, scores=[], differences=[])
    assert find(summarise(record), "overfit") == []
    assert "not defined" in summarise(record).headline
    assert render_html(record)


def test_a_class_that_is_never_found_is_critical() -> None:
    """A class with test rows of which none is found is named with its rows."""
    record = make_published()
    assert record.training
    lost = replace(record.training.scores[0], confusion=[[0, 32], [0, 384]])
    summary = summarise(with_training(scores=[lost, *record.training.scores[1:]]))
    assert find(summary, "finds 0 of the 32 test rows of class 'hypothyroid'") == ["critical"]


@pytest.mark.parametrize("make", [make_published, make_multiclass])
def test_rows_add_up(make: Any) -> None:
    """What was read, less what was lost, is what was used, and the splits add up to it."""
    outcomes = follow_rows(make())
    end = next(i for i, outcome in enumerate(outcomes) if outcome.name == "used")
    lost = sum(outcome.rows for outcome in outcomes[:end] if outcome.kind == "lost")
    assert outcomes[0].rows - lost == outcomes[end].rows
    assert (
        sum(outcome.rows for outcome in outcomes if outcome.kind == "split") == outcomes[end].rows
    )


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_share_always_lies_in_its_interval(hits: int, more: int) -> None:
    """Wilson's interval holds the share and stays within 0 and 1."""
    rows = hits + more
    low, high = find_recall_interval(hits, rows)
    assert 0 <= low <= hits / rows + 1e-12
    assert hits / rows - 1e-12 <= high <= 1


@given(low=st.floats(0, 1), width=st.floats(1e-6, 1))
def test_digits_follow_the_interval(low: float, width: float) -> None:
    """Numbers carry two to four decimals; a narrower interval never carries fewer."""
    digits = count_decimals(low, low + width)
    assert 2 <= digits <= 4
    assert count_decimals(low, low + width / 100) >= digits


def test_a_bound_beside_zero_is_not_rounded_to_zero() -> None:
    """A difference that is told as one shows why: its interval leaves out zero in print too."""
    assert write_signed(Interval(0.04, 0.0012, 0.08)) == "+0.040 (+0.001 to +0.080)"


def test_short_of_perfect_is_not_printed_as_perfect() -> None:
    """0.999 is not 1.00, and one row short of all is not 100 %."""
    assert write_interval(Interval(0.997, 0.95, 1.0)).startswith("0.997")
    assert write_share(3771, 3772) == ">\xa099.9\xa0%"


@given(st.text(max_size=80), st.integers(4, 60))
def test_cut_bounds_the_length(text: str, length: int) -> None:
    """A cut text is never longer than asked for, and a short one without line ends is kept."""
    assert len(cut(text, length)) <= length
    if len(text) <= length and not {"\n", "\r", "\t"} & set(text):
        assert cut(text, length) == text


def test_drift_is_told_the_label_and_units_first() -> None:
    """With what it was and is; a change of unit is critical; nothing where nothing fired."""
    names = ["steady", "drifted", "also steady", "length", "still", "weight", "calm", "class"]
    record = replace(make_published(), drift=make_drift(names, "v1"))
    assert record.drift is not None
    found = list(find_drift(record, ROWS))
    assert found[0].severity == "critical"
    assert found[0].title == "'length' is 1.609 times what it was since version v1"
    assert found[1].title.startswith("'class' has drifted")
    assert found[1].severity == "warning"
    assert [finding.title for finding in found[3:]] == ["1 more column has drifted"]
    mild = replace(record.drift, columns=[
        replace(column, severity="info", unit_severity="info") for column in record.drift.columns
    ])  # fmt: skip
    assert {finding.severity for finding in find_drift(replace(record, drift=mild), ROWS)} == {
        "info"
    }
    steady = replace(record, drift=make_drift(["steady"], "v1"))
    assert list(find_drift(steady, ROWS)) == []
    assert list(find_drift(replace(record, drift=None), ROWS)) == []


def test_a_unit_that_stopped_the_run_is_told_once() -> None:
    """As the gate's reason, with the way to let it through."""
    record = make_published()
    check = Check(
        "drift", "expect_column_unit_to_be_unchanged", "length", "critical", "failed",
        "in the unit of the last accepted refresh", "the numbers are 1.609 times what they were",
    )  # fmt: skip
    reason = f"length: {check.rule}; found {check.observed}"
    raw = replace(
        record.raw,
        checks=[check],
        verdict=replace(record.raw.verdict, passed=False, reasons=[reason]),
    )
    drift = make_drift(["a", "b", "c", "length"], "v1")
    stopped = replace(record, version=None, raw=raw, repaired=None, training=None, drift=drift)
    told = [f for f in summarise(stopped).findings if "length" in f.title]
    assert len(told) == 1
    assert "--set drift.units=warning" in told[0].action


def test_new_columns_and_drift_that_stopped_the_run_are_told_once() -> None:
    """A new column by name; a column whose drift is a reason of the gate not again."""
    record = make_published()
    drift = replace(make_drift(["a", "drifted"], "v1"), new=["extra"])
    found = [finding.title for finding in find_drift(replace(record, drift=drift), ROWS)]
    assert found[0] == "1 new column: 'extra'"
    assert len(found) == 2
    reason = "drifted: distributed as in the last accepted refresh; found Wasserstein 9"
    verdict = replace(record.raw.verdict, passed=False, reasons=[reason])
    stopped = replace(record, drift=drift, raw=replace(record.raw, verdict=verdict))
    assert [finding.title for finding in find_drift(stopped, ROWS)] == found[:1]


def test_a_suite_that_is_gone_is_told() -> None:
    """What it guarded is guarded no more."""
    record = replace(make_published(), lost_suites=["outliers.json"])
    assert find(summarise(record), "1 suite is gone that judged the current version") == ["warning"]
