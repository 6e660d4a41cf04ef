"""What all sections of the configuration share: frozen, unknown keys refused, common types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
# A single text or number stands for a list of one: people write `missing: -999`.
Texts = Annotated[tuple[str, ...], BeforeValidator(lambda given: _list_texts(given))]
# Classes are texts, and YAML reads the class 7 of `counts: {7: 100}` as a number.
Counts = Annotated[Mapping[str, int], BeforeValidator(lambda given: _name_classes(given))]


def _name_classes(given: object) -> object:
    if not isinstance(given, Mapping):
        return given
    return {str(k) if type(k) in (int, float) else k: count for k, count in given.items()}


def _list_texts(given: object) -> object:
    items = given if isinstance(given, list | tuple) else [given]
    return [
        str(item) if isinstance(item, int | float) and not isinstance(item, bool) else item
        for item in items
    ]


class Section(BaseModel):
    """A frozen section of the configuration that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _fill_empty_sections(cls, raw: Any) -> Any:
        """Give a heading without keys, which YAML reads as null, its defaults."""
        if not isinstance(raw, Mapping):
            return raw
        headings = {n for n, f in cls.model_fields.items() if isinstance(f.default, Section | dict)}
        return {
            key: value for key, value in raw.items() if value is not None or key not in headings
        }
