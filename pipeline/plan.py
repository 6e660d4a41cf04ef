"""What a run is about: its configuration, the hashes of its inputs, the key of each stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.accepted import find_accepted, hash_profile
from pipeline.config import DatasetConfig, Resampling
from pipeline.config_file import load_config
from pipeline.errors import ConfigError
from pipeline.fetching import fetch, is_elsewhere
from pipeline.hashing import hash_code, hash_key, hash_tree, package_versions
from pipeline.sources import locate, settle, take_stock, unchanging
from pipeline.store import Address, Store
from pipeline.validation.suites import find_expected_bounds, find_named_columns, read_suites

PACKAGES = (
    "pandas", "numpy", "pyarrow", "scikit-learn", "imbalanced-learn", "tensorflow", "keras",
    "great-expectations", "pillow", "opencv-python-headless", "albumentations", "scipy", "numba",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """What one run is about: the configuration, the inputs' hashes, the key of each stage.

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
        The columns that the suites are about.
    history
        The versions of the refreshes that were accepted before, oldest first.
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
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the whole run, which names the version."""
        return self.keys["report"]

    @property
    def wants_race(self) -> bool:
        """Whether the resampling is to be chosen by a race."""
        return self.config.resampling.method == "auto"

    @property
    def wants_folds(self) -> bool:
        """Whether a cross-validation is asked for and not done yet."""
        return self.config.training.folds > 0 and not self.is_done("train")

    @property
    def wants_unrepaired(self) -> bool:
        """Whether the network is to be trained on the data before repair too."""
        return self.config.training.compare_unrepaired

    def address(self, stage: str) -> Address:
        """Where a stage's output is, or will be."""
        key = self.keys[stage]
        return Address(stage, key, self.store.runs / "stages" / f"{stage}-{key[:16]}")

    def for_fold(self, *fold: object) -> Run:
        """Derive a run with another split: the stages that learn get keys of their own."""
        keys = {
            stage: hash_key(key, "fold", *fold)
            for stage, key in self.keys.items()
            if stage in ("split", "clean", "impute", "encode", "resample")
        }
        return replace(self, keys=self.keys | keys)

    def with_resampling(self, method: Resampling, seed: int | None = None) -> Run:
        """Derive a run that resamples by another method, and draws by another seed if one is given.

        Its keys are the same.
        """
        resampling = self.config.resampling.model_copy(update={"method": method})
        changes = {"resampling": resampling} | ({} if seed is None else {"seed": seed})
        return replace(self, config=self.config.model_copy(update=changes))

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
    """Read the declaration of a data set and make its run, see ``declare`` and ``make_run``."""
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
    profiles = [(name, hash_profile(store, name, "raw")) for name in accepted]
    keys = plan_keys(config, sources, suites, expected, profiles)
    named = find_named_columns(read)
    return Run(store, config, path, stamp, sources, suites, expected, named, accepted, keys)


def find_source(
    store: Store,
    config: DatasetConfig,
    fetched: Path | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> tuple[Path, str]:
    """Find the source, or fetch it, and wait until it is whole; also return its stamp."""
    if fetched is None and is_elsewhere(config.source):
        fetched = fetch(store, config)
    if fetched is not None:  # written whole, by us
        return fetched, take_stock(store, fetched).stamp
    path = locate(store, config.source)
    return path, settle(store, path, config.runs, on_wait).stamp


def plan_keys(
    config: DatasetConfig,
    sources: Mapping[str, str],
    suites: Mapping[str, str],
    expected: Mapping[str, object],
    profiles: Sequence[tuple[str, str]] = (),
) -> dict[str, str]:
    """Work out the key of each stage: its code, its section, and the keys of its inputs."""
    plain = config.model_dump(mode="json")
    keys: dict[str, str] = {}

    def plan(stage: str, code: str, sections: str, inputs: str, *more: object) -> None:
        keys[stage] = hash_key(
            stage,
            hash_code("dataset", "tables", *code.split()),
            {name: plain[name] for name in sections.split()},
            [keys[name] for name in inputs.split()],
            package_versions(*PACKAGES),
            more,
        )

    shape = {k: v for k, v in plain["image"].items() if not k.startswith("near_")}
    near = {k: v for k, v in plain["image"].items() if k.startswith("near_")}
    pictures = "images pictures image_steps " if config.modality == "image" else ""
    plan(
        "ingest",
        pictures + "reading delimited roles columns row_ids ingest",
        "target key columns ingest modality",
        "",
        sources,
        shape,
    )
    plan("validate_raw", "validation", "drift", "ingest", suites, profiles)
    plan(
        "split",
        pictures + "splitting split_facts",
        "split seed",
        "ingest",
        config.cleaning.drop_columns,
        near,
    )
    plan("profile", "validation", "", "ingest split")
    plan("clean", "cleaning outliers spelling leaks", "cleaning columns", "ingest split", expected)
    plan("impute", "imputation neighbours preprocessor", "imputation seed", "clean")
    plan("validate_repaired", "validation", "", "impute", suites)
    plan("encode", pictures + "encoding preprocessor", "encoding", "impute")
    changes = ("augmentation",) if config.resampling.method in ("augment", "auto") else ()
    balance = pictures + " ".join(("resampling", "neighbours", "onehot", *changes))
    sections = " ".join(("seed", *changes))
    method = {k: v for k, v in plain["resampling"].items() if k != "race"}
    course = plain["resampling"]["race"]
    races = config.resampling.method == "auto"
    if races:
        lasting = [method, course["folds"], course["max_rows"]]
        code = " race_steps training splitting steps plan"
        apart = ("calibration", "bootstrap", "folds", "compare_unrepaired")
        lasting.append({k: v for k, v in plain["training"].items() if k not in apart})
        plan("race_fold", balance + code, sections, "split encode", *lasting)
        plan("race", "race race_steps", "", "race_fold", course)
    plan("resample", balance, sections, "encode race" if races else "encode", method)
    plan("unrepaired", pictures + "unrepaired encoding", "encoding", "ingest split encode")
    plan(
        "train",
        "training splitting augmentation onehot",
        "training augmentation seed",
        "split resample unrepaired",
    )
    # What came before is no part of it: the same source and settings are the same version.
    plan(
        "report",
        pictures + "report publishing profile steps validation_steps",
        "dataset validation drift",
        "validate_repaired train",
    )
    return keys
