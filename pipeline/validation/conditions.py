"""Which rows an expectation covers: its row condition and its rule for missing values."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.row_conditions import (
    AndCondition,
    ComparisonCondition,
    Condition,
    NullityCondition,
    OrCondition,
    PassThroughCondition,
    deserialize_row_condition,
)

from pipeline.validation.table import Column, Table

ROWWISE_CALLS = {"isnull", "notnull", "isna", "notna", "isin"}
TEXT_CALLS = {
    "contains", "startswith", "endswith", "match", "fullmatch", "len", "lower", "upper", "strip",
    "isdigit", "isalpha", "isnumeric",
}  # fmt: skip
# What a row condition is at its top, and what it may be made of.
TRUTHS = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Call)
PLAIN = (
    ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Constant, ast.List, ast.Tuple,
)  # fmt: skip
COMPARISONS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
AST_COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Where:
    """A row condition.

    Attributes
    ----------
    key
        Tells conditions apart.
    columns
        The columns that it reads.
    expression
        It as an expression without nulls; None where pandas must decide.
    rowwise
        Whether it can be decided from each row alone.
    kwargs
        The domain's arguments that hold it, for pandas.
    """

    key: str
    columns: tuple[str, ...]
    expression: pl.Expr | None
    rowwise: bool
    kwargs: Mapping[str, Any]

    def decide(self, frame: pd.DataFrame) -> pl.Series:
        """Let pandas tell which rows of a chunk it holds for."""
        numbered = frame.reset_index(drop=True)
        engine = PandasExecutionEngine()
        kept = engine._apply_row_condition_filter(
            numbered, self.kwargs["row_condition"], dict(self.kwargs)
        )
        return pl.Series(numbered.index.isin(kept.index))


def find_where(kwargs: Mapping[str, Any], table: Table) -> Where | None:
    """Read the row condition of a domain, if it has one."""
    given = kwargs.get("row_condition")
    if not given:
        return None
    condition = deserialize_row_condition(given) if isinstance(given, dict) else given
    parser = kwargs.get("condition_parser")
    kept = {"row_condition": condition, "condition_parser": parser}
    text = condition.json() if isinstance(condition, Condition) else str(condition)
    key = json.dumps([text, parser])
    if isinstance(condition, PassThroughCondition | str):
        query = condition if isinstance(condition, str) else condition.pass_through_filter
        columns = tuple(name for name in table.columns if str(name) in query)
        rowwise = _is_rowwise(query, table.columns)
        expression = _translate_query(query, table.columns) if rowwise else None
        if isinstance(condition, str):  # stock decides whether it takes a text at all
            return Where(key, columns, None, False, kept)
        return Where(key, columns, expression, rowwise, kept)
    assert isinstance(condition, Condition)
    columns = tuple(sorted(_find_columns(condition)))
    known = all(name in table.columns for name in columns)
    expression = _translate(condition, table.columns) if known else None
    return Where(key, columns, expression, known, kept)


def _find_columns(condition: Condition) -> set[str]:
    if isinstance(condition, AndCondition | OrCondition):
        return set().union(*(_find_columns(part) for part in condition.conditions))
    return {condition.column.name}  # type: ignore[attr-defined]  # the other two have a column


def _translate(condition: Condition, columns: Mapping[str, Column]) -> pl.Expr | None:
    """Write a condition as Polars does; None if its meaning to pandas is another one."""
    if isinstance(condition, AndCondition | OrCondition):
        parts = [_translate(part, columns) for part in condition.conditions]
        if any(part is None for part in parts):
            return None
        join = pl.all_horizontal if isinstance(condition, AndCondition) else pl.any_horizontal
        return join(parts)
    if isinstance(condition, NullityCondition):
        column = columns[condition.column.name]
        if column.kind == "other":
            return None
        value = pl.col(column.name)
        return value.is_null() if condition.is_null else value.is_not_null()
    if isinstance(condition, ComparisonCondition):
        column = columns[condition.column.name]
        return compare(column, str(condition.operator), condition.parameter)
    return None


def compare(column: Column, operator: str, value: Any) -> pl.Expr | None:
    """Compare a column with a value as pandas' ``query`` does: a missing value is unequal to all.

    Parameters
    ----------
    column
        Left of the operator.
    operator
        As Great Expectations writes it, such as ``<=`` or ``IN``.
    value
        Right of it; for IN and NOT_IN, several.

    Returns
    -------
    Expr or None
        None if the two are of kinds that Polars compares in another way than pandas.
    """
    expression = pl.col(column.name)
    if operator in ("IN", "NOT_IN"):
        values = list(value)
        if not values or not all(fits(column, item) for item in values):
            return None
        found = expression.is_in(make_literals(column, values)).fill_null(False)
        return found if operator == "IN" else ~found
    if operator not in COMPARISONS or not fits(column, value):
        return None
    result: pl.Expr = getattr(expression, COMPARISONS[operator])(pl.lit(value))
    return result.fill_null(operator == "!=")


def fits(column: Column, value: Any) -> bool:
    """Tell whether Polars compares a column with a value exactly as NumPy and pandas do."""
    if column.kind == "text":
        return isinstance(value, str)
    if column.kind not in ("float", "int") or isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) <= 2**53
    return isinstance(value, float) and value == value


def make_literals(column: Column, values: list[Any]) -> pl.Series:
    """Make a series of values to look for; they fit the column."""
    if column.kind == "text":
        return pl.Series(values, dtype=pl.String)
    if column.kind == "int":  # a fraction is never found among integers
        whole = [int(v) for v in values if math.isfinite(v) and v == int(v)]
        return pl.Series([v for v in whole if -(2**63) <= v < 2**63], dtype=pl.Int64)
    return pl.Series([float(v) for v in values], dtype=pl.Float64)


def _is_rowwise(query: str, columns: Mapping[str, Column]) -> bool:
    """Tell whether a pandas query can be decided row by row: if it holds nothing but what can."""
    quoted = dict(enumerate(re.findall("`([^`]*)`", query)))
    names = {f"quoted_{number}": name for number, name in quoted.items()}
    for number, name in quoted.items():
        query = query.replace(f"`{name}`", f" quoted_{number} ")
    try:
        tree = ast.parse(query.strip(), mode="eval").body
    except SyntaxError:
        return False
    known = {*columns} | {name for name, column in names.items() if column in columns}
    return isinstance(tree, TRUTHS) and _holds_rows(tree, known)


def _holds_rows(node: ast.AST, names: set[str]) -> bool:
    """Tell whether a part of a query has a value for each row of its own."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Call):
        callee = node.func
        if not isinstance(callee, ast.Attribute) or node.keywords:
            return False
        if not all(_is_constant(argument) for argument in node.args):
            return False
        if callee.attr in ROWWISE_CALLS:
            return _holds_rows(callee.value, names)
        of_texts = isinstance(callee.value, ast.Attribute) and callee.value.attr == "str"
        if not of_texts or callee.attr not in TEXT_CALLS:
            return False
        return _holds_rows(callee.value.value, names)  # type: ignore[attr-defined]  # of_texts
    if not isinstance(node, PLAIN):
        return False
    return all(
        _holds_rows(child, names)
        for child in ast.iter_child_nodes(node)
        if not isinstance(
            child, ast.operator | ast.unaryop | ast.boolop | ast.cmpop | ast.expr_context
        )
    )


