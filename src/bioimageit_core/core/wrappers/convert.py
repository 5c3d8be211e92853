"""One value of one parameter: from what a user gave to its type."""

from __future__ import annotations

import math
import re
from typing import Any

from bioimageit_core.core.wrappers.model import Param

__all__ = ["BadValueError", "convert"]

_TRUE = ("true", "yes", "1", "on")
_FALSE = ("false", "no", "0", "off", "")
_WHOLE = re.compile(r"\s*[+-]?\d+\s*\Z", re.ASCII)


class BadValueError(ValueError):
    """What is wrong with one value."""


def convert(param: Param, raw: Any, is_given: bool, profile: tuple[int, int]) -> Any:
    """Give the value of a parameter in its type; its default where none was given.

    Raises
    ------
    BadValueError
        The value is not of the type, is not a choice, or is missing.
    """
    if param.type in ("integer", "float"):
        return _number(param, raw, is_given)
    if param.type == "boolean":
        return _boolean(param, raw if is_given and raw is not None else param.default)
    if param.type in ("select", "drill_down"):
        return _select(param, raw, is_given)
    if param.type == "data_column":
        return _columns(param, raw, is_given)
    if param.type == "color":
        return _color(param, raw if is_given else param.default)
    return _text(param, raw, is_given, profile)


def _number(param: Param, raw: Any, is_given: bool) -> int | float | None:
    value = raw if is_given and raw is not None else (param.default if not is_given or not param.optional else None)
    if isinstance(value, str) and not value.strip():
        value = None
    if value is None:
        if param.optional:
            return None
        raise BadValueError("needs a value")
    if isinstance(value, bool):
        raise BadValueError(f"{value!r} is not a number")
    number = _whole(value) if param.type == "integer" else _real(value)
    if param.minimum.strip() and number < _real(param.minimum):
        raise BadValueError(f"{number} is not at least {param.minimum}")
    if param.maximum.strip() and number > _real(param.maximum):
        raise BadValueError(f"{number} is not at most {param.maximum}")
    return number


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) < 1000 and _WHOLE.match(value):
        return int(value)
    raise BadValueError(f"{value!r} is not a whole number")


def _real(value: Any) -> float:
    try:
        if isinstance(value, str) and "_" in value:
            raise ValueError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValueError(f"{value!r} is not a number") from None
    if math.isnan(number):
        raise BadValueError("it is not a number")
    return number


def _boolean(param: Param, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value)
    if text == param.true_value and text != param.false_value:
        return True
    if text == param.false_value and text != param.true_value:
        return False
    if text.strip().lower() in _TRUE:
        return True
    if text.strip().lower() in _FALSE:
        return False
    raise BadValueError(f"{value!r} is neither true nor false")


def _select(param: Param, raw: Any, is_given: bool) -> Any:
    if param.is_open:
        return _open_select(param, raw)
    values = [option.value for option in param.options]
    if not is_given or (raw is None and not param.optional):
        chosen = [option.value for option in param.options if option.is_selected]
        if param.multiple:
            if not chosen and not param.optional:
                raise BadValueError(f"needs one or more of {_listed(values)}")
            return chosen
        if chosen:
            return chosen[-1]
        if param.default is not None and param.default in values:
            return param.default
        if param.optional:
            return None
        if not values:
            raise BadValueError("has no choices")
        return values[0]
    if param.multiple:
        if raw is None:
            return []
        items = list(raw) if isinstance(raw, (list, tuple, set, frozenset)) else _split(values, str(raw))
        found = [_option(param, item) for item in items]
        if not found and not param.optional:
            raise BadValueError(f"needs one or more of {_listed(values)}")
        return found
    if isinstance(raw, (list, tuple)):
        if len(raw) != 1:
            raise BadValueError(f"takes one choice, not {len(raw)}")
        raw = raw[0]
    if param.optional and (raw is None or (raw == "" and "" not in values)):
        return None
    return _option(param, raw)


def _open_select(param: Param, raw: Any) -> Any:
    """Take any text for a choice: which there are stands in data that nobody has read yet."""
    items = list(raw) if isinstance(raw, (list, tuple)) else [] if raw in (None, "") else [raw]
    if param.multiple and len(items) == 1 and isinstance(items[0], str):
        items = _split([], items[0])
    texts = [_as_text(item) for item in items]
    if not texts and not param.optional:
        raise BadValueError("needs a value: its choices are in the data that the tool is given")
    if param.multiple:
        return texts
    if len(texts) > 1:
        raise BadValueError(f"takes one choice, not {len(texts)}")
    return texts[0] if texts else None


def _split(values: list[str], text: str) -> list[str]:
    if text in values:
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]


def _option(param: Param, raw: Any) -> str:
    text = _as_text(raw)
    values = [option.value for option in param.options]
    if text in values:
        return text
    if isinstance(raw, bool):
        text = str(raw)
        if text in values:
            return text
    labelled = [option.value for option in param.options if option.label == text]
    if len(labelled) == 1:
        return labelled[0]
    raise BadValueError(f"{text!r} is not one of {_listed(values)}")


def _listed(values: list[str]) -> str:
    shown = ", ".join(values[:20])
    return f"{shown} and {len(values) - 20} more" if len(values) > 20 else shown or "no choices"


def _as_text(raw: Any) -> str:
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw)


def _columns(param: Param, raw: Any, is_given: bool) -> Any:
    value = raw if is_given else param.default
    items = (
        list(value)
        if isinstance(value, (list, tuple))
        else [part.strip() for part in str(value).split(",")]
        if value not in (None, "")
        else []
    )
    found = []
    for item in items:
        text = str(item).strip()
        number = text[1:] if text[:1] == "c" else text
        if not (number.isascii() and number.isdigit()) or int(number) < 1:
            raise BadValueError(f"{item!r} is not the number of a column")
        found.append(number)
    if param.multiple:
        if not found and not param.optional:
            raise BadValueError("needs the number of a column")
        return found
    if len(found) > 1:
        raise BadValueError(f"takes one column, not {len(found)}")
    if not found:
        if param.optional:
            return None
        return "1"
    return found[0]


def _color(param: Param, value: Any) -> str | None:
    if value in (None, ""):
        if param.optional:
            return None
        return "#000000"
    text = str(value)
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        raise BadValueError(f"{text!r} is not a colour of the form #rrggbb")
    return text


def _text(param: Param, raw: Any, is_given: bool, profile: tuple[int, int]) -> str | None:
    if is_given and raw is not None:
        if isinstance(raw, (list, tuple, dict)):
            raise BadValueError(f"takes a text, not a {type(raw).__name__}")
        text = _as_text(raw)
        if "\0" in text:
            raise BadValueError("a text cannot have a NUL character")
        return text
    if is_given and param.optional:
        return None
    if param.default is not None:
        return param.default
    # up to profile 23.0 an optional text that is not set is an empty one
    return None if param.optional and profile >= (23, 0) else ""
