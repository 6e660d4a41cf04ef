"""What the terminal shows: of each stage, and of a file by ``assay init``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.diagnosis.reading_findings import describe_lines
from pipeline.diagnosis.wording import write_count
from pipeline.features.layout import load_layout
from pipeline.runs.run import Run
from pipeline.targets.metric_names import MAIN, TITLES

if TYPE_CHECKING:
    from pipeline.ingest.picture_facts import ImageFacts
    from pipeline.scaffold.initialised import Initialised
    from pipeline.splitting.split_facts import NearFacts
    from pipeline.steps.validation import When

WORST = 5
MOST_GUESSES = 12


def tell_initialised(done: Initialised, home: Path) -> None:
    """Print what was inferred, what looks wrong, and what to do next."""
    facts, config = done.facts, done.config
    roles = Counter(column.role for column in facts.columns)
    dialect = [facts.dialect[k] for k in ("format", "encoding") if k in facts.dialect]
    if facts.images is None:
        print(f"\n{facts.rows:,} rows × {len(facts.columns)} columns ({', '.join(dialect)})")
        print("columns   " + ", ".join(f"{count} {role}" for role, count in roles.most_common()))
    else:
        seen = facts.images
        colour = "grey" if seen.channels == 1 else "RGB"
        print(f"\n{facts.rows:,} pictures ({', '.join(dialect)})")
        print(f"taken as  {seen.width} × {seen.height} pixels, {colour}")
    classes = sorted(facts.classes.items(), key=lambda item: -item[1])
    shares = [f"{name} {count:,} ({count / facts.labelled:.1%})" for name, count in classes[:6]]
    more = f" and {len(classes) - 6} more" if len(classes) > 6 else ""
    print(f"target    {config.target}: " + ", ".join(shares) + more)
    if done.copied is not None:
        print(f"copied to {done.copied.relative_to(home)}; later runs read that copy")
    elif done.source.is_relative_to(home):
        print(f"read at   {done.source.relative_to(home)}, by later runs too")
    told = done.guesses
    if told or facts.set_aside:
        print("\nHow it was read, where that is not certain" if told else "\nHow it was read")
    for guess in told[:MOST_GUESSES]:
        print(f"  {'?' if guess.certainty == 'open' else '-'} {guess.describe()}")
    if len(told) > MOST_GUESSES:
        print(f"  - and {len(told) - MOST_GUESSES} more, in dataset.yaml")
    for line in describe_lines(facts.set_aside):
        print(f"  - {line}")
    worries = find_worries(done)
    nothing = "Nothing else looks wrong." if told or facts.set_aside else "Nothing looks wrong."
    print("\nWhat looks wrong" if worries else f"\n{nothing}")
    for worry in worries:
        print(f"  - {worry}")
    count = sum(done.expectations.values())
    print(f"\nWritten in {home}")
    for path, what in zip(done.paths, ("read it, edit it", f"{count} expectations"), strict=True):
        shown = path.relative_to(home) if path.is_relative_to(home) else path
        print(f"  {shown}  ({what})")
    outside = not done.source.is_relative_to(home)
    print(f"\nNext: assay run {config.dataset}{' --allow-outside' if outside else ''}")


def find_worries(done: Initialised) -> list[str]:
    """Say in a line each what may cost accuracy, and what the declaration does about it."""
    facts, config = done.facts, done.config
    noun = "row" if facts.images is None else "picture"
    worries = []
    dropped = config.cleaning.drop_columns
    gaps = [
        c
        for c in facts.columns
        if c.missing and c.name not in dropped and c.role not in ("constant", "target")
    ]
    worst = sorted(gaps, key=lambda column: -column.missing)[:WORST]
    if worst:
        named = ", ".join(f"{c.name} {c.missing / facts.rows:.0%}" for c in worst)
        worries.append(
            f"missing values in {write_count(len(gaps), 'column')}: {named}; they will be imputed"
        )
    for name in dropped:
        missing = next(column.missing for column in facts.columns if column.name == name)
        worries.append(f"{name} is {missing / facts.rows:.0%} missing; it is dropped")
    if facts.images is not None:
        worries += _find_picture_worries(facts.images, done.near)
    hidden = ("constant", "identifier", "text") if facts.images is None else ()
    useless = [c for c in facts.columns if c.role in hidden]
    worries += [f"{c.name} is not learned from ({c.role}: {c.reason})" for c in useless[:WORST]]
    if done.duplicates:
        worries.append(_describe_duplicates(done))
    if done.conflicts and done.near is None:
        worries.append(
            f"{done.conflicts:,} rows have the same features as a row with another label"
        )
    counts = facts.classes.values()
    if max(counts) >= 3 * min(counts):
        worries.append(
            f"classes are imbalanced, {max(counts):,} to {min(counts):,} {noun}s; "
            + (
                "a race finds what helps"
                if config.resampling.method == "auto"
                else f"training is resampled with {config.resampling.method}"
            )
        )
    worries += [
        f"{item.column} holds {item.value!r} {item.count:,} times; {item.advice}"
        for item in facts.suspicions
    ]
    worries += [f"{leak.column} may be a leak: {leak.detail}" for leak in done.cleaning.leaks]
    worries += [
        f"{t.column}: {t.rare!r} ({t.rare_rows}) may be {t.likely!r} mistyped; "
        "set cleaning.spelling.typos to 'apply' to merge them"
        for t in done.cleaning.typos[:WORST]
    ]
    if facts.unlabelled:
        worries.append(
            write_count(facts.unlabelled, "row has", "rows have") + " no label; left out"
        )
    if facts.malformed:
        worries.append(write_count(facts.malformed, "line") + " could not be read; left out")
    return worries


def _describe_duplicates(done: Initialised) -> str:
    """Say what repeats, and in what it may still differ: what is not learned from."""
    if done.facts.images is not None:
        repeats = write_count(done.duplicates, "picture repeats", "pictures repeat")
        return f"{repeats} an earlier one, pixel by pixel; dropped"
    apart = [c.name for c in done.facts.columns if c.role in ("identifier", "text")]
    shown = ", ".join(apart) if len(apart) <= WORST else "columns that are not learned from"
    repeats = write_count(done.duplicates, "row repeats", "rows repeat")
    kept = done.config.cleaning.duplicates == "keep"
    end = "kept, as chance explains them" if kept else "dropped"
    return f"{repeats} an earlier one{f' but for {shown}' if apart else ''}; {end}"


def _find_picture_worries(images: ImageFacts, near: NearFacts | None) -> list[str]:
    worries = [
        f"{write_count(count, 'picture')} left out: {reason}, such as "
        + next((file for file, why in images.set_aside if why == reason), "?")
        for reason, count in images.reasons.items()
    ]
    if near is not None and near.pairs:
        worries.append(
            f"{write_count(near.pairs, 'pair of pictures is', 'pairs of pictures are')} nearly the "
            "same; each group stays in one split"
        )
    if near is not None and near.across_labels:
        worries.append(
            f"{write_count(near.across_labels, 'of them has', 'of them have')} different labels; "
            "one of the two may be wrong"
        )
    return worries


def describe_version(path: Path, before: Path | None = None) -> str:
    """Say in a few words what a version is: how well its network does, what is new about it.

    Parameters
    ----------
    before
        The version that was published before it.
    """
    from pipeline.diagnosis.wording import write_interval
    from pipeline.evaluation.bootstrap import Interval
    from pipeline.storage.store import read_manifest
    from pipeline.upkeep.news import find_news

    manifest = read_manifest(path)
    scores = {score["name"]: score["metrics"] for score in manifest["metrics"]}
    score = Interval(**scores["network"][MAIN])
    said = f"{manifest['rows']['labelled']:,} rows, {TITLES[MAIN].lower()} {write_interval(score)}"
    if before is None:
        return said
    return f"{said}; new: {', '.join(find_news(manifest, read_manifest(before)))}"


def describe_stage(run: Run, name: str) -> str:
    """Say in a few words what a stage did."""
    describe = _WORDS.get(name)
    return describe(run) if describe else ""


def _describe_ingest(run: Run) -> str:
    facts = _read_facts(run, "ingest")
    asides = [f"{facts[k]} {k}" for k in ("unlabelled", "malformed", "unreadable") if facts[k]]
    if run.config.traits.facts_only:
        wide = f" in {write_count(len(facts['classes']), 'class', 'classes')}"
    else:
        wide = f" × {write_count(len(facts['columns']), 'column')}"
    return write_count(facts["labelled"], run.modality.noun) + wide + _join(asides)


def _describe_validation(run: Run, when: When) -> str:
    from pipeline.steps.judge import judge_results
    from pipeline.validation.drift_results import DRIFT_TYPE, UNIT_TYPE

    facts = judge_results(run, when)
    failed = sum(check.status in ("failed", "error") for check in facts.checks)
    judged = sum(check.status != "not applicable" for check in facts.checks)
    planned = facts.planned_repairs
    repair = f", {planned} to be repaired" if planned and when == "raw" else ""
    told = f"{failed} of {judged} expectations fail{repair}"
    compared = {c.column for c in facts.checks if c.type == DRIFT_TYPE and c.status != "error"}
    if not compared:
        return told
    moved = (c for c in facts.checks if c.type in (DRIFT_TYPE, UNIT_TYPE) and c.status == "failed")
    drifted = len(compared & {check.column for check in moved})
    return f"{told}; {drifted or 'none'} of {write_count(len(compared), 'column')} drifted"


def _describe_split(run: Run) -> str:
    counts = _read_facts(run, "split")["counts"]
    return ", ".join(f"{name} {sum(own.values()):,}" for name, own in counts.items())


def _describe_clean(run: Run) -> str:
    facts = _read_facts(run, "clean")
    cells = sum(c["rows"] for c in facts["changes"] if c["column"] != "(rows)")
    aside = f"{write_count(facts['quarantined'], run.modality.noun)} left out"
    if run.config.traits.facts_only:
        return aside
    dropped = write_count(len(facts["fitted"]["dropped"]), "column")
    return f"{write_count(cells, 'value')} repaired, {aside}, {dropped} dropped"


def _describe_impute(run: Run) -> str:
    filled = _read_facts(run, "impute")["filled"]
    return (
        f"{write_count(sum(filled.values()), 'gap')} filled in {write_count(len(filled), 'column')}"
    )


def _describe_encode(run: Run) -> str:
    layout = load_layout(run.address("encode").path)
    size = write_count(len(layout.features), "feature")
    if layout.form is not None:
        size = " × ".join(map(str, layout.form.shape)) + f" numbers a {run.modality.noun}"
    facts = _read_facts(run, "encode")
    rows = ", ".join(f"{name} {count:,}" for name, count in facts["rows"].items())
    lost = sum(facts["leftover"].values()) + sum(facts["unknown_labels"].values())
    return f"{size}; {rows}" + (f" ({lost:,} left out)" if lost else "")


def _describe_race(run: Run) -> str:
    facts = _read_facts(run, "race")
    networks = write_count(facts["fits"], "network")
    return f"chosen: {facts['chosen']}; {networks} trained"


def _describe_resample(run: Run) -> str:
    facts = _read_facts(run, "resample")
    if facts["class_weights"]:
        weights = list(facts["class_weights"].items())[:4]
        return f"{facts['method']}: " + ", ".join(f"{name} × {w:.2g}" for name, w in weights)
    after = ", ".join(f"{name} {count:,}" for name, count in list(facts["after"].items())[:4])
    return f"{facts['method']}: {after}"


def _describe_train(run: Run) -> str:
    facts = _read_facts(run, "train")
    return f"{facts['epochs_run']} epochs, {facts['rows_per_second']:,.0f} rows a second"


_WORDS: dict[str, Callable[[Run], str]] = {
    "ingest": _describe_ingest,
    "validate_raw": lambda run: _describe_validation(run, "raw"),
    "split": _describe_split,
    "clean": _describe_clean,
    "impute": _describe_impute,
    "validate_repaired": lambda run: _describe_validation(run, "repaired"),
    "encode": _describe_encode,
    "race": _describe_race,
    "resample": _describe_resample,
    "train": _describe_train,
}


def _read_facts(run: Run, name: str) -> dict[str, Any]:
    text = (run.address(name).path / "facts.json").read_text(encoding="utf-8")
    facts: dict[str, Any] = json.loads(text)
    return facts


def _join(asides: list[str]) -> str:
    return f" ({', '.join(asides)} left out)" if asides else ""
