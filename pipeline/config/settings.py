"""Every knob of a data set: what ``dataset.yaml`` may hold, with bounds, defaults and meaning.

The models are frozen and refuse unknown keys; ``config_file`` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.config.image import AugmentationConfig, ImageConfig
from pipeline.config.sections import Counts, Fraction, Section, Share, Texts
from pipeline.config.upkeep import (
    NotificationsConfig,
    RetentionConfig,
    RunsConfig,
    ScheduleConfig,
)

Role = Literal[
    "numeric", "categorical", "boolean", "datetime", "text", "identifier", "constant", "target"
]


class ColumnConfig(Section):
    """What is declared about one column; what is left out is inferred."""

    role: Role | None = Field(None, description="what the column is; left out: inferred")
    missing: Texts = Field((), description="texts that stand for a missing value")
    keep: Texts = Field((), description="texts that look missing but are values")
    minimum: float | None = Field(None, description="smallest possible value, in the column's unit")
    maximum: float | None = Field(None, description="largest possible value, in the column's unit")
    format: str | None = Field(
        None,
        description="strptime format of a datetime column ('?' for any mark between its parts, "
        "' | ' between several formats); of durations and times of day: h:m:s, h:m or m:s",
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="mark before the decimals of its numbers; left out: inferred"
    )
    thousands: Literal["", ",", ".", " ", "'"] | None = Field(
        None, description="mark between groups of three digits; left out: inferred"
    )


class IngestConfig(Section):
    """Reading the source into canonical Parquet."""

    delimiter: str = Field(
        "auto", pattern=r"^(auto|[\t -!#-~])$", description="one ASCII character, or 'auto'"
    )
    encoding: str = Field("auto", description="a codec's name, or 'auto'")
    quote: str = Field(
        "auto",
        pattern=r"^(auto|none|[!-~])$",
        description="the mark around cells, 'none' or 'auto'",
    )
    escape: str = Field(
        "auto",
        pattern=r"^(auto|none|[!-~])$",
        description="the mark before a quote within a cell, where it is not doubled",
    )
    skip_lines: int | None = Field(
        None, ge=0, description="lines before the header; left out: found"
    )
    comment: str | None = Field(
        None, min_length=1, description="how lines begin that are no rows; left out: found"
    )
    footer: int | None = Field(None, ge=0, description="lines behind the last row; left out: found")
    decimal: Literal["auto", ".", ","] = Field(
        "auto", description="mark before the decimals of a number"
    )
    missing_tokens: Texts = Field(
        ("", "?", "NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "null", "NULL"),
        description="texts taken as missing in every column",
    )
    partition_rows: int = Field(250_000, ge=1, description="rows in one canonical partition")
    max_malformed: Fraction = Field(0.01, description="largest share of unreadable lines")


class SplitConfig(Section):
    """Train, validation and test."""

    validation: Share = Field(0.15, description="share of rows that early stopping watches")
    test: Share = Field(0.15, description="share of rows that scores are measured on")
    by: Literal["hash", "group", "time"] = Field(
        "hash",
        description="hash: at random, the same in each refresh; group: rows of a group stay "
        "together; time: the latest rows are held out",
    )
    column: str | None = Field(None, description="the group or time column")
    repeats: Literal["together", "apart"] = Field(
        "together",
        description="rows with equal features: together in one split, or each by itself, where "
        "they are other rows that happen to be alike",
    )
    train_counts: Counts = Field(
        {}, description="most training rows of a class; the others are left unused"
    )

    @model_validator(mode="after")
    def _counts_are_positive(self) -> SplitConfig:
        for name, count in self.train_counts.items():
            if count < 1:
                raise ValueError(f"train_counts of class {name!r} must be 1 or more")
        return self

    @model_validator(mode="after")
    def _leaves_a_training_split(self) -> SplitConfig:
        if self.validation + self.test >= 1.0:
            raise ValueError(
                f"validation ({self.validation:g}) and test ({self.test:g}) together must leave "
                "rows for training"
            )
        if self.by != "hash" and self.column is None:
            raise ValueError(f"by: {self.by} needs split.column")
        return self


class ValidationConfig(Section):
    """The gate over the suites' results."""

    stop_on: Literal["critical", "warning", "never"] = Field(
        "critical", description="the mildest severity that stops a run"
    )


