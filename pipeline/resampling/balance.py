"""The stage: class balance of the training split.

Rows are resampled in the space of model-ready features, where distances mean something. Synthetic
rows carry ``origin`` 'synthetic' and an id of their own; no other split is ever touched. All that
is drawn depends on the root seed and the rows' ids, so the order of the source's rows changes
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.settings import ResamplingConfig
from pipeline.dataset import Features, TrainFeatures, draw_uniform
from pipeline.errors import StageError, name_examples, name_near_misses

COPYING = ("random_over", "augment")
ENN_NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class ResamplingFacts:
    """Class counts before and after, and how they came about.

    Attributes
    ----------
    balanced
        What classes were brought to; rows that are cleaned away for their neighbours come after it.
    """

    method: str
    before: dict[str, int]
    balanced: dict[str, int]
    after: dict[str, int]
    synthetic: dict[str, int]
    removed: dict[str, int]
    class_weights: dict[str, float]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Resampled:
    """The resampled training split.

    Attributes
    ----------
    rows
        Originals first, in their order, then synthetic rows by class.
    origin
        Shape ``(n,)``, text: ``original`` or ``synthetic``.
    weights
        Shape ``(n,)``, float32: the weight of each row in the loss.
    """

    rows: Features
    origin: np.ndarray
    weights: np.ndarray
    facts: ResamplingFacts


def resample(train: TrainFeatures, config: ResamplingConfig, *, seed: int) -> Resampled:
    """Change the class balance of the training split as configured.

    Parameters
    ----------
    train
        Model-ready training rows.
    seed
        Root seed; each class draws from a stream of its own.

    Raises
    ------
    StageError
        If a class is too small for SMOTE and no fallback is declared, or ``counts`` names an
        unknown class or asks a method for what it can't do.
    """
    if config.method == "auto":
        raise StageError(
            "resampling", "resampling.method is 'auto', which 1 resampling can't be: it is a race "
            "of several, run by a whole refresh",
            "Run `assay run`, or name a method",
        )  # fmt: skip
    rows = train.rows
    before = _count(rows.labels)
    notes: list[str] = []
    weights = _balance_weights(before) if config.method == "class_weight" else {}
    if config.method in ("none", "threshold", "class_weight"):
        picked, added, added_labels = np.arange(len(rows.labels)), None, None
        balanced = before
    else:
        wanted = _set_counts(before, config)
        if len(before) < 2 and config.method not in ("random_over", "random_under", "augment"):
            raise StageError(
                "resampling", f"the training split's {len(rows.labels)} rows hold "
                f"{len(before)} class ({name_examples(before)}), and {config.method} needs 2",
                "Set resampling.method to 'none', or add rows of another class",
            )  # fmt: skip
        draws = draw_uniform(pd.Series(rows.row_ids), "resampling", seed)
        order = np.argsort(draws, kind="stable")
        shuffled = TrainFeatures(_take(rows, order), train.blocks)
        picked, added, added_labels, balanced = _sample(shuffled, config, wanted, seed, notes)
        picked = np.sort(order[picked])
    kept = _take(rows, picked)
    origin = np.full(len(picked), "original", dtype=object)
    result = kept
    if added is not None and added_labels is not None and len(added):
        result = Features(
            np.append(kept.row_ids, _name_synthetic(added_labels, seed)),
            np.concatenate([kept.values, added.astype(kept.values.dtype)]),
            np.append(kept.labels, added_labels),
        )
        origin = np.append(origin, np.full(len(added), "synthetic", dtype=object))
    after = _count(result.labels)
    left = _count(kept.labels)
    facts = ResamplingFacts(
        config.method,
        before,
        balanced,
        after,
        {
            name: after[name] - left.get(name, 0)
            for name in after
            if after[name] > left.get(name, 0)
        },
        {
            name: before[name] - left.get(name, 0)
            for name in before
            if before[name] > left.get(name, 0)
        },
        weights,
        notes,
    )
    per_row = np.array([weights.get(str(label), 1.0) for label in result.labels], dtype=np.float32)
    return Resampled(result, origin, per_row, facts)


def _sample(
    train: TrainFeatures,
    config: ResamplingConfig,
    wanted: dict[str, int],
    seed: int,
    notes: list[str],
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, dict[str, int]]:
    """Return the positions of kept originals, added rows with their labels, and the balance.

    ``train`` is in the order of its draws; the balance is that before rows are cleaned away.
    """
    rows = train.rows
    before = _count(rows.labels)
    if config.method == "random_under":
        picked = _pick_under(rows.labels, wanted)
        return picked, None, None, _count(rows.labels[picked])
    if config.method in ("tomek", "enn"):
        return _pick_clean(rows.values, rows.labels, config), None, None, before
    grow = {name: count for name, count in wanted.items() if count > before[name]}
    shrink = {name: min(count, before[name]) for name, count in wanted.items()}
    picked = _pick_under(rows.labels, shrink)
    base = _take(rows, picked)
    plain = grow if config.method in COPYING else _find_too_small(base, grow, config, notes)
    if config.fallback == "none":
        grow = {
            name: c for name, c in grow.items() if name not in plain or config.method in COPYING
        }
        plain = {name: c for name, c in plain.items() if name in grow}
    neighbourly = {name: count for name, count in grow.items() if name not in plain}
    added, labels = _copy(base, plain, seed)
    if neighbourly:
        synthetic, names = _synthesise(base, train.blocks, neighbourly, config, seed)
        added, labels = np.concatenate([added, synthetic]), np.append(labels, names)
    balanced = _count(np.append(base.labels, labels))
    if config.method in ("smote_tomek", "smote_enn"):
        everything = np.concatenate([base.values, added])
        stays = _pick_clean(everything, np.append(base.labels, labels), config)
        picked, kept_added = (
            picked[stays[stays < len(picked)]],
            stays[stays >= len(picked)] - len(picked),
        )
        added, labels = added[kept_added], labels[kept_added]
    order = np.argsort(labels.astype(str), kind="stable")
    return picked, added[order], labels[order], balanced


def refuse_unknown_counts(config: ResamplingConfig, classes: Collection[str]) -> None:
    """Refuse wanted rows of a class that training does not have.

    Raises
    ------
    StageError
        If there is such a class.
    """
    unknown = [name for name in config.counts if name not in classes]
    if unknown:
        raise StageError(
            "resampling",
            f"resampling.counts names the class {unknown[0]!r}, which has 0 training rows",
            f"Correct it: {name_near_misses(unknown[0], classes)}",
        )  # fmt: skip


def _set_counts(before: dict[str, int], config: ResamplingConfig) -> dict[str, int]:
    """Work out the wanted rows of each class."""
    refuse_unknown_counts(config, before)
    if config.method == "random_under":
        smallest = min(before.values())
        limit = round(smallest / config.ratio)
        wanted = {name: min(count, limit) for name, count in before.items()}
    else:
        largest = max(before.values())
        wanted = {n: max(c, round(config.ratio * largest)) for n, c in before.items()}
    wanted |= config.counts
    for name, count in wanted.items():
        over = config.method == "random_under" and count > before[name]
        if count < 1 or over:
            raise StageError(
                "resampling", f"resampling.counts asks for {count} rows of class '{name}', "
                f"which has {before[name]}; {config.method} can't do that",
                "Ask for at least 1 row" if count < 1 else "Ask for fewer rows, or oversample",
            )  # fmt: skip
    return wanted


def _find_too_small(
    base: Features, grow: dict[str, int], config: ResamplingConfig, notes: list[str]
) -> dict[str, int]:
    """Find classes with too few rows for SMOTE; refuse them unless a fallback is declared."""
    have, need = _count(base.labels), config.k_neighbors + 1
    small = {name: count for name, count in grow.items() if have[name] < need}
    for name in small:
        if config.fallback == "error":
            raise StageError(
                "resampling",
                f"class '{name}' has {have[name]} training rows but {config.method.upper()} with "
                f"k_neighbors={config.k_neighbors} needs {need}",
                "Set resampling.fallback to 'random_over'"
                + (f", or k_neighbors to {have[name] - 1} or less" if have[name] > 2 else ""),
            )
        what = (
            "its rows were repeated" if config.fallback == "random_over" else "it was left as it is"
        )
        notes.append(
            f"class '{name}' has {have[name]} training rows, too few for SMOTE with "
            f"k_neighbors={config.k_neighbors}; {what}"
        )
    return small


def _synthesise(
    base: Features,
    blocks: tuple[tuple[int, ...], ...],
    wanted: dict[str, int],
    config: ResamplingConfig,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Make synthetic rows, class by class, each from a random stream of its own."""
    from pipeline.neighbours.estimator import NearestNeighbors
    from pipeline.resampling.categories import SMOTEN, SMOTENC
    from pipeline.resampling.samplers import SMOTE

    mixed = config.method == "smotenc" and blocks
    table, restore = _collapse(base.values, blocks) if mixed else (base.values, None)
    onehot = [] if mixed else _find_onehot(base.values, blocks)
    near = NearestNeighbors(n_neighbors=config.k_neighbors + 1, onehot=onehot)
    added, labels = [], []
    # Numbers, since names are sorted by comparing Python's own texts: 1.6 s of 230,000.
    codes, names = pd.factorize(base.labels)
    for name, count in sorted(wanted.items()):
        code = int(np.flatnonzero(names == name)[0])
        rows, classes = table, codes
        options: dict[str, Any] = {
            "sampling_strategy": {code: count},
            "random_state": _seed_class(seed, name),
        }
        sampler = SMOTE(k_neighbors=near, **options)
        if restore is not None:
            numeric = table.shape[1] - len(blocks)
            categorical = list(range(numeric, table.shape[1]))
            options["k_neighbors"] = config.k_neighbors
            # SMOTENC wants at least one number; SMOTEN is its sibling for categories alone.
            sampler = (
                SMOTENC(categorical_features=categorical, **options)
                if numeric
                else SMOTEN(**options)
            )
        else:
            # SMOTE looks at one class alone, but asks for another.
            chosen = np.append(np.flatnonzero(codes == code), np.argmax(codes != code))
            rows, classes = table[chosen], codes[chosen]
        synthetic = np.asarray(sampler.fit_resample(rows, classes)[0])[len(rows) :]
        added.append(synthetic if restore is None else restore(synthetic))
        labels += [name] * len(synthetic)
    return np.concatenate(added), np.array(labels, dtype=object)


