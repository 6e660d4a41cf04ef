"""The names that ``pipeline`` hands out, and what it says of others."""

from __future__ import annotations

import importlib

import pytest

import pipeline
from pipeline import resampling


def test_all_public_names_are_there() -> None:
    """Each name of ``__all__`` is imported when it is asked for, and listed before."""
    assert set(pipeline.__all__) <= set(dir(pipeline))
    assert all(callable(getattr(pipeline, name)) for name in pipeline.__all__)


@pytest.mark.parametrize("name", pipeline._SAMPLERS)
def test_a_sampler_is_looked_for_where_it_is(name: str) -> None:
    """Whoever takes it from the package reads from where, by an attribute and by an import."""
    hint = f"has no attribute '{name}': write `from pipeline.resampling import {name}`"
    with pytest.raises(AttributeError, match=hint):
        getattr(pipeline, name)
    with pytest.raises(ImportError, match=hint):
        exec(f"from pipeline import {name}")
    assert callable(getattr(resampling, name))
    assert not hasattr(pipeline, name)


def test_a_near_miss_is_named() -> None:
    """A misspelt name says which one was meant; one that is like none does not guess."""
    with pytest.raises(ImportError, match=r"'valdate': did you mean 'validate'\?$"):
        exec("from pipeline import valdate")
    with pytest.raises(AttributeError, match=r"did you mean 'KNNImputer'\?$"):
        _ = pipeline.KNNimputer
    with pytest.raises(AttributeError, match=r"has no attribute 'zzzzzz'$"):
        _ = pipeline.zzzzzz


def test_modules_are_imported_as_ever() -> None:
    """A module of the package, also one whose name is near to a public one, is no mistake."""
    exec("from pipeline import errors, published, validation")
    assert importlib.import_module("pipeline.validation").__name__ == "pipeline.validation"
