"""Networks build, learn, stop and come back, whatever the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.config.image import AugmentationConfig
from pipeline.config.settings import TrainingConfig
from pipeline.errors import StageError
from pipeline.features.layout import Layout
from pipeline.features.splits import Split
from pipeline.targets.weights import balance_classes
from pipeline.training.fit import Fitted, fit_network, predict
from pipeline.training.networks import build_network
from pipeline.training.row_networks import build_inputs, feed
from pipeline.training.schedules import Triangle, build_schedule

LAYOUT = Layout("class", ("no", "yes"), ("a", "b", "c", "d"))


def make_split(rows: int, seed: int, noise: float = 0.2) -> Split:
    """Two classes that a small network can tell apart."""
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((rows, 4)).astype(np.float32)
    labels = (values[:, 0] + noise * generator.standard_normal(rows) > 0).astype(np.int32)
    ones = np.ones(rows, np.float32)
    return Split(np.arange(rows), values, labels, ones, np.ones(rows, bool))


def fit(rows: int = 100, seed: int = 0, noise: float = 0.2, **knobs: Any) -> Fitted:
    """Fit a small network on a small problem."""
    config = TrainingConfig(**{"hidden": (8,), "epochs": 2, **knobs})
    return fit_network(
        lambda: build_network(LAYOUT, config, seed, build_inputs),
        feed(make_split(rows, 1, noise), config, 2, seed, AugmentationConfig()),
        make_split(60, 2, noise),
        config,
        seed=seed,
    )


KNOBS = [
    *({"activation": name} for name in ("leaky_relu", "elu", "selu", "gelu", "sigmoid", "tanh")),
    *({"optimizer": name} for name in ("rmsprop", "sgd")),
    *({"schedule": name} for name in ("reduce_on_plateau", "cosine_restarts", "cyclical")),
    {"hidden": (), "dropout": 0.0, "l2": 0.0, "class_weight": "balanced"},
]


@pytest.mark.parametrize("knobs", KNOBS, ids=lambda knobs: "-".join(map(str, knobs.values())))
def test_every_choice_trains_and_reloads(knobs: dict[str, Any], tmp_path: Path) -> None:
    """Each choice learns, and plain Keras loads the model and predicts the same."""
    fitted = fit(epochs=1, **knobs)
    fitted.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    values = make_split(50, 3).values
    assert np.array_equal(predict(fitted.model, values), predict(loaded, values))
    assert fitted.history["learning_rate"]
    assert {len(series) for series in fitted.history.values()} == {1}


def test_a_seed_decides_the_network() -> None:
    """The same seed gives the same weights and history; another seed gives others."""
    first, second, other = fit(), fit(), fit(seed=1)
    for one, two in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        assert np.array_equal(one, two)
    assert first.history == second.history
    assert first.history != other.history


def test_blocks_learn_what_keras_learns() -> None:
    """The loop inside the graph ends at the loss that Keras's own loop ends at."""
    config = TrainingConfig(hidden=(8,), dropout=0.0, epochs=8, early_stopping=0)
    train, validation = make_split(330, 1), make_split(100, 2)
    plain = build_network(LAYOUT, config, 0, build_inputs)
    kept = plain.fit(train.values, train.labels, batch_size=32, epochs=8, verbose=0).history
    ours = fit_network(
        lambda: build_network(LAYOUT, config, 0, build_inputs),
        feed(train, config, 2, 0, AugmentationConfig()),
        validation,
        config,
        seed=0,
    ).history
    # They differ in the order of the rows only.
    assert ours["loss"][-1] == pytest.approx(kept["loss"][-1], rel=0.05)
    assert ours["accuracy"][-1] == pytest.approx(kept["accuracy"][-1], abs=0.05)


def test_the_best_weights_are_kept() -> None:
    """A fit that gets worse stops early, with the weights of its lowest validation loss."""
    fitted = fit(
        rows=40, noise=3.0, hidden=(64,), learning_rate=0.03, epochs=60, early_stopping=4,
        dropout=0.0, l2=0.0,
    )  # fmt: skip
    losses = fitted.history["val_loss"]
    assert fitted.epochs_run == len(losses) < 60
    assert fitted.best_epoch == int(np.argmin(losses)) + 1 < fitted.epochs_run
    validation = make_split(60, 2, 3.0)
    chosen = predict(fitted.model, validation.values)[np.arange(60), validation.labels]
    assert -np.log(chosen).mean() == pytest.approx(min(losses), rel=1e-4)


def test_a_diverging_fit_names_the_learning_rate() -> None:
    """A loss that is no number ends the fit with an error that says what to set."""
    with pytest.raises(StageError, match=r"became (nan|inf).*Set training\.learning_rate"):
        fit(optimizer="sgd", learning_rate=1e30, activation="relu", epochs=5)


def test_the_rate_of_each_epoch_is_recorded() -> None:
    """Schedules move the recorded rate; a constant one stays."""
    assert len(set(fit(epochs=4).history["learning_rate"])) == 1
    rates = fit(epochs=4, schedule="cyclical").history["learning_rate"]
    assert rates[1] == max(rates) == pytest.approx(1e-3)
    assert rates[3] == min(rates) == pytest.approx(1e-4)


def test_the_triangle_is_a_triangle() -> None:
    """It starts low, is high after half a cycle and low again after a whole one."""
    triangle = build_schedule(TrainingConfig(schedule="cyclical", learning_rate=0.1), 5)
    assert isinstance(triangle, Triangle)
    found = [float(triangle(step)) for step in (0, 5, 10, 15, 20, 30)]
    assert found == pytest.approx([0.01, 0.055, 0.1, 0.055, 0.01, 0.1], rel=1e-4)


def test_without_validation_rows_the_fit_runs_to_its_end() -> None:
    """No validation rows: no early stop, and no validation history."""
    config = TrainingConfig(hidden=(4,), epochs=3, early_stopping=1)
    empty = make_split(10, 0).take(np.zeros(10, bool))
    fitted = fit_network(
        lambda: build_network(LAYOUT, config, 0, build_inputs),
        feed(make_split(50, 1), config, 2, 0, AugmentationConfig()),
        empty,
        config,
        seed=0,
    )
    assert fitted.epochs_run == fitted.best_epoch == 3
    assert fitted.history["val_loss"] == []


def test_balanced_classes_weigh_the_same() -> None:
    """Balancing keeps the total weight, evens the classes and leaves the split alone."""
    split = make_split(100, 0)
    split = split.take(np.r_[np.flatnonzero(split.labels == 0), np.flatnonzero(split.labels)[:5]])
    weights = balance_classes(split, 3)
    assert weights.sum() == pytest.approx(len(split.labels), rel=1e-5)
    assert weights[split.labels == 1].sum() == pytest.approx(weights.sum() / 2, rel=1e-5)
    assert np.all(split.weights == 1)
