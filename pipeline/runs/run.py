"""One run: its configuration, the hashes of its inputs, the keys of its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.config.dataset_yaml import change_settings, load_config
from pipeline.config.settings import DatasetConfig
from pipeline.errors import ConfigError
from pipeline.modality import Modality, find_modality
from pipeline.runs.keys import plan_keys
from pipeline.sources.fetching import fetch, is_elsewhere
from pipeline.sources.locating import locate, settle, take_stock, unchanging
from pipeline.storage.hashing import hash_tree
from pipeline.storage.store import Address, Store
from pipeline.validation.accepted import find_accepted, hash_profile
from pipeline.validation.suites import find_expected_bounds, find_named_columns, read_suites


@dataclass(frozen=True, slots=True)
class Fold:
    """One of several folds of the training split, held out in place of the test split.

    Attributes
    ----------
    number
        From 0.
    of
        How many folds there are.
    most
        Training rows that take part, at most; None: all.
    """

    number: int
    of: int
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the configuration, the inputs' hashes, the key of each stage.

    Attributes
    ----------
    source
        Where the source lies, or where it was fetched to.
    stamp
        What the source looked like when it was hashed, see ``sources.take_stock``.
    sources, suites
        SHA-256 of each file by name.
    expected
        Between which bounds the suites expect the values of each column.
    named
        The columns that the suites name.
    history
        The versions of the refreshes that were accepted before, oldest first.
    profiles
        The same versions, each with the hash of its profile.
    fold
        What is held out, where the run is derived for a fold.
    seed
        Of resampling and training, where it is another than the declared one.
    """

    store: Store
    config: DatasetConfig
    source: Path
    stamp: str
    sources: dict[str, str]
    suites: dict[str, str]
    expected: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    history: tuple[str, ...] = ()
    profiles: tuple[tuple[str, str], ...] = ()
    fold: Fold | None = None
    seed: int | None = None
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the whole run, which names the version."""
        return self.keys["publish"]

    @property
    def draw_seed(self) -> int:
        """The seed of resampling and training."""
        return self.config.seed if self.seed is None else self.seed

    @property
    def modality(self) -> Modality:
        """The functions of the data set's modality."""
        return find_modality(self.config.modality)

    @property
    def wants_race(self) -> bool:
        """Whether the resampling is to be chosen by a race."""
        return self.config.resampling.method == "auto"

    @property
    def wants_folds(self) -> bool:
        """Whether a cross-validation is asked for."""
        return self.config.training.folds > 0

    @property
    def wants_unrepaired(self) -> bool:
        """Whether the network is to be trained on the data before repair too."""
        return self.config.training.compare_unrepaired

    def address(self, stage: str) -> Address:
        """Where a stage's output is, or will be."""
        key = self.keys[stage]
        return Address(stage, key, self.store.runs / "stages" / f"{stage}-{key[:16]}")

    def vary(
        self,
        changes: Mapping[str, Any] = MappingProxyType({}),
        *,
        fold: Fold | None = None,
        seed: int | None = None,
    ) -> Run:
        """Derive a run with other settings; its keys follow from them like any other run's.

        Parameters
        ----------
        changes
            Values by the names of settings, such as ``{"training.learning_rate": 0.01}``.
        fold
            A part of the training split that is held out in place of the test split.
        seed
            Of resampling and training. The rows of the splits, and what repair learns from them,
            stay those of the run, so that its variants can be compared row by row.

        Raises
        ------
        ConfigError
            If there is no such setting, or a value is out of bounds.
        """
        config = change_settings(self.config, changes)
        fold = fold or self.fold
        seed = self.seed if seed is None else seed
        keys = plan_keys(
            config,
            self.sources,
            self.suites,
            self.expected,
            self.profiles,
            fold=None if fold is None else asdict(fold),
            seed=seed,
        )
        return replace(self, config=config, fold=fold, seed=seed, keys=keys)

    def is_done(self, stage: str) -> bool:
        """Tell whether a stage's output is there already."""
        return self.store.find(stage, self.keys[stage]) is not None

    def build(self, stage: str, make: Callable[[Path], None]) -> Address:
        """Make the output of a stage, unless it is there already."""
        return self.store.build(stage, self.keys[stage], make)

    def published(self) -> str | None:
        """Name the version that this very run has published already, if any."""
        mark = f"-{self.key[:8]}"
        return next((name for name in self.store.versions() if name.endswith(mark)), None)


def declare(store: Store, overrides: list[str] | None = None) -> DatasetConfig:
    """Read the declaration of a data set.

    Raises
    ------
    ConfigError
        If it is wrong.
    """
    config = load_config(store.config_path, overrides or [])
    if config.dataset != store.dataset:
        raise ConfigError(
            "config",
            f"dataset is {config.dataset!r}, but its folder is data/{store.dataset}",
            "Give both one name",
        )
    return config


def prepare(home: Path, dataset: str, overrides: list[str] | None = None) -> Run:
    """Read the declaration of a data set and make its run, see ``declare`` and ``make_run``.

    Parameters
    ----------
    home
        The project's folder.
    dataset
        Its name.
    overrides
        Texts of the form ``section.key=value``.
    """
    store = Store(home, dataset)
    return make_run(store, declare(store, overrides))


def make_run(
    store: Store,
    config: DatasetConfig,
    fetched: Path | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Run:
    """Find the source whole, hash the inputs, work out the key of each stage.

    Parameters
    ----------
    fetched
        The source, where it was fetched already.
    on_wait
        Told once, if the source is still being written, what is waited for.

    Raises
    ------
    ConfigError
        If a suite is wrong, or the source lies where it must not.
    SourceError
        If the source is not there, can't be fetched, or is still being written.
    """
    path, stamp = find_source(store, config, fetched, on_wait)
    with unchanging(store, path, stamp):
        sources = hash_tree(path)
    suites = hash_tree(store.suites) if store.suites.is_dir() else {}
    read = read_suites(store.suites, store.dataset) if suites else {}
    expected = find_expected_bounds(read)
    accepted = find_accepted(store, other_than=sources)
    profiles = tuple((name, hash_profile(store, name, "raw")) for name in accepted)
    keys = plan_keys(config, sources, suites, expected, profiles)
    named = find_named_columns(read)
    return Run(
        store, config, path, stamp, sources, suites, expected, named, accepted, profiles, keys=keys
    )


def find_source(
    store: Store,
    config: DatasetConfig,
    fetched: Path | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> tuple[Path, str]:
    """Find the source, or fetch it, and wait until it is whole; also return its stamp.

    Parameters
    ----------
    store
        Of the data set.
    config
        Names the source, and how long to wait.
    fetched
        What was fetched already, where the source lies elsewhere.
    on_wait
        Called with what is waited for.

    Returns
    -------
    tuple
        Its place, and a stamp that changes when the source does.

    Raises
    ------
    SourceError
        If it is not there, can't be fetched, or is still being written in the end.
    """
    if fetched is None and is_elsewhere(config.source):
        fetched = fetch(store, config)
    if fetched is not None:  # written whole, by us
        return fetched, take_stock(store, fetched).stamp
    path = locate(store, config.source)
    return path, settle(store, path, config.runs, on_wait).stamp
