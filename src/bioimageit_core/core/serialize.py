"""Containers as text that people and programs can read."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from bioimageit_core.containers import Container, Data, Dataset, Experiment, ProcessedData, RawData, Run

__all__ = [
    "serialize",
    "serialize_data",
    "serialize_dataset",
    "serialize_experiment",
    "serialize_processed_data",
    "serialize_raw_data",
    "serialize_run",
    "to_document",
]


def serialize_experiment(container: Experiment) -> str:
    """Write an experiment as JSON text."""
    return serialize(container)


def serialize_dataset(container: Dataset) -> str:
    """Write a dataset as JSON text."""
    return serialize(container)


def serialize_raw_data(container: RawData) -> str:
    """Write a raw data as JSON text."""
    return serialize(container)


def serialize_processed_data(container: ProcessedData) -> str:
    """Write a processed data as JSON text."""
    return serialize(container)


def serialize_run(container: Run) -> str:
    """Write a run as JSON text."""
    return serialize(container)


def serialize_data(container: Data) -> str:
    """Write a data, raw or processed, as JSON text."""
    return serialize(container)


def serialize(container: Container) -> str:
    """Write a container as JSON text: its published fields, and ``extra`` where there is something in it.

    Examples
    --------
    >>> print(serialize(Container("a.md.json", "1")))
    {
        "md_uri": "a.md.json",
        "uuid": "1"
    }
    """
    return json.dumps(to_document(container), indent=4, ensure_ascii=False, default=str)


def to_document(value: Any) -> Any:
    """Turn a container, and what it holds, into dicts and lists.

    Examples
    --------
    >>> to_document(RawData(name="a.tif", key_value_pairs={"k": "v"}))["key_value_pairs"]
    {'k': 'v'}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {field.name.rstrip("_"): getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: to_document(item) for name, item in items.items() if name != "extra" or item}
    if isinstance(value, dict):
        return {str(key): to_document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_document(item) for item in value]
    return value