def _is_constant(node: ast.AST) -> bool:
    try:
        ast.literal_eval(ast.unparse(node))
    except ValueError:
        return False
    return True


def _translate_query(query: str, columns: Mapping[str, Column]) -> pl.Expr | None:
    try:
        tree = ast.parse(query.strip(), mode="eval").body
    except SyntaxError:
        return None
    return _translate_node(tree, columns)


def _translate_node(node: ast.expr, columns: Mapping[str, Column]) -> pl.Expr | None:
    """Write the plain part of pandas' query language as Polars does."""
    if isinstance(node, ast.BoolOp):
        parts = [_translate_node(value, columns) for value in node.values]
        if any(part is None for part in parts):
            return None
        return (pl.all_horizontal if isinstance(node.op, ast.And) else pl.any_horizontal)(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _translate_node(node.operand, columns)
        return None if inner is None else ~inner
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.left, ast.Name):
        column = columns.get(node.left.id)
        try:
            value = ast.literal_eval(node.comparators[0])
        except ValueError:
            return None
        if column is None:
            return None
        operator = type(node.ops[0])
        if operator in AST_COMPARISONS:
            return compare(column, AST_COMPARISONS[operator], value)
        if operator in (ast.In, ast.NotIn) and isinstance(value, list | tuple):
            return compare(column, "IN" if operator is ast.In else "NOT_IN", value)
    return None
