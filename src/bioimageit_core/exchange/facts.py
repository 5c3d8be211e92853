"""What a record says, whichever home keeps it: its document, with identities where URLs stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import Data, Dataset, Experiment, RawData, Run
from bioimageit_core.core.records import Document, document_of

__all__ = ["ABSENT", "REFERENCE", "Difference", "differences", "facts"]

REFERENCE = "reference"
"""The key by which a data says that its file lies outside its experiment; a home that has a copy does not say so."""

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "absent"})()
"""Stands for the value of a key that is not there."""


@dataclass(frozen=True)
class Difference:
    """A value that two documents disagree about.

    Attributes
    ----------
    path
        Keys and indices that lead to it.
    """

    path: tuple[str | int, ...]
    was: Any
    now: Any

    def __str__(self) -> str:
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return f"{place.removeprefix('.')} was {_shown(self.was)}, is {_shown(self.now)}"


def facts(record: Experiment | Dataset | Data | Run) -> Document:
    """Return the document of a record without what belongs to its home: URLs, and keys that have no value."""
    document = document_of(record, lambda _: "")
    document.pop(REFERENCE, None)
    if isinstance(record, RawData):
        pairs = document["key_value_pairs"]
        document["key_value_pairs"] = {key: value for key, value in pairs.items() if value != ""}
    return document


def differences(before: Any, after: Any) -> list[Difference]:
    """List what differs between two documents, as deep in them as can be."""
    return list(_walk(before, after, ()))


def _walk(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _walk(before.get(key, ABSENT), after.get(key, ABSENT), (*path, str(key)))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(old, new, (*path, number))
    else:
        yield Difference(path, before, after)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
