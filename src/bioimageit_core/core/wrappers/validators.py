"""The validators of wrappers, run before anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.convert import BadValueError
from bioimageit_core.core.wrappers.model import Param, Validator
from bioimageit_core.core.wrappers.probe import number_of_values

__all__ = ["KNOWN_VALIDATORS", "REFUSED_VALIDATORS", "check_data", "check_value"]


def check_value(param: Param, value: Any) -> None:
    """Run a parameter's validators.

    Raises
    ------
    BadValueError
        The first that is not content.
    """
    if param.optional and value in (None, ""):
        return
    for validator in param.validators:
        check = _VALUE_CHECKS.get(validator.type)
        if check is not None and check(validator, value, param) is validator.negate:
            raise BadValueError(_said(validator, value))


def check_data(param: Param, files: Sequence[InputFile]) -> None:
    """Run an input's validators on its files.

    Raises
    ------
    BadValueError
        The first that is not content.
    """
    for validator in param.validators:
        check = _DATA_CHECKS.get(validator.type)
        if check is None:
            continue
        for file in files:
            if check(validator, file) is validator.negate:
                raise BadValueError(f"{file.name}: {_said(validator, file.name)}")


def _said(validator: Validator, value: Any) -> str:
    if validator.message:
        return f"{value!r}: " + validator.message.replace("%s", str(value))
    wish = "must not fulfil" if validator.negate else "does not fulfil"
    facts = ", ".join(f"{key}={text!r}" for key, text in validator.options.items())
    return f"{value!r} {wish} {validator.type} ({facts or validator.text.strip()})"


def _number(text: str | None, otherwise: float) -> float:
    try:
        return otherwise if text is None or not text.strip() else float(text)
    except ValueError:
        raise BadValueError(f"the wrapper's validator has {text!r} where a number is expected") from None


def _is_in(value: float, options: dict[str, str]) -> bool:
    low, high = _number(options.get("min"), float("-inf")), _number(options.get("max"), float("inf"))
    above = value > low if options.get("exclude_min", "").lower() == "true" else value >= low
    below = value < high if options.get("exclude_max", "").lower() == "true" else value <= high
    return above and below


def _in_range(validator: Validator, value: Any, _param: Param) -> bool:
    try:
        return _is_in(float(value), validator.options)
    except (TypeError, ValueError):
        return False


def _length(validator: Validator, value: Any, _param: Param) -> bool:
    return _is_in(len(value or ""), validator.options)


def _regex(validator: Validator, value: Any, _param: Param) -> bool:
    pattern = validator.options.get("expression") or validator.text
    items = value if isinstance(value, list) else [value]
    try:
        return all(re.match(pattern, "" if item is None else str(item)) is not None for item in items)
    except re.error as error:
        raise BadValueError(f"the wrapper's regular expression {pattern!r} is wrong: {error}") from None


def _expression(validator: Validator, value: Any, param: Param) -> bool:
    text = (validator.options.get("expression") or validator.text).strip()
    shown = ("" if value is None else str(value)) if param.type in ("text", "hidden") else value
    try:
        # the wrapper's own code, as trusted as the program that it wraps
        return bool(eval(text, {"__builtins__": _BUILTINS}, {"value": shown}))  # nosec B307 # noqa: S307
    except Exception:  # noqa: BLE001  (whatever the expression raises, the value does not fulfil it)
        return False


def _empty_field(_validator: Validator, value: Any, _param: Param) -> bool:
    return value is not None and (not isinstance(value, str) or value.strip() != "")


def _no_options(_validator: Validator, value: Any, _param: Param) -> bool:
    return value not in (None, [], "")


def _unspecified_build(_validator: Validator, value: Any, _param: Param) -> bool:
    return bool(value != "?")


def _ok(_validator: Validator, _file: InputFile) -> bool:
    return True


def _metadata(validator: Validator, file: InputFile) -> bool:
    if not file.metadata:
        return True
    wanted = [key.strip() for key in validator.options.get("check", "").split(",") if key.strip()]
    skipped = {key.strip() for key in validator.options.get("skip", "").split(",") if key.strip()}
    keys = wanted or [key for key in file.metadata if key not in skipped]
    return all(str(file.metadata.get(key, "")) not in ("", "None") for key in keys)


def _fact(validator: Validator, file: InputFile) -> str | None:
    """Give what is known of a file by the name that a validator asks for."""
    key = validator.options.get("metadata_name", "")
    if key == "num_unique_values" and key not in file.metadata:
        return number_of_values(file.path) or None
    return str(file.metadata[key]) if key in file.metadata else None


def _metadata_equal(validator: Validator, file: InputFile) -> bool:
    actual = _fact(validator, file)
    if actual is None:
        return not validator.negate
    if "value_json" in validator.options:
        wanted: object = json.loads(validator.options["value_json"])
        return actual in {str(wanted), json.dumps(wanted)}
    wanted_text: str = validator.options.get("value", "")
    return actual == wanted_text


def _metadata_in_range(validator: Validator, file: InputFile) -> bool:
    actual = _fact(validator, file)
    if actual is None:
        return not validator.negate
    try:
        return _is_in(float(actual), validator.options)
    except ValueError:
        return False


_BUILTINS = {
    name: __builtins__[name] if isinstance(__builtins__, dict) else getattr(__builtins__, name)
    for name in [
        "abs",
        "all",
        "any",
        "bool",
        "dict",
        "enumerate",
        "float",
        "int",
        "len",
        "list",
        "max",
        "min",
        "range",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
        "isinstance",
        "map",
        "filter",
        "ord",
        "chr",
        "True",
        "False",
        "None",
        "ValueError",
        "__import__",
    ]
}
_VALUE_CHECKS: dict[str, Callable[[Validator, Any, Param], bool]] = {
    "in_range": _in_range,
    "length": _length,
    "regex": _regex,
    "expression": _expression,
    "empty_field": _empty_field,
    "no_options": _no_options,
    "unspecified_build": _unspecified_build,
}
_DATA_CHECKS: dict[str, Callable[[Validator, InputFile], bool]] = {
    "dataset_ok_validator": _ok,
    "empty_dataset": _ok,
    "empty_extra_files_path": _ok,
    "metadata": _metadata,
    "dataset_metadata_equal": _metadata_equal,
    "dataset_metadata_in_range": _metadata_in_range,
}
KNOWN_VALIDATORS = frozenset(_VALUE_CHECKS) | frozenset(_DATA_CHECKS)
REFUSED_VALIDATORS = frozenset(
    [
        "value_in_data_table",
        "value_not_in_data_table",
        "dataset_metadata_in_data_table",
        "dataset_metadata_not_in_data_table",
        "dataset_metadata_in_file",
    ]
)