# YAML reads a bare off as false.
Gravity = Annotated[
    Literal["off", "info", "warning", "critical"],
    BeforeValidator(lambda given: "off" if given is False else given),
]


class DriftConfig(Section):
    """Differences from the last accepted refresh; where those before differed more, that counts."""

    features: Gravity = Field("warning", description="severity of a feature's drift")
    label: Gravity = Field("warning", description="severity of the label's drift")
    units: Gravity = Field("critical", description="severity of a change of unit")
    ignore: Texts = Field((), description="columns that are not compared")
    significance: float = Field(
        0.01, gt=0, lt=1, description="chance of a false alarm in a refresh, over all columns"
    )
    wasserstein: float = Field(0.1, gt=0, description="in standard deviations, of numbers")
    kolmogorov_smirnov: Share = Field(0.1, description="of numbers")
    jensen_shannon: Share = Field(0.1, description="distance in base 2, of categories")
    l_infinity: Share = Field(0.1, description="largest change of a share, of categories")
    psi: float = Field(0.2, gt=0, description="population stability index, of categories")
    new: Share = Field(0.01, description="share of rows with a category that was not there")
    missing: Share = Field(0.05, description="change of the share of missing values")


class SpellingConfig(Section):
    """Inconsistent spelling of categories."""

    case: bool = Field(True, description="merge values that differ in case or blanks only")
    typos: Literal["report", "apply", "ignore"] = Field(
        "report", description="what to do with a rare value close to a frequent one"
    )
    rarity: Fraction = Field(0.005, description="largest share of training rows of a typo")


class OutlierConfig(Section):
    """Outliers; the bounds are learned on the training split."""

    method: Literal["iqr", "mad", "quantile", "none"] = Field(
        "iqr",
        description="how bounds are learned: quartiles and their distance, median and median "
        "absolute deviation, or tails",
    )
    factor: float = Field(3.0, gt=0, description="width of the fence in IQRs or MADs")
    quantile: float = Field(0.001, gt=0, lt=0.5, description="tail cut off on each side")
    max_share: float = Field(
        0.01, ge=0, lt=0.5, description="more training rows beyond a fence are a tail, not faults"
    )
    max_repaired: Fraction = Field(
        0.05,
        description="a suite's bounds are met by repair while no more training rows break them",
    )
    action: Literal["clip", "set_missing", "keep", "quarantine"] = Field(
        "clip",
        description="what happens to an outlier: moved to the bound, imputed, left as it is, or "
        "its row left out of the training",
    )
    columns: Mapping[str, Literal["clip", "set_missing", "keep", "quarantine"]] = Field(
        {}, description="action of single columns"
    )


class CleaningConfig(Section):
    """Duplicates, labels, spelling, outliers, columns without use."""

    duplicates: Literal["drop", "keep"] = Field(
        "drop", description="rows that repeat the features and label of an earlier one"
    )
    conflicting_labels: Literal["keep", "drop", "majority"] = Field(
        "keep",
        description="rows with the same features and different labels; majority: all get the most "
        "frequent label",
    )
    spelling: SpellingConfig = SpellingConfig()
    outliers: OutlierConfig = OutlierConfig()
    max_missing: Fraction = Field(
        0.8, description="a column with a larger share missing is dropped"
    )
    drop_columns: Texts = Field((), description="columns that are not learned from")
    leaks: Literal["warn", "drop"] = Field(
        "warn", description="a feature that alone gives the label away"
    )
    leak_score: Fraction = Field(0.995, description="balanced accuracy from which it is a leak")


NumericImputation = Literal["auto", "knn", "median", "mean", "most_frequent", "constant"]
CategoricalImputation = Literal["auto", "knn", "most_frequent", "constant"]


