"""Everything a report is made of: the facts of each stage that ran."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.cleaning.repairs import CleaningFacts
from pipeline.diagnosis.finding import Summary
from pipeline.diagnosis.sheet import Sheet
from pipeline.imputation import ImputationFacts
from pipeline.ingest.canonical import IngestFacts
from pipeline.resampling import ResamplingFacts
from pipeline.splitting.split_facts import SplitFacts
from pipeline.targets.race_facts import RaceFacts
from pipeline.targets.results import TrainingFacts
from pipeline.validation.column_profiles import ColumnProfile
from pipeline.validation.drift_results import DriftFacts
from pipeline.validation.validation_facts import ValidationFacts


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as far as it came; what did not run is None.

    Attributes
    ----------
    version
        The name of the published version, or None if a gate stopped the run.
    started
        UTC, ISO 8601.
    seconds
        Wall time of each stage in this run; a stage whose result was there already has 0.
    sources
        SHA-256 of each source file by name; likewise ``suites``.
    config
        The resolved configuration.
    lost_suites
        Suites that the current version was judged by and that this run did not find.
    leftover
        Validation and test rows left out because after repair they equal a row of another split.
    sheets
        Contact sheets, where rows can be looked at.
    code
        By stage, the hash of the code that makes it.
    code_alone
        The stages whose code differs from that of the version before, where nothing else does.
    summary
        The headline and the findings, worked out once.
    """

    dataset: str
    version: str | None
    started: str
    seconds: dict[str, float]
    sources: dict[str, str]
    suites: dict[str, str]
    packages: dict[str, str]
    config: dict[str, Any]
    ingest: IngestFacts
    raw: ValidationFacts
    profiles: list[ColumnProfile]
    split: SplitFacts | None = None
    cleaning: CleaningFacts | None = None
    imputation: ImputationFacts | None = None
    repaired: ValidationFacts | None = None
    features: list[str] | None = None
    leftover: dict[str, int] | None = None
    race: RaceFacts | None = None
    resampling: ResamplingFacts | None = None
    training: TrainingFacts | None = None
    drift: DriftFacts | None = None
    lost_suites: list[str] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    code: dict[str, str] = field(default_factory=dict)
    code_alone: list[str] = field(default_factory=list)
    summary: Summary | None = None

    @property
    def verdict(self) -> Summary:
        """What was found, for whoever renders it.

        Raises
        ------
        ValueError
            If nobody has worked it out, see ``summary.summarise``.
        """
        if self.summary is None:
            raise ValueError("the record has no summary yet")
        return self.summary
