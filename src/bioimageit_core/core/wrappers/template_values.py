"""What templates see of parameters: values whose ``str()`` is the text for the command line.

Comparisons, arithmetic and iteration follow the parameter's type, as in Galaxy; every text has gone through the
parameter's sanitizer.
"""

from __future__ import annotations

import operator
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bioimageit_core.core.wrappers.model import Param
from bioimageit_core.core.wrappers.sanitizer import DEFAULT_SANITIZER, Sanitizer

__all__ = ["Columns", "GroupValue", "ParamValue", "SelectValue", "TextValue", "value_for"]


class ParamValue:
    """A number, a boolean, or a value that is not set.

    Parameters
    ----------
    value
        The typed value; None where it is not set.
    text
        What it is on the command line.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, param: Param, value: Any, text: str) -> None:
        self._param = param
        self.value = value
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return repr(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value if spec and self.value is not None else self._text, spec)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value) if self.value is not None else int(self._text)

    def __float__(self) -> float:
        return float(self.value) if self.value is not None else float(self._text)

    def __index__(self) -> int:
        return operator.index(self.value)

    def __len__(self) -> int:
        return len(self._text)

    def __contains__(self, item: Any) -> bool:
        return str(item) in self._text

    def __iter__(self) -> Iterator[str]:
        return iter([self._text])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if hasattr(str, name) and not hasattr(self.value, name):
            return getattr(self._text, name)
        return getattr(self.value, name)

    def get_display_text(self, quote: bool = True) -> str:
        """Give what people are shown of it; quoted for a shell unless told not to."""
        return _displayed("" if self.value is None else str(self.value), quote)

    @property
    def is_boolean(self) -> bool:
        """Whether it is a boolean."""
        return self._param.type == "boolean"

    def _pair(self, other: Any) -> tuple[Any, Any]:
        """Give both sides of a comparison in the parameter's type."""
        if isinstance(other, ParamValue):
            other = other.value
        if self.value is None or other is None:
            return (self._text, str(other)) if isinstance(other, str) else (self.value, other)
        if self.is_boolean and isinstance(other, str):
            if other in (self._param.true_value, self._param.false_value):
                return self._text, other
            return bool(self.value), other.strip().lower() in ("true", "yes", "on", "1")
        if isinstance(other, str):
            try:
                return self.value, float(other)
            except ValueError:
                return self._text, other
        return self.value, other

    def __eq__(self, other: object) -> bool:
        mine, theirs = self._pair(other)
        return bool(mine == theirs)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        mine, theirs = self._pair(other)
        return bool(mine < theirs)

    def __le__(self, other: Any) -> bool:
        mine, theirs = self._pair(other)
        return bool(mine <= theirs)

    def __gt__(self, other: Any) -> bool:
        mine, theirs = self._pair(other)
        return bool(mine > theirs)

    def __ge__(self, other: Any) -> bool:
        mine, theirs = self._pair(other)
        return bool(mine >= theirs)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, ParamValue) else value


def _binary(name: str) -> Callable[[ParamValue, Any], Any]:
    function = getattr(operator, name)

    def forward(self: ParamValue, other: Any) -> Any:
        if name == "add" and isinstance(other, str):
            return str(self) + other
        return function(self.value, _plain(other))

    return forward


def _reflected(name: str) -> Callable[[ParamValue, Any], Any]:
    function = getattr(operator, name)

    def backward(self: ParamValue, other: Any) -> Any:
        if name == "add" and isinstance(other, str):
            return other + str(self)
        return function(_plain(other), self.value)

    return backward


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(ParamValue, f"__{_name}__", _binary(_name))
    setattr(ParamValue, f"__r{_name}__", _reflected(_name))


def _unary(name: str) -> Callable[[ParamValue], Any]:
    function = getattr(operator, name)
    return lambda self: function(self.value)


for _name in ("neg", "pos", "abs"):
    setattr(ParamValue, f"__{_name}__", _unary(_name))


def _displayed(text: str, quote: bool) -> str:
    return shlex.quote(text) if quote else text


