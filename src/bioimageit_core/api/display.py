"""An experiment and what is in it, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bioimageit_core.containers import ProcessedData, RawData

if TYPE_CHECKING:
    from bioimageit_core.api.data import DataRequests
    from bioimageit_core.containers import Data, Experiment

__all__ = ["describe_experiment"]

_SHOWN = 20


def describe_experiment(requests: DataRequests, experiment: Experiment) -> str:
    """Describe an experiment: what it says of itself, its keys, and the first data of each dataset."""
    lines = [
        f"Experiment {experiment.name}",
        f"  author: {experiment.author}",
        f"  date: {experiment.date}",
        f"  kept at: {experiment.md_uri}",
        f"  keys: {', '.join(experiment.keys) or 'none'}",
    ]
    for info in [experiment.raw_dataset, *experiment.processed_datasets]:
        dataset = requests.get_dataset_from_uri(info.url)
        lines.append(f"  dataset {dataset.name or info.name}: {dataset.size()} data")
        first = type(dataset)(dataset.md_uri, dataset.uuid, dataset.name, dataset.uris[:_SHOWN])
        lines += [f"    {_describe(data)}" for data in requests.get_data(first)]
        if dataset.size() > _SHOWN:
            lines.append(f"    … and {dataset.size() - _SHOWN} more")
    return "\n".join(lines)


def _describe(data: Data) -> str:
    if isinstance(data, RawData):
        values = ", ".join(f"{key}={value}" for key, value in data.key_value_pairs.items() if value != "")
        return f"{data.name} ({data.format}){f': {values}' if values else ''}"
    if isinstance(data, ProcessedData):
        label = data.output.get("label") or data.output.get("name") or ""
        return f"{data.name} ({data.format}){f': {label}' if label else ''}"
    return f"{data.name} ({data.format})"
