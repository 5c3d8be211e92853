"""Values of expressions: three-valued logic, comparisons, functions and aggregates."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .hql_grammar import Expression, Query
from .store import Quantity, Row, Store, StoreError

__all__ = ["Environment", "Evaluation", "Pair", "compared", "hashable", "sortable", "unique"]

Environment = dict[str, Any]

_AGGREGATES = {"count", "sum", "min", "max", "avg"}


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
        if kind == "like":
            value, pattern = (self.value(x, environment, members) for x in expression[1:])
            return None if value is None or pattern is None else _is_like(str(value), str(pattern))
        if kind == "null?":
            return self.value(expression[1], environment, members) is None
        if kind == "exists":
            return bool(self._chosen(expression[1], environment))
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
        found: list[Any] = []
        for item in expression[1:]:
            value = self.value(item, environment)
            found += value if isinstance(value, list) else [value]
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
        values = [self.value(x, environment, members) for x in arguments]
        if name == "index" and isinstance(values[0], Pair):
            return values[0].index
        if name == "index" and isinstance(values[0], Row) and values[0].cls == "Channel":
            siblings = self.store.referring(values[0].values["pixels"], "Channel", "pixels")
            return sorted(r.id for r in siblings).index(values[0].id)
        simple: dict[str, Callable[..., Any]] = {
            "lower": lambda v: None if v is None else v.lower(),
            "upper": lambda v: None if v is None else v.upper(),
            "trim": lambda v: None if v is None else v.strip(),
            "length": lambda v: None if v is None else len(v),
            "str": lambda v: None if v is None else str(v),
            "concat": lambda *v: None if None in v else "".join(map(str, v)),
            "coalesce": lambda *v: next((x for x in v if x is not None), None),
        }
        if name not in simple:
            raise StoreError("QueryException", f"the function {name}() is not implemented by the double")
        return simple[name](*values)


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


def _is_like(value: str, pattern: str) -> bool:
    parts = [".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern]
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None
