"""Read pipelines: the JSON of the published containers, and a form in YAML."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bioimageit_core.containers import Pipeline, PipelineInput, PipelineOutput, PipelineParameter, PipelineStep
from bioimageit_core.core import yaml_text
from bioimageit_core.core.exceptions import ToolsServiceError

__all__ = ["parse_pipeline", "read_pipeline"]

T = TypeVar("T")

_MAX_CHARACTERS = 4 * 1024 * 1024


def read_pipeline(path: str) -> Pipeline:
    """Read a pipeline from a ``.json``, ``.yaml`` or ``.yml`` file.

    Raises
    ------
    ToolsServiceError
        It cannot be read; the message names the file and the field.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ToolsServiceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > _MAX_CHARACTERS:
        raise ToolsServiceError(f"{path}: larger than the {_MAX_CHARACTERS} characters that a pipeline may have")
    try:
        document = yaml_text.decode(text) if path.lower().endswith((".yaml", ".yml")) else _json(text)
        return parse_pipeline(document, path)
    except RecursionError as error:
        raise ToolsServiceError(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise ToolsServiceError(f"{path}: {error}") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from error


def parse_pipeline(document: Any, origin: str = "") -> Pipeline:
    """Make a pipeline of what a JSON or YAML document says.

    In the short form of YAML, ``inputs`` is a mapping of names to a dataset or to ``{dataset, query, output}``,
    ``parameters`` a mapping of names to values, and ``outputs`` a list of names.

    Raises
    ------
    ToolsServiceError
        It is not a pipeline; the message names the field.

    Examples
    --------
    >>> steps = [{"name": "blur", "tool": "g_v1", "inputs": {"i": "data"}, "parameters": {"sigma": 2}}]
    >>> parse_pipeline({"name": "p", "steps": steps}).steps[0].inputs[0].dataset
    'data'
    """
    body = _mapping(document, origin, "$", Pipeline)
    steps = body.get("steps")
    if not isinstance(steps, list):
        raise ToolsServiceError(f"{origin}: $.steps: a list of steps is expected")
    texts = {
        key: _text(body, key, origin, "$")
        for key in ("name", "description", "user", "date", "uuid", "bioimageit_version")
    }
    return Pipeline(**texts, steps=[_step(item, origin, f"$.steps[{index}]") for index, item in enumerate(steps)])


def _step(item: Any, origin: str, place: str) -> PipelineStep:
    body = _mapping(item, origin, place, PipelineStep, "dataset")
    tool = _text(body, "tool", origin, place)
    if not tool:
        raise ToolsServiceError(f"{origin}: {place}.tool: the full name of a tool is expected")
    name = _text(body, "name", origin, place) or tool
    return PipelineStep(
        name=name,
        tool=tool,
        inputs=_items(body, "inputs", origin, place, _input),
        parameters=_items(body, "parameters", origin, place, _parameter),
        outputs=_items(body, "outputs", origin, place, _output),
        output_dataset_name=_text(body, "output_dataset_name", origin, place) or _text(body, "dataset", origin, place),
    )


def _items(
    body: Mapping[str, Any], key: str, origin: str, place: str, make: Callable[[str, Any, str, str], T]
) -> list[T]:
    value = body.get(key)
    if value is None:
        return []
    where = f"{place}.{key}"
    if isinstance(value, Mapping):
        return [make(str(name), item, origin, f"{where}.{name}") for name, item in value.items()]
    if not isinstance(value, list):
        raise ToolsServiceError(f"{origin}: {where}: a list or a mapping is expected")
    found = []
    for index, item in enumerate(value):
        if isinstance(item, str):
            found.append(make(item, {}, origin, f"{where}[{index}]"))
            continue
        entry = _mapping(item, origin, f"{where}[{index}]", None)
        name = _text(entry, "name", origin, f"{where}[{index}]")
        if not name:
            raise ToolsServiceError(f"{origin}: {where}[{index}].name: a name is expected")
        found.append(make(name, entry, origin, f"{where}[{index}]"))
    return found


def _input(name: str, item: Any, origin: str, place: str) -> PipelineInput:
    if isinstance(item, str):
        return PipelineInput(name, item)
    body = _mapping(item, origin, place, PipelineInput, "output")
    produced = _text(body, "origin_output_name", origin, place) or _text(body, "output", origin, place)
    return PipelineInput(name, _text(body, "dataset", origin, place), _text(body, "query", origin, place), produced)


def _parameter(name: str, item: Any, _origin: str, _place: str) -> PipelineParameter:
    if isinstance(item, Mapping) and set(item) == {"name", "value"}:
        return PipelineParameter(name, item["value"])
    return PipelineParameter(name, item)


def _output(name: str, item: Any, origin: str, place: str) -> PipelineOutput:
    if item is None or isinstance(item, bool):
        item = {} if item is None else {"save": item}
    save = _mapping(item, origin, place, PipelineOutput).get("save", True)
    if not isinstance(save, bool):
        raise ToolsServiceError(f"{origin}: {place}.save: true or false is expected")
    return PipelineOutput(name, save)


def _mapping(value: Any, origin: str, place: str, kind: type[Any] | None, *more: str) -> Mapping[str, Any]:
    """Return a mapping; keys that nobody knows are left to others, unless they look like one of ours."""
    if not isinstance(value, Mapping):
        raise ToolsServiceError(f"{origin}: {place}: a mapping is expected, not {type(value).__name__}")
    known = [*(each.name for each in dataclasses.fields(kind)), *more] if kind else []
    for key in map(str, value):
        if known and key not in known and (close := difflib.get_close_matches(key, known, 1)):
            raise ToolsServiceError(f"{origin}: {place}.{key}: unknown; did you mean {close[0]!r}?")
    return value


def _text(body: Mapping[str, Any], key: str, origin: str, place: str) -> str:
    value = body.get(key, "")
    if value is None:
        return ""
    if isinstance(value, (Mapping, list)):
        raise ToolsServiceError(f"{origin}: {place}.{key}: a text is expected")
    return str(value)
