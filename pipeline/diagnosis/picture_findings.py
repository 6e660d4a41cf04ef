"""What pictures show: files that can't be read, near-duplicates, outliers, a network that waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.diagnosis.data_findings import advise_on_labels, change_labels
from pipeline.diagnosis.finding import Finding
from pipeline.diagnosis.terms import Terms
from pipeline.diagnosis.wording import cut, join_words, quote, write_count, write_share

if TYPE_CHECKING:
    from pipeline.diagnosis.record import RunRecord

MUCH_LOST = 0.02
MUCH_WAITING = 0.05
MOST = 3


def find_unreadable(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which files could not be read."""
    images = record.ingest.images
    if not record.ingest.unreadable or images is None:
        return
    count, whole = record.ingest.unreadable, record.ingest.rows
    reasons = [f"{cut(why, 40)} ({write_count(n)})" for why, n in images.reasons.items()]
    files = [quote(file, 40) for file, _ in images.set_aside[:MOST]]
    yield Finding(
        "unreadable_pictures",
        "warning" if count / whole > MUCH_LOST else "info",
        f"{write_count(count, 'picture')} could not be read",
        f"{write_share(count, whole)} of the files: {join_words(reasons, MOST)}; such as "
        f"{join_words(files)}.",
        "Export or copy these files again.",
        cause="inconsistent_values",
        figures={"pictures": count, "share": count / whole},
    )


def find_near(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of pictures that are nearly the same, first of those with different labels."""
    near = record.split.near if record.split else None
    if not near or not near.pairs:
        return
    if near.across_labels:
        pair = near.examples[0]
        conflicts = record.split.conflicts if record.split else 0
        yield Finding(
            "near_duplicates_of_other_labels",
            "warning",
            f"{write_count(conflicts, 'picture looks', 'pictures look')} like one of another label",
            f"{write_count(near.across_labels, 'pair')} such as one of {quote(pair.labels[0], 24)} "
            f"and one of {quote(pair.labels[1], 24)}. The network learns two labels of what looks "
            "alike.",
            f"Look at them under Pictures and correct the wrong label.{advise_on_labels(record)}",
            cause="label_noise",
            figures={"pairs": near.across_labels, "pictures": conflicts},
            change=change_labels(record),
        )
    yield Finding(
        "near_duplicates",
        "info",
        f"{write_count(near.pairs, 'pair')} of pictures are nearly the same",
        f"They form {write_count(near.groups, 'group')}. Each group stays in one "
        "split, so that no test picture is measured on its near-duplicate.",
        "",
        cause="duplicates",
        figures={"pairs": near.pairs, "groups": near.groups},
    )


def find_outliers(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell which pictures left the training split for being outliers."""
    if record.cleaning is None:
        return
    gone = [
        change
        for change in record.cleaning.changes
        if change.column == "(rows)" and " outside " in change.detail
    ]
    if gone:
        told = [f"{write_count(c.rows)} for {cut(c.detail, 60)}" for c in gone]
        yield Finding(
            "quarantined_outliers",
            "info",
            f"{write_count(sum(c.rows for c in gone), 'outlier')} left the training pictures",
            join_words(told, MOST) + ".",
            "Look at them under Pictures; cleaning.outliers.action: keep keeps them.",
            cause="outliers",
            figures={"pictures": sum(c.rows for c in gone)},
            change={"cleaning.outliers.action": "keep"},
        )


def find_odd_kinds(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell of measures in which too many pictures are far from the others to be outliers."""
    if record.cleaning is None:
        return
    wide = [n for n, bound in record.cleaning.fitted.bounds.items() if "widened" in bound.method]
    if wide:
        share = record.config["cleaning"]["outliers"]["max_share"]
        yield Finding(
            "odd_kinds",
            "warning",
            f"Many pictures are far from the others in {join_words([quote(n, 24) for n in wide])}",
            f"They are more than {write_share(share)} of the training pictures, and so were taken "
            "for a kind of picture and left in.",
            "Look at Data and Pictures. If they are faults, correct the source or raise "
            "cleaning.outliers.max_share.",
            cause="outliers",
            figures={"columns": wide},
        )


def judge_waiting(record: RunRecord, terms: Terms) -> Iterator[Finding]:
    """Tell if the network waited for its pictures."""
    if record.training is None or record.training.waited <= MUCH_WAITING:
        return
    yield Finding(
        "waiting_for_pictures",
        "info",
        f"The network waited for pictures {write_share(record.training.waited)} of its time",
        "Reading and augmenting them took longer than learning from them.",
        "A smaller image.height and width, or fewer augmentation.transforms, would speed it up.",
        figures={"share": record.training.waited},
    )


PICTURES = Terms(
    inputs="pictures",
    conflict=(
        "picture looks like one of another label",
        "pictures look like one of another label",
    ),
    leak=(
        "The classes differ in how their pictures were made, and the network may learn that in "
        "place of what they show.",
        "Take pictures of each class with the same camera, light and size, and look at them under "
        "Pictures.",
    ),
    drops_columns=False,
    tuning="training.cnn",
    likely=(find_near,),
    unlikely=(find_unreadable, find_outliers, find_odd_kinds, judge_waiting),
)
