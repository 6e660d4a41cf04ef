"""Drift as expectations of Great Expectations: judged, stored and shown like any other.

They run on Great Expectations' own engine for pandas too, where this module was imported.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnAggregateExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from pipeline.validation.column_metrics import DISTRIBUTION
from pipeline.validation.distributions import Distribution, of_series
from pipeline.validation.drift import find_unit, measure


class ColumnDistribution(TableMetricProvider):
    """The distribution of a column, see ``distributions.Distribution``."""

    metric_name = DISTRIBUTION
    domain_keys = ("batch_id", "column", "row_condition", "condition_parser")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(
        cls: Any,
        execution_engine: PandasExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        **_: Any,
    ) -> Distribution:
        frame, _compute, accessor = execution_engine.get_compute_domain(
            metric_domain_kwargs, domain_type=MetricDomainTypes.COLUMN
        )
        return of_series(frame[accessor["column"]])


class ExpectColumnDriftToBeLessThan(ColumnAggregateExpectation):
    """Expect a column's distribution to be near an earlier one.

    Parameters
    ----------
    column
        The column.
    reference
        The earlier distribution, as ``dataclasses.asdict`` writes it.
    thresholds
        By measure (see ``drift.MEASURES``), the effect size above which it is drift.
    significance
        The p-value that a measure must stay below to be more than chance; it is to be shared out
        among all that is tested.
    """

    reference: dict[str, Any]
    thresholds: dict[str, float]
    significance: float = 0.01

    metric_dependencies: ClassVar[tuple[str, ...]] = (DISTRIBUTION,)
    success_keys: ClassVar[tuple[str, ...]] = ("reference", "thresholds", "significance")
    library_metadata: ClassVar[dict[str, Any]] = {"tags": ["drift"]}

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        now: Distribution = metrics[DISTRIBUTION]
        found = measure(Distribution(**self.reference), now)
        fired = found.find_fired(self.thresholds, self.significance)
        if found.retyped:
            fired.append("retyped")
        decisive = max(
            (name for name in found.measures if name in self.thresholds),
            key=lambda name: found.measures[name] / max(self.thresholds[name], 1e-12),
            default=None,
        )
        return {
            "success": not fired,
            "result": {
                "observed_value": None if decisive is None else found.measures[decisive],
                "details": asdict(found)
                | {"decisive": decisive, "fired": fired, "found": asdict(now)},
            },
        }


class ExpectColumnUnitToBeUnchanged(ColumnAggregateExpectation):
    """Expect a column's numbers not to have been multiplied by the factor of another unit.

    Parameters
    ----------
    column
        The column.
    reference
        The earlier distribution, as ``dataclasses.asdict`` writes it.
    significance
        The p-value that the difference must stay below to be more than chance.
    """

    reference: dict[str, Any]
    significance: float = 0.01

    metric_dependencies: ClassVar[tuple[str, ...]] = (DISTRIBUTION,)
    success_keys: ClassVar[tuple[str, ...]] = ("reference", "significance")
    library_metadata: ClassVar[dict[str, Any]] = {"tags": ["drift"]}

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        now: Distribution = metrics[DISTRIBUTION]
        found = find_unit(Distribution(**self.reference), now, self.significance)
        factor, words = found or (1.0, "")
        return {
            "success": found is None,
            "result": {"observed_value": factor, "details": {"words": words}},
        }
