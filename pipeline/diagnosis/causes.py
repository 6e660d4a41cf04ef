"""The vocabulary of causes: the same names in code, JSON, report and tests."""

from __future__ import annotations

from typing import Literal, get_args

DataCause = Literal[
    "missing_values",
    "outliers",
    "inconsistent_values",
    "duplicates",
    "label_noise",
    "class_imbalance",
    "leakage",
    "drift",
    "too_little_data",
    "no_signal",
    "unscaled_inputs",
    "broken_preprocessing",
    "bad_split",
]
HyperparameterCause = Literal[
    "learning_rate_too_high",
    "learning_rate_too_low",
    "bad_schedule",
    "batch_size_too_large",
    "batch_size_too_small",
    "too_few_epochs",
    "too_many_epochs",
]
ArchitectureCause = Literal[
    "model_too_small",
    "model_too_deep",
    "wrong_network_type",
    "wrong_output_activation",
    "wrong_loss",
    "missing_nonlinearity",
    "bad_initialisation",
    "dead_relu",
    "vanishing_gradient",
    "exploding_gradient",
    "saturated_activation",
    "too_much_regularisation",
    "no_regularisation",
]
Cause = DataCause | HyperparameterCause | ArchitectureCause
CAUSES: tuple[Cause, ...] = (
    *get_args(DataCause),
    *get_args(HyperparameterCause),
    *get_args(ArchitectureCause),
)
