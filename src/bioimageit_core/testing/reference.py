"""What queries select, said a second time and as simply as can be: services are compared with it.

It knows texts alone, which every home can store. The rules are those of `bioimageit_core.core.query`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

__all__ = ["KEYS", "Expression", "expressions", "values"]

KEYS = ("Population", "Day", "Gene name", "note µ")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_COMMON = ("p53", "p63", "P53", "1", "01", "1.0", "2", "10", "-3", "1e3", "2024-05", "2024-05-31", "2023-12-24", "")
_ODD = st.text(alphabet="ab1 %_'\"\\()=<>,~éµ細*", max_size=6)
_PATTERNS = ("p", "^p", "3$", "^$", "[0-9]+", "a|b", "p.3")

Fields: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Expression:
    """A query that can be written and followed."""

    kind: str
    key: str = ""
    texts: tuple[str, ...] = ()
    parts: tuple[Expression, ...] = ()

    def __str__(self) -> str:
        if self.kind in {"AND", "OR"}:
            return f" {self.kind} ".join(f"({part})" for part in self.parts)
        if self.kind == "NOT":
            return f"NOT ({self.parts[0]})"
        key = _quoted(self.key)
        if self.kind == "HAS":
            return key
        if self.kind == "IN":
            return f"{key} IN ({', '.join(_quoted(text) for text in self.texts)})"
        return f"{key}{self.kind}{_quoted(self.texts[0])}"

    def selects(self, fields: Fields) -> bool:
        """Say whether a data with these fields is meant; a key that it lacks has the value ``''``."""
        if self.kind == "AND":
            return all(part.selects(fields) for part in self.parts)
        if self.kind == "OR":
            return any(part.selects(fields) for part in self.parts)
        if self.kind == "NOT":
            return not self.parts[0].selects(fields)
        value = fields.get(self.key, "")
        if self.kind == "HAS":
            return bool(value.strip())
        if self.kind == "IN":
            return value.strip() in [text.strip() for text in self.texts]
        return self.compares(value, self.texts[0])

    def compares(self, value: str, text: str) -> bool:
        """Say whether a value compares with a text as this one comparison asks."""
        if self.kind == "!=":
            return not Expression("=", self.key, self.texts).compares(value, text)
        if self.kind == "=" and self.key == "name":
            return text in value
        if self.kind == "=" and self.key == "date" and text.strip():
            return value.strip().startswith(text.strip())
        if self.kind == "=":
            return value.strip() == text.strip()
        if self.kind == "==":
            return value == text
        if self.kind == "~":
            return re.search(text, value) is not None
        return self._is_ordered(value.strip(), text.strip())

    def _is_ordered(self, value: str, text: str) -> bool:
        order = _ORDERS[self.kind]
        is_number = _NUMBER.fullmatch(value) is not None
        if self.key == "date" or _DATE.fullmatch(text):
            is_comparable = is_number or _DATE.fullmatch(value) is not None
            return is_comparable and bool(order(value[: len(text)], text))
        return is_number and bool(order(float(value), float(text)))


def values() -> st.SearchStrategy[str]:
    """Draw values of annotations: mostly from a few, so that queries find something."""
    return st.one_of(st.sampled_from(_COMMON), st.sampled_from(_COMMON), _ODD)


def expressions() -> st.SearchStrategy[Expression]:
    """Draw queries."""
    keys = st.sampled_from((*KEYS, "name", "date", "author", "format", "nobody has it"))
    bounds = st.sampled_from(("1", "1.5", "-3", "1e3", "2024-05", "2024-01-01"))
    leaves = st.one_of(
        st.builds(_leaf, st.sampled_from(("=", "!=", "==")), keys, values()),
        st.builds(_leaf, st.sampled_from(tuple(_ORDERS)), keys, bounds),
        st.builds(_leaf, st.just("~"), keys, st.sampled_from(_PATTERNS)),
        st.builds(Expression, st.just("HAS"), keys),
        st.builds(Expression, st.just("IN"), keys, st.lists(values(), min_size=1, max_size=3).map(tuple)),
    )
    return st.recursive(leaves, _joined, max_leaves=5)


def _joined(children: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    def join(kind: str, parts: list[Expression]) -> Expression:
        return Expression(kind, parts=tuple(parts))

    return st.one_of(
        st.builds(join, st.sampled_from(("AND", "OR")), st.lists(children, min_size=2, max_size=3)),
        st.builds(join, st.just("NOT"), st.lists(children, min_size=1, max_size=1)),
    )


def _leaf(kind: str, key: str, text: str) -> Expression:
    return Expression(kind, key, (text,))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