def _find_onehot(values: np.ndarray, blocks: tuple[tuple[int, ...], ...]) -> list[tuple[int, ...]]:
    """Find the blocks that are one-hot: several features, one of them 1 in each row."""
    found = []
    for block in blocks:
        part = values[:, block]
        if len(block) > 1 and ((part == 0) | (part == 1)).all() and (part.sum(axis=1) == 1).all():
            found.append(block)
    return found


def _collapse(values: np.ndarray, blocks: tuple[tuple[int, ...], ...]) -> tuple[np.ndarray, Any]:
    """Turn each block into one column of codes, as SMOTENC wants it; also return the way back."""
    in_blocks = {position for block in blocks for position in block}
    numeric = [p for p in range(values.shape[1]) if p not in in_blocks]
    levels = [np.unique(values[:, block], axis=0, return_inverse=True) for block in blocks]
    codes = [inverse.reshape(-1, 1).astype(np.float64) for _, inverse in levels]
    table = np.concatenate([values[:, numeric].astype(np.float64), *codes], axis=1)

    def restore(rows: np.ndarray) -> np.ndarray:
        result = np.empty((len(rows), values.shape[1]), dtype=np.float32)
        result[:, numeric] = rows[:, : len(numeric)]
        for i, (block, (known, _)) in enumerate(zip(blocks, levels, strict=True)):
            result[:, block] = known[rows[:, len(numeric) + i].astype(np.int64)]
        return result

    return table, restore


