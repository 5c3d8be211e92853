"""What a tool says itself of the datasets that it wrote, in ``galaxy.json`` in its working directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.exceptions import ToolsServiceError

__all__ = ["Provided", "read_provided"]

_LINE_TYPES = ("dataset", "new_primary_dataset")


@dataclass(frozen=True)
class Provided:
    """The content of such a file, which has two forms: one object by outputs, or one object a line by datasets.

    Attributes
    ----------
    outputs
        By the name of an output: what is said of it, with its ``datasets`` or ``elements``.
    lines
        Of the older form.
    """

    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: Sequence[Mapping[str, Any]] = ()

    def of_output(self, name: str, file_name: str, number: int) -> Mapping[str, Any]:
        """Give what is said of an output; the older form knows it by its file's name or its number."""
        for line in self.lines:
            is_it = str(line.get("dataset_id", "")) == str(number) or line.get("dataset") == file_name
            if line["type"] == "dataset" and is_it:
                return line
        return self.outputs.get(name, {})

    def of_file(self, output: str, file_name: str) -> Mapping[str, Any]:
        """Give what is said of a file that a pattern discovered."""
        news = (line for line in self.lines if line["type"] == "new_primary_dataset")
        entries = [*news, *_listed(self.outputs.get(output, {}), "datasets")]
        return next((entry for entry in entries if entry.get("filename") == file_name), {})

    def datasets_of(self, output: str) -> list[Mapping[str, Any]]:
        """Give the datasets that are listed for an output; elements of collections with their ``identifiers``."""
        said = self.outputs.get(output, {})
        return [*_listed(said, "datasets")] or list(_flat(_listed(said, "elements")))

    def failed(self) -> str:
        """Give the first output that is said to have failed; empty where none is."""
        named = [
            *self.outputs.items(),
            *((str(line.get("dataset") or line.get("filename")), line) for line in self.lines),
        ]
        return next((name for name, said in named if said.get("failed")), "")


def _listed(said: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = said.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _flat(elements: Sequence[Mapping[str, Any]], outer: tuple[str, ...] = ()) -> Iterator[Mapping[str, Any]]:
    for element in elements:
        identifiers = (*outer, str(element.get("name", "")))
        if "elements" in element:
            yield from _flat(_listed(element, "elements"), identifiers)
        else:
            yield {**element, "identifiers": identifiers}


def read_provided(path: str) -> Provided:
    """Read such a file; where there is none, nothing is said.

    Raises
    ------
    ToolsServiceError
        It has neither form.
    """
    if not os.path.isfile(path):
        return Provided()
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    try:
        return _parsed(text)
    except (ValueError, RecursionError) as error:
        raise ToolsServiceError(f"what the tool says of its outputs, in {os.path.basename(path)!r}: {error}") from error


def _parsed(text: str) -> Provided:
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None  # empty, or an object a line
    if isinstance(whole, dict) and whole.get("type") not in _LINE_TYPES:
        return Provided(outputs={key: value for key, value in whole.items() if isinstance(value, dict)})
    lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    for line in lines:
        if not isinstance(line, dict) or "type" not in line:
            raise ValueError(f"expected an object with a type, got {json.dumps(line)[:200]}")
    return Provided(lines=lines)