class TextValue(str):
    """A text, as its sanitizer lets it pass; everything that is made from it is made from that."""

    __slots__ = ("is_set",)
    is_set: bool

    def __new__(cls, text: str, is_set: bool = True) -> TextValue:
        """Make it; `is_set` says whether there is a value at all."""
        self = super().__new__(cls, text)
        self.is_set = is_set
        return self

    def get_display_text(self, quote: bool = True) -> str:
        """Give what people are shown of it; quoted for a shell unless told not to."""
        return _displayed(str(self) if self.is_set else "", quote)

    @property
    def value(self) -> str | None:
        """The text; None where it is not set."""
        return str(self) if self.is_set else None

    def __eq__(self, other: object) -> bool:
        if other is None:
            return not self.is_set
        return str.__eq__(self, other if isinstance(other, str) else str(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return str.__hash__(self)


class SelectValue(TextValue):
    """The choice, or choices, of a select parameter; with many, iteration gives them one by one."""

    __slots__ = ("choices", "is_many", "labels")
    choices: list[str]
    labels: list[str]
    is_many: bool

    @classmethod
    def of(cls, param: Param, value: Any, sanitizer: Sanitizer) -> SelectValue:
        """Make it from the value of a select parameter."""
        raw = [] if value is None else list(value) if isinstance(value, list) else [value]
        choices = [sanitizer.clean(str(item)) for item in raw]
        self = cls(param.separator.join(choices) if choices else "None", bool(raw))
        known = {option.value: option.label for option in param.options}
        self.choices = choices
        self.labels = [DEFAULT_SANITIZER.clean(known.get(str(item), str(item))) for item in raw]
        self.is_many = param.multiple
        return self

    def get_display_text(self, quote: bool = True) -> str:
        """Give what the wrapper calls the choices; quoted for a shell unless told not to."""
        return _displayed("\n".join(self.labels) if self.labels else "Nothing selected.", quote)

    @property
    def value_label(self) -> str:
        """What the wrapper calls the choice."""
        return ",".join(self.labels)

    @property
    def value(self) -> Any:
        """The choice, or the list of them."""
        if self.is_many:
            return list(self.choices)
        return self.choices[0] if self.choices else None

    def __bool__(self) -> bool:
        return any(self.choices) if not self.is_many else bool(self.choices)

    def __iter__(self) -> Iterator[str]:
        return iter(self.choices) if self.is_many else super().__iter__()

    def __len__(self) -> int:
        return len(self.choices) if self.is_many else super().__len__()

    def __contains__(self, item: object) -> bool:
        return str(item) in self.choices if self.is_many else super().__contains__(str(item))

    def __getitem__(self, key: Any) -> Any:
        return self.choices[key] if self.is_many else super().__getitem__(key)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, tuple)):
            return self.choices == [str(item) for item in other]
        if other == "" and not self.choices:
            return True  # what is not chosen is said as None, and asked for as an empty text
        return super().__eq__(other)

    def __hash__(self) -> int:
        return str.__hash__(self)


class Columns(SelectValue):
    """The column, or columns, of a table."""

    __slots__ = ()

    def __int__(self) -> int:
        return int(str(self))

    def __eq__(self, other: object) -> bool:
        return super().__eq__(str(other) if isinstance(other, int) else other)

    def __hash__(self) -> int:
        return str.__hash__(self)


class GroupValue(dict[str, Any]):
    """The values of a conditional, a section or one turn of a repeat: by item and by attribute."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no parameter {name!r} here (there are: {', '.join(self) or 'none'})") from None


def value_for(param: Param, value: Any) -> Any:
    """Give what templates see of a parameter that is no input."""
    sanitizer = param.sanitizer or DEFAULT_SANITIZER
    if param.type == "boolean":
        return ParamValue(param, bool(value), param.true_value if value else param.false_value)
    if param.type in ("integer", "float"):
        return ParamValue(param, value, "" if value is None else str(value))
    if param.type == "data_column":
        return Columns.of(param, value, sanitizer)
    if param.type == "color":
        return TextValue(_colour(param, value), value is not None)
    if param.type in ("select", "drill_down"):
        return SelectValue.of(param, value, sanitizer)
    return TextValue("" if value is None else sanitizer.clean(str(value)), value is not None)


def _colour(param: Param, value: str | None) -> str:
    """Write a colour: it was checked to be six hexadecimal digits, so its ``#`` need not be mapped."""
    if value is None:
        return ""
    return str(tuple(bytes.fromhex(value.removeprefix("#")))) if param.is_rgb else value


def is_group(value: Any) -> bool:
    """Say whether a value of a state is that of a group."""
    return isinstance(value, Mapping)
