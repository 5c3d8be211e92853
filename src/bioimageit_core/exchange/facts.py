"""What a record says, whichever home keeps it: its document, with identities where URLs stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bioimageit_core.containers import Data, Dataset, Experiment, RawData, Run
from bioimageit_core.core.records import Document, document_of

__all__ = ["REFERENCE", "differences", "facts"]

REFERENCE = "reference"
"""The key by which a data says that its file lies outside its experiment; a home that has a copy does not say so."""


def facts(record: Experiment | Dataset | Data | Run) -> Document:
    """Return the document of a record without what belongs to its home: URLs, and keys that have no value."""
    document = document_of(record, lambda _: "")
    document.pop(REFERENCE, None)
    if isinstance(record, RawData):
        pairs = document["key_value_pairs"]
        document["key_value_pairs"] = {key: value for key, value in pairs.items() if value != ""}
    return document


def differences(before: Any, after: Any, where: str) -> list[str]:
    """Say what differs between two documents, one line for each place."""
    return [f"{where}: {path} was {_shown(old)}, is {_shown(new)}" for path, old, new in _walk(before, after, "")]


def _walk(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _walk(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(old, new, f"{path}[{number}]")
    else:
        yield path, before, after


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
