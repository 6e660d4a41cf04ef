"""The metrics of predictions: their names, the main one, and which way is better."""

from __future__ import annotations

TITLES = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "auc": "AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error",
}
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})
METRICS = tuple(TITLES)
MAIN = "balanced_accuracy"  # what a verdict rests on
# Those whose paired differences to other learners are told.
COMPARED = (
    "balanced_accuracy", "macro_f1", "auc", "average_precision", "accuracy", "log_loss", "brier",
)  # fmt: skip
