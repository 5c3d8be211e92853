"""Containers as the API shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Data, DatasetInfo, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.web.shapes import (
    DataItem,
    DataKind,
    DatasetSummary,
    ExperimentItem,
    InputOfRun,
    OutputOfTool,
    Parameter,
    RunItem,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bioimageit_core.web.site import Site

__all__ = ["API", "data_fields", "data_item", "experiment_item", "inherited_pairs", "is_image", "run_item", "text_of"]

API = "/api/v1"


def experiment_item(site: Site, experiment: Experiment, error: str | None = None) -> ExperimentItem:
    """Show an experiment; one that cannot be read has no datasets."""
    infos = [experiment.raw_dataset, *experiment.processed_datasets] if not error else []
    return ExperimentItem(
        id=site.ids.make("experiment", experiment.md_uri, experiment.md_uri),
        uuid=experiment.uuid,
        name=experiment.name,
        author=experiment.author,
        date=experiment.date,
        keys=[key for key in experiment.keys if isinstance(key, str)],
        datasets=[_dataset(site, experiment, info) for info in infos],
        error=site.mask(error) if error else None,
    )


def _dataset(site: Site, experiment: Experiment, info: DatasetInfo) -> DatasetSummary:
    try:
        size = site.size_of(experiment, info)
    except BioImageITError:  # it is shown, and opening it says what is wrong
        size = 0
    kind: DataKind = "raw" if info is experiment.raw_dataset else "processed"
    return DatasetSummary(
        id=site.ids.make("dataset", info.url, experiment.md_uri), name=info.name, kind=kind, size=size
    )


def data_fields(site: Site, data: Data, experiment: str) -> dict[str, Any]:
    """Return what every item of a list says; `experiment` is the ``md_uri`` of the one that the data belongs to."""
    pairs = data.key_value_pairs if isinstance(data, RawData) else {}
    output = data.output if isinstance(data, ProcessedData) else {}
    id_ = site.id_of(data, experiment)
    return {
        "id": id_,
        "uuid": data.uuid,
        "name": data.name,
        "kind": "raw" if data.type == "raw" else "processed",
        "author": data.author,
        "date": data.date,
        "format": data.format,
        "key_values": {str(key): text_of(value) for key, value in pairs.items()},
        "output": OutputOfTool(name=output.get("name", ""), label=output.get("label", "")) if output else None,
        "thumbnail": f"{API}/data/{id_}/thumbnail" if is_image(site, data.format) else None,
    }


def inherited_pairs(site: Site, found: Sequence[Data]) -> list[dict[str, str]]:
    """Return the key-values of the raw data that each data comes from; none where that is gone."""
    from bioimageit_core.jobs.selection import Lineage

    lineage = Lineage(site.request.data_service)
    pairs: list[dict[str, str]] = []
    for data in found:
        try:
            origin = lineage.origin(data)
        except BioImageITError:
            origin = None
        pairs.append({key: text_of(value) for key, value in origin.key_value_pairs.items()} if origin else {})
    return pairs


def data_item(site: Site, data: Data, experiment: str) -> DataItem:
    """Show a data in a list."""
    return DataItem(**data_fields(site, data, experiment))


def run_item(site: Site, run: Run, experiment: str) -> RunItem:
    """Show a run."""
    from bioimageit_core.jobs.record import read_record

    record = read_record(run)
    return RunItem(
        id=site.ids.make("run", run.md_uri, experiment),
        tool=run.process_name,
        parameters=[Parameter(name=each.name, value=text_of(each.value)) for each in run.parameters],
        inputs=[
            InputOfRun(name=each.name, dataset=each.dataset, query=each.query, output=each.origin_output_name)
            for each in run.inputs
        ],
        date=record.started if record else "",
        state=record.state if record else "",
        user=record.user if record else "",
        counts=record.counts() if record else {},
    )


def text_of(value: Any) -> str:
    """Return a value as text: as it is, or as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def is_image(site: Site, format_: str) -> bool:
    """Say whether data of a format can be looked at as images."""
    try:
        reader = site.request.formats.get(format_).reader
    except BioImageITError:
        return False
    return reader.startswith("image") or reader in ("bioformat", "bioio")
