"""The suite that compares a refresh with those that were accepted before it.

Nothing here imports Great Expectations.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict
from itertools import pairwise
from statistics import median
from typing import Any

from pipeline.config.settings import DriftConfig
from pipeline.validation.distributions import Profile
from pipeline.validation.drift import MEASURES, measure
from pipeline.validation.suites import DRIFT, MARK, make_expectation
from pipeline.validation.tolerances import find_reach

MOST_RAISED = 2.0  # times the middle one of the steps that were accepted
UNBOUNDED = ("wasserstein", "psi")
COMPARED = ("numeric", "categorical", "boolean", "constant", "target")


def make_drift_suite(
    accepted: Mapping[str, Profile], present: Collection[str], target: str, config: DriftConfig
) -> dict[str, Any]:
    """Make the suite from the profiles of accepted refreshes.

    A measure's threshold is what the configuration says, or more where the accepted refreshes
    differed more from one to the next: what the next step reaches with a probability of 99 %, but
    at most twice the middle one of those that were accepted. The significance is shared out among
    all tests (Bonferroni).

    Parameters
    ----------
    accepted
        Profiles by version, oldest first; the last one is compared with. At least one.
    present
        The columns that the refresh has.
    """
    last, reference = list(accepted.items())[-1]
    names = [
        name
        for name, role in reference.roles.items()
        if role in COMPARED and name in present and name in reference.columns
        and name not in config.ignore
    ]  # fmt: skip
    # Its distribution and its gaps; of numbers also the mean, or the unit; new categories.
    significance = config.significance / max(1, 3 * len(names))
    suite = [
        make_expectation(
            "table_columns_to_match_set", "warning", "the columns of the last accepted refresh",
            column_set=list(reference.roles), exact_match=True,
        )
    ]  # fmt: skip
    for name in names:
        before = reference.columns[name]
        severity = config.label if name == target else config.features
        if severity != "off":
            why = f"near its distribution in {last}"
            if len(accepted) > 2:
                why += f", as far as {len(accepted)} accepted refreshes were from each other"
            suite.append(
                make_expectation(
                    "column_drift_to_be_less_than", severity, why,
                    column=name, reference=asdict(before),
                    thresholds=_learn_thresholds(name, accepted, config),
                    significance=significance,
                )
            )  # fmt: skip
        if config.units != "off" and before.kind == "numbers" and before.count:
            suite.append(
                make_expectation(
                    "column_unit_to_be_unchanged", config.units, f"the unit that it had in {last}",
                    column=name, reference=asdict(before), significance=significance,
                )
            )  # fmt: skip
    for expectation in suite:
        learned_from = {"refreshes": list(accepted), "compared_with": last}
        expectation["meta"][MARK]["from"] = learned_from
    return {"name": DRIFT, "expectations": suite, "meta": {}}


def _learn_thresholds(
    name: str, accepted: Mapping[str, Profile], config: DriftConfig
) -> dict[str, float]:
    columns = [profile.columns[name] for profile in accepted.values() if name in profile.columns]
    steps = [measure(before, now).measures for before, now in pairwise(columns)]
    thresholds = {}
    for kind in MEASURES:
        thresholds[kind] = float(getattr(config, kind))
        seen = [step[kind] for step in steps if kind in step]
        reach = find_reach(seen)
        if reach is not None:  # of few steps it may be very wide
            # Half of the steps speak: one that was drift itself does not blind the next.
            learned = math.ceil(1e4 * min(reach[1], MOST_RAISED * median(seen))) / 1e4
            bounded = learned if kind in UNBOUNDED else min(1.0, learned)
            thresholds[kind] = max(thresholds[kind], bounded)
    return thresholds
