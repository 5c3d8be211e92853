"""What tests of the index share: an experiment, a question to the index, and the answer of a scan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bioimageit_core.containers import Dataset, Experiment, ProcessedData, RawData
from bioimageit_core.core.query import fields_of, parse_query
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.plugins.store import search


def service() -> LocalMetadataService:
    return LocalMetadataService(durable=False)


def make_experiment(home: Path, pairs: list[dict[str, object]]) -> tuple[LocalMetadataService, Experiment, Dataset]:
    home.mkdir(parents=True, exist_ok=True)
    local = service()
    experiment = local.create_experiment("e", "ada", keys=["P"], destination=str(home))
    for number, about in enumerate(pairs):
        source = home / f"im {number}.tif"
        source.write_text(str(number))
        local.import_data(experiment, str(source), source.name, "ada", "imagetiff", "2024-05-01", about)
    return local, experiment, local.get_dataset(experiment.raw_dataset.url)


def scan(
    local: LocalMetadataService, dataset: Dataset, query: str, origins: dict[str, RawData] | None = None
) -> list[str]:
    """Answer by reading every document."""
    asked, found = parse_query(query), []
    for item in local.get_dataset(dataset.md_uri).uris:
        if origins is None:
            data: RawData | ProcessedData = local.get_raw_data(item.md_uri)
            fields = fields_of(data)
        else:
            data = local.get_processed_data(item.md_uri)
            fields = fields_of(data, origins.get(data.uuid))
        if asked.matches(fields):
            found.append(data.uuid)
    return found


def ask(local: LocalMetadataService, dataset: Dataset, query: str, output: str = "") -> list[str]:
    """Ask in both of the ways that there are: by all documents, and by those that have a value."""
    answers = [[data.uuid for data in local.query_data(dataset, query, output)]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_RARE", 1)  # everything is rare
        answers.append([data.uuid for data in local.query_data(dataset, query, output)])
    assert answers[0] == answers[1]
    return answers[0]


def rewrite(path: Path, **pairs: object) -> None:
    document = json.loads(path.read_text())
    document["key_value_pairs"].update(pairs)
    path.write_text(json.dumps(document, indent=4))
