"""Values of expressions: three-valued logic, comparisons, functions and aggregates."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .hql_grammar import Expression, Query
from .model import is_a
from .store import Quantity, Row, Store, StoreError

__all__ = ["Environment", "Evaluation", "Pair", "compared", "hashable", "sortable", "unique"]

Environment = dict[str, Any]

_AGGREGATES = {"count", "sum", "min", "max", "avg"}
_LISTED = {"Channel": "pixels", "WellSample": "well", "Shape": "roi"}
"""Elements that stand in a list, and the reference to what has the list."""


def _part_of_date(part: str) -> Callable[[int], int]:
    return lambda value: int(getattr(datetime.datetime.fromtimestamp(value / 1000, datetime.UTC), part))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "length": len,
    "str": str,
    "concat": lambda *values: "".join(map(str, values)),
    "substring": lambda text, start, length=None: text[start - 1 : None if length is None else start - 1 + length],
    "locate": lambda part, text, start=1: text.find(part, start - 1) + 1,
    "abs": abs,
    "mod": lambda left, right: left % right,
    "sqrt": math.sqrt,
    "cast as string": str,
    "cast as integer": int,
    "cast as int": int,
    "cast as long": int,
    "cast as double": float,
    "cast as float": float,
    **{part: _part_of_date(part) for part in ("year", "month", "day", "hour", "minute", "second")},
}
"""What is called with values, none of which is null."""


@dataclass(frozen=True)
class Pair:
    """One named value of a map annotation, as an alias of a join."""

    name: str
    value: str
    index: int


class Evaluation:
    """Gives the values of expressions; what they mean in a row is said by the interpreter."""

    def __init__(self, store: Store, parameters: dict[str, Any] | None = None) -> None:
        self.store = store
        self.parameters = parameters or {}
        self._sets: dict[int, frozenset[Any] | None] = {}

    def _walk(self, path: list[str], environment: Environment) -> Any:
        raise NotImplementedError

    def _elements(self, path: list[str], environment: Environment) -> list[Any]:
        raise NotImplementedError

    def _chosen(self, query: Query, outer: Environment | None = None) -> list[tuple[list[Any], Environment]]:
        raise NotImplementedError

    def value(self, expression: Expression, environment: Environment, members: list[Environment] | None = None) -> Any:
        """Evaluate an expression; `members` are the rows of the group that aggregates are about."""
        kind = expression[0]
        if kind == "path":
            return self._walk(expression[1], environment)
        if kind == "value":
            return expression[1]
        if kind == "param":
            if expression[1] not in self.parameters:
                raise StoreError("QueryException", f"Not all named parameters have been set: [{expression[1]}]")
            return self.parameters[expression[1]]
        if kind in ("and", "or", "not"):
            return self._logic(kind, [self.value(x, environment, members) for x in expression[1:]])
        if kind in ("=", "!=", "<", "<=", ">", ">="):
            return compared(kind, *[self.value(x, environment, members) for x in expression[1:]])
        if kind == "in":
            value = self.value(expression[1], environment, members)
            if all(item[0] in ("param", "value") for item in expression[2][1:] if expression[2][0] == "list"):
                known = self._constants(expression[2])
                if known is not None:
                    return None if value is None else (value.id if isinstance(value, Row) else value) in known
            wanted = self._list(expression[2], environment)
            return None if value is None else any(compared("=", value, w) is True for w in wanted)
        if kind == "quantified":
            operator, is_all = expression[1], expression[3]
            left = self.value(expression[2], environment, members)
            found = [compared(operator, left, right) for right in self._list(expression[4], environment)]
            return self._logic("and", found) if is_all else self._logic("or", found)
        if kind == "size":
            return len(self._elements(expression[1], environment))
        if kind == "like":
            value, pattern = (self.value(x, environment, members) for x in expression[1:3])
            return None if value is None or pattern is None else _is_like(str(value), str(pattern), expression[3])
        if kind == "null?":
            return self.value(expression[1], environment, members) is None
        if kind == "exists":
            return bool(self._list(expression[1], environment))
        if kind == "scalar":
            rows = self._chosen(expression[1], environment)
            return rows[0][0][0] if rows else None
        if kind == "arithmetic":
            return _calculated(expression[1], *[self.value(x, environment, members) for x in expression[2:]])
        if kind == "case":
            for condition, result in expression[1]:
                if self.value(condition, environment, members) is True:
                    return self.value(result, environment, members)
            return self.value(expression[2], environment, members)
        if kind == "call":
            return self._call(expression, environment, members)
        raise StoreError("QueryException", f"{kind} is not implemented by the double")

    def _logic(self, kind: str, values: list[Any]) -> bool | None:
        if kind == "not":
            return None if values[0] is None else not values[0]
        decisive = kind == "or"
        if any(v is decisive for v in values):
            return decisive
        return None if any(v is None for v in values) else not decisive

    def _list(self, expression: Expression, environment: Environment) -> list[Any]:
        if expression[0] == "query":
            return [values[0] for values, _ in self._chosen(expression[1], environment)]
        if expression[0] == "elements":
            return self._elements(expression[1], environment)
        found: list[Any] = []
        for item in expression[1:]:
            value = self.value(item, environment)
            found += value if isinstance(value, list) else [value]
        if not found:  # what Hibernate makes of it is no SQL
            raise StoreError("QueryException", "unexpected end of subtree: 'in' needs a list that is not empty")
        return found

    def _constants(self, expression: Expression) -> frozenset[Any] | None:
        """Give a list of constants as a set, made once; None where it is no such list."""
        if expression[0] != "list":
            return None
        if id(expression) not in self._sets:
            found = self._list(expression, {})
            is_simple = all(isinstance(item, int | str) and not isinstance(item, bool) for item in found)
            self._sets[id(expression)] = frozenset(found) if is_simple else None
        return self._sets[id(expression)]

    def _has_aggregate(self, expression: Any) -> bool:
        if isinstance(expression, tuple) and expression and expression[0] == "call" and expression[1] in _AGGREGATES:
            return True
        if isinstance(expression, tuple) and expression and expression[0] in ("scalar", "exists", "query"):
            return False
        return isinstance(expression, (tuple, list)) and any(self._has_aggregate(x) for x in expression)

    def _call(self, expression: Expression, environment: Environment, members: list[Environment] | None) -> Any:
        name, is_distinct, arguments = expression[1], expression[2], expression[3:]
        if name in _AGGREGATES:
            rows = members if members is not None else [environment]
            if not arguments:
                return len(rows)
            values = [v for v in (self.value(arguments[0], row) for row in rows) if v is not None]
            if is_distinct:
                values = list({hashable(v): v for v in values}.values())
            if name == "count":
                return len(values)
            if name == "avg":
                return sum(values) / len(values) if values else None
            return {"sum": sum, "min": min, "max": max}[name](values) if values else None
        if name == "size":
            return len(self._elements(arguments[0][1], environment))
        if name in ("minindex", "maxindex"):
            places = [_index(self.store, value) for value in self._elements(arguments[0][1], environment)]
            return (min if name == "minindex" else max)(places, default=None)
        values = [self.value(x, environment, members) for x in arguments]
        if name == "index":
            return _index(self.store, values[0])
        if name == "type":
            return _java_name(values[0].cls if isinstance(values[0], Row) else values[0])
        if name == "coalesce":
            return next((value for value in values if value is not None), None)
        if name == "nullif":
            return None if compared("=", *values) is True else values[0]
        if name not in _FUNCTIONS:
            raise StoreError("QueryException", f"the function {name}() is not implemented by the double")
        return None if None in values else _FUNCTIONS[name](*values)


def _index(store: Store, value: Any) -> int | None:
    """Say where an element stands in its list."""
    if isinstance(value, Pair):
        return value.index
    if isinstance(value, Row) and value.cls in _LISTED:
        owner = value.values[_LISTED[value.cls]]
        siblings = store.referring(owner, value.cls, _LISTED[value.cls])
        return sorted(row.id for row in siblings).index(value.id)
    raise StoreError("QueryException", "index() needs an element of a list")


def _java_name(cls: str | None) -> str | None:
    """Give the name that a class has in the server; the client knows no packages, so only those of annotations."""
    if cls is not None and not is_a(cls, "Annotation"):
        raise StoreError("QueryException", f"type() of {cls} is not implemented by the double")
    return None if cls is None else f"ome.model.annotations.{cls}"


def hashable(value: Any) -> Any:
    return value.reference if isinstance(value, Row) else value


def unique(rows: list[list[Any]]) -> list[list[Any]]:
    return list({tuple(hashable(v) for v in row): row for row in rows}.values())


def sortable(value: Any) -> tuple[bool, Any]:
    return value is None, 0 if value is None else hashable(value)


def compared(operator: str, left: Any, right: Any) -> bool | None:
    left = left.value if isinstance(left, Quantity) else left
    right = right.value if isinstance(right, Quantity) else right
    if isinstance(left, Row) or isinstance(right, Row):
        left = left.id if isinstance(left, Row) else left
        right = right.id if isinstance(right, Row) else right
    if left is None or right is None:
        return None
    if isinstance(left, str) != isinstance(right, str):
        raise StoreError("QueryException", f"cannot compare {left!r} with {right!r}")
    if operator in ("=", "!="):
        return (left == right) is (operator == "=")
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


def _calculated(sign: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    return left * right if sign == "*" else left / right


def _is_like(value: str, pattern: str, escape: str) -> bool:
    parts, rest = [], iter(pattern)
    for c in rest:
        if c == escape:
            parts.append(re.escape(next(rest, "")))
        else:
            parts.append(".*" if c == "%" else "." if c == "_" else re.escape(c))
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None