class ImputationConfig(Section):
    """Filling missing values; every fill is learned on the training split."""

    numeric: NumericImputation = Field(
        "auto", description="auto: what fills known cells best, when they are hidden as gaps are"
    )
    categorical: CategoricalImputation = Field("auto", description="auto: as for numeric")
    datetime: Literal["median", "most_frequent"] = Field(
        "median", description="what fills gaps in dates"
    )
    columns: Mapping[str, NumericImputation] = Field({}, description="method of single columns")
    constant: float | str | None = Field(
        None, description="the constant; left out: 0, or the category '(missing)'"
    )
    k_neighbors: int = Field(5, ge=1, le=100, description="of knn; auto tries 5 and 15")
    max_donors: int | None = Field(
        None, ge=10, description="training rows that KNN may draw on; left out: all, within reason"
    )
    indicators: bool = Field(False, description="add a 0/1 column for each column with gaps")


class EncodingConfig(Section):
    """Model-ready features."""

    scaling: Literal["standard", "minmax", "robust", "none"] = Field(
        "standard",
        description="of numbers: to mean 0 and deviation 1, to 0..1, or by median and quartiles",
    )
    categorical: Literal["onehot", "ordinal"] = Field(
        "onehot", description="a 0/1 feature for each category, or one number"
    )
    max_categories: int = Field(50, ge=2, description="frequent categories kept per column")


Resampling = Literal[
    "none",
    "threshold",
    "random_over",
    "random_under",
    "smote",
    "smotenc",
    "tomek",
    "enn",
    "smote_tomek",
    "smote_enn",
    "class_weight",
    "augment",
]


ResamplingMethod = Literal["auto", Resampling]
RaceScore = Literal[
    "combined",
    "balanced_accuracy",
    "log_loss",
    "macro_f1",
    "auc",
    "average_precision",
    "accuracy",
    "brier",
]


class RaceConfig(Section):
    """How resampling.method auto chooses: by cross-validation on the training split."""

    methods: tuple[Resampling, ...] = Field(
        (),
        description="those that are raced; left out: none, threshold, class_weight, "
        "random_under, random_over, SMOTE (smotenc where there are categories) and smote_enn; of "
        "pictures, augment in place of SMOTE",
    )
    score: RaceScore = Field(
        "combined",
        description="combined: the mean of balanced accuracy and log loss, "
        "each from 0 (guessing by class shares) to 1 (perfect)",
    )
    folds: int = Field(
        5, ge=4, le=20, description="at most; a race ends when it has cost half of running all"
    )
    significance: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="chance of passing over a simpler method that is as good as the best",
    )
    max_rows: int = Field(50_000, ge=200, description="training rows that take part, at most")
    budget_seconds: float = Field(
        900.0, gt=0, description="no fold is begun that would end later; the first is always run"
    )

    @model_validator(mode="after")
    def _methods_can_race(self) -> RaceConfig:
        if len(set(self.methods)) != len(self.methods):
            raise ValueError("methods names one of them twice")
        if len(self.methods) == 1:
            raise ValueError("methods needs two or more")
        if self.methods and "none" not in self.methods:
            raise ValueError("methods must hold 'none', which the others are measured against")
        return self


class ResamplingConfig(Section):
    """Class balance of the training split."""

    method: ResamplingMethod = Field(
        "none",
        description="auto: by a race of several, see race; threshold: rows stay, and rare "
        "classes are decided for more readily",
    )
    ratio: float = Field(
        1.0, gt=0, le=1, description="rows of each other class over rows of the largest"
    )
    counts: Counts = Field({}, description="rows per class, in place of the ratio")
    k_neighbors: int = Field(
        5, ge=1, le=100, description="nearest rows of its class that SMOTE mixes a row with"
    )
    fallback: Literal["error", "random_over", "none"] = Field(
        "error", description="for a class too small for SMOTE"
    )
    race: RaceConfig = RaceConfig()


Widths = tuple[Annotated[int, Field(ge=1, le=8192)], ...]


class CnnConfig(Section):
    """The convolutional part of the baseline network, for pictures."""

    filters: Widths | None = Field(
        None, min_length=1, description="filters of each block; left out: chosen by the size"
    )
    convolutions: int = Field(1, ge=1, le=8, description="convolutions in each block")
    kernel: int = Field(3, ge=1, le=15, description="side of a kernel in pixels")
    pooling: Literal["max", "average"] = Field("max", description="at the end of each block")
    batch_norm: bool = Field(False, description="normalise batches after each convolution")
    global_pooling: Literal["average", "max", "none"] = Field(
        "none", description="before the hidden layers; none: all positions are kept"
    )