def _copy(base: Features, wanted: dict[str, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeat rows of a class, chosen at random with replacement."""
    positions: list[int] = []
    for name, count in sorted(wanted.items()):
        members = np.flatnonzero(base.labels == name)
        draw = np.random.default_rng(_seed_class(seed, name))
        positions += draw.choice(members, count - len(members)).tolist()
    return base.values[positions], base.labels[positions]


def _pick_under(labels: np.ndarray, wanted: dict[str, int]) -> np.ndarray:
    """Keep the first rows of each class, as many as are wanted: they come in a random order."""
    place = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    limits = pd.Series(labels).map(wanted).to_numpy()
    return np.flatnonzero(place < limits)


def _pick_clean(values: np.ndarray, labels: np.ndarray, config: ResamplingConfig) -> np.ndarray:
    """Leave out rows of large classes that lie among another class (Tomek 1976; Wilson 1972)."""
    from pipeline.resampling.samplers import EditedNearestNeighbours, TomekLinks

    need = ENN_NEIGHBOURS + 1 if config.method.endswith("enn") else 2
    if len(values) < need:
        raise StageError(
            "resampling", f"{config.method} needs {need} training rows, and there are "
            f"{len(values)}", "Set resampling.method to 'none', or add rows",
        )  # fmt: skip
    combined = config.method.startswith("smote")
    strategy = "all" if combined else "not minority"
    cleaner: Any = TomekLinks(sampling_strategy=strategy)
    if config.method.endswith("enn"):
        cleaner = EditedNearestNeighbours(sampling_strategy=strategy, n_neighbors=ENN_NEIGHBOURS)
    cleaner.fit_resample(values, labels)
    stays = np.sort(cleaner.sample_indices_)
    gone = set(labels) - set(labels[stays])
    if gone:
        name = sorted(gone)[0]
        raise StageError(
            "resampling",
            f"{config.method} leaves 0 of {int((labels == name).sum())} rows of class '{name}'",
            "Set resampling.method to 'random_over' or 'class_weight'",
        )  # fmt: skip
    return np.asarray(stays)


def _balance_weights(counts: dict[str, int]) -> dict[str, float]:
    """Weigh classes so that each has the same total (King and Zeng 2001)."""
    total = sum(counts.values())
    return {name: total / (len(counts) * count) for name, count in counts.items()}


def _take(rows: Features, positions: np.ndarray) -> Features:
    return Features(rows.row_ids[positions], rows.values[positions], rows.labels[positions])


def _count(labels: np.ndarray) -> dict[str, int]:
    return {str(n): int(c) for n, c in pd.Series(labels).value_counts().sort_index().items()}


def _seed_class(seed: int, name: str) -> int:
    """Derive a seed for a class, so that no two classes draw the same stream."""
    digest = hashlib.sha256(f"resampling:{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _name_synthetic(labels: np.ndarray, seed: int) -> np.ndarray:
    """Give synthetic rows ids that no original has."""
    number = pd.Series(labels).groupby(labels).cumcount()
    return np.array(
        [
            "synthetic-" + hashlib.sha256(f"{seed}:{name}:{i}".encode()).hexdigest()[:22]
            for name, i in zip(labels, number, strict=True)
        ],
        dtype=object,
    )
