"""The key of each stage: its code, its sections of dataset.yaml, the keys of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.config.settings import DatasetConfig
from pipeline.runs.code import hash_code, keep_mentions
from pipeline.storage.hashing import hash_key, package_versions

PACKAGES = (
    "pandas", "numpy", "pyarrow", "polars", "scikit-learn", "imbalanced-learn", "tensorflow",
    "keras", "great-expectations", "pillow", "opencv-python-headless", "albumentations", "scipy",
    "numba", "rapidfuzz", "charset-normalizer",
)  # fmt: skip


def plan_keys(
    config: DatasetConfig,
    sources: Mapping[str, str],
    suites: Mapping[str, str],
    expected: Mapping[str, object],
    profiles: Sequence[tuple[str, str]] = (),
    *,
    fold: Mapping[str, object] | None = None,
    seed: int | None = None,
) -> dict[str, str]:
    """Work out the key of each stage.

    The code of a stage is all that ``pipeline.steps.<stage>`` reaches, see ``runs.code``.

    Parameters
    ----------
    sources, suites
        SHA-256 of each file by name.
    expected
        Between which bounds the suites expect the values of each column.
    profiles
        The accepted refreshes with the hashes of their profiles.
    fold
        What is held out, see ``run.Fold``.
    seed
        Of resampling and training, where it is another than the declared one.
    """
    plain = config.model_dump(mode="json")
    keys: dict[str, str] = {}

    def plan(stage: str, sections: str, inputs: str, *more: object) -> None:
        keys[stage] = hash_key(
            stage,
            hash_code(stage, config.modality),
            {name: plain[name] for name in sections.split()},
            [keys[name] for name in inputs.split()],
            package_versions(*PACKAGES),
            more,
        )

    shape = {k: v for k, v in plain["image"].items() if not k.startswith("near_")}
    near = {k: v for k, v in plain["image"].items() if k.startswith("near_")}
    method = {k: v for k, v in plain["resampling"].items() if k != "race"}
    course = plain["resampling"]["race"]
    races = config.resampling.method == "auto"
    draws = [config.seed if seed is None else seed]
    if config.resampling.method in ("augment", "auto"):
        draws.append(plain["augmentation"])
    held_out = [] if fold is None else [fold]

    plan("ingest", "target key columns ingest modality", "", sources, shape)
    plan("validate_raw", "drift", "ingest", suites, profiles)
    plan("split", "split seed", "ingest", config.cleaning.drop_columns, near, *held_out)
    plan("profile", "", "ingest split")
    plan("clean", "cleaning columns", "ingest split", expected)
    plan("impute", "imputation seed", "clean")
    plan("validate_repaired", "", "impute", suites)
    plan("encode", "encoding", "impute")
    if races:
        apart = ("calibration", "bootstrap", "folds", "compare_unrepaired")
        training = {k: v for k, v in plain["training"].items() if k not in apart}
        plan("race", "", "split encode", method, training, draws, course)
    plan("resample", "", "encode race" if races else "encode", method, draws)
    plan("trial", "training augmentation", "resample", draws)
    if config.training.folds:
        plan("cross_validate", "training augmentation", "split resample", draws)
    plan("unrepaired", "encoding", "ingest split encode")
    inputs = "split resample unrepaired" + (" cross_validate" if config.training.folds else "")
    plan("train", "training augmentation", inputs, draws)
    # What came before is no part of it: the same source and settings are the same version.
    judging = hash_code("validate_raw", config.modality)
    plan("publish", "dataset validation drift", "validate_repaired profile train", judging)
    keep_mentions()
    return keys
