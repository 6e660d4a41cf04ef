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
# Those that the table of a race shows, and what one can race for.
IN_RACE = ("balanced_accuracy", "log_loss", "macro_f1", "auc", "average_precision", "brier")
RACE_SCORES = {
    **TITLES,
    "combined": "the mean of balanced accuracy and log loss, each from 0 (guessing by the class "
    "shares) to 1 (perfect)",
}