class TrainingConfig(Section):
    """The baseline network and how it is trained."""

    hidden: Widths = Field((64, 32), description="width of each hidden layer, first to last")
    cnn: CnnConfig = CnnConfig()
    activation: Literal["relu", "leaky_relu", "elu", "selu", "gelu", "sigmoid", "tanh"] = Field(
        "relu", description="of hidden layers and convolutions"
    )
    dropout: float = Field(
        0.1, ge=0, lt=1, description="share of outputs of each hidden layer set to 0 in training"
    )
    l1: float = Field(0.0, ge=0, description="penalty on absolute weights")
    l2: float = Field(1e-4, ge=0, description="penalty on squared weights")
    optimizer: Literal["adam", "rmsprop", "sgd"] = Field(
        "adam", description="what updates the weights"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    learning_rate: float = Field(1e-3, gt=0, description="of the optimizer; the schedule's highest")
    schedule: Literal["constant", "reduce_on_plateau", "cosine_restarts", "cyclical"] = Field(
        "constant", description="how the learning rate changes over the epochs"
    )
    batch_size: int = Field(32, ge=1, description="training rows in one update of the weights")
    epochs: int = Field(30, ge=1, description="passes over the training rows, at most")
    early_stopping: int = Field(
        5, ge=0, description="epochs without a better validation loss; 0: off"
    )
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="balanced: errors in rare classes weigh more in the loss"
    )
    calibration: Literal["none", "temperature", "isotonic"] = Field(
        "none", description="of the network's probabilities, on the validation split"
    )
    folds: int = Field(0, ge=0, le=20, description="k-fold cross-validation; 0: none")
    bootstrap: int = Field(1000, ge=100, le=20_000, description="resamples for each interval")
    compare_unrepaired: bool = Field(
        True, description="also train the same network on the data before repair"
    )

    @model_validator(mode="after")
    def _folds_are_none_or_two(self) -> TrainingConfig:
        if self.folds == 1:
            raise ValueError("folds must be 0, or 2 and more")
        return self


@dataclass(frozen=True, slots=True)
class Traits:
    """What follows from the modality of a data set for its columns.

    Attributes
    ----------
    facts_only
        Whether they only tell of what is learned from, such as the brightness of a picture: then no
        value of theirs is changed, and none of them is left out.
    identity
        Those that say which rows are the same; none: all features.
    """

    facts_only: bool
    identity: tuple[str, ...]


TRAITS: Mapping[str, Traits] = {
    "table": Traits(facts_only=False, identity=()),
    "image": Traits(facts_only=True, identity=("pixel_hash",)),
}


class DatasetConfig(Section):
    """One data set: ``data/<dataset>/dataset.yaml``."""

    dataset: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        max_length=80,
        description="its name: letters, digits, and _ . - after the first",
    )
    source: str = Field(
        min_length=1,
        description="file or folder, relative to dataset.yaml; or a URL: http(s), s3, a database; "
        "write secrets as ${NAME}",
    )
    query: str | None = Field(None, description="SQL, where the source is a database")
    target: str = Field(description="the column to predict")
    key: str | None = Field(None, description="the column that names a row")
    modality: Literal["table", "image"] = Field("table", description="what a row is made of")
    seed: int = Field(0, ge=0, lt=2**32, description="of all random draws")
    columns: Mapping[str, ColumnConfig] = Field({}, description="declarations by column name")
    image: ImageConfig = ImageConfig()
    ingest: IngestConfig = IngestConfig()
    split: SplitConfig = SplitConfig()
    validation: ValidationConfig = ValidationConfig()
    drift: DriftConfig = DriftConfig()
    cleaning: CleaningConfig = CleaningConfig()
    imputation: ImputationConfig = ImputationConfig()
    encoding: EncodingConfig = EncodingConfig()
    resampling: ResamplingConfig = ResamplingConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    training: TrainingConfig = TrainingConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    tags: Texts = Field((), description="of the data set's deployments")
    runs: RunsConfig = RunsConfig()
    retention: RetentionConfig = RetentionConfig()
    notifications: NotificationsConfig = NotificationsConfig()

    @property
    def traits(self) -> Traits:
        """What follows from the modality."""
        return TRAITS[self.modality]
