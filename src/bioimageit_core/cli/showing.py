"""What ``bioimageit show`` draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from bioimageit_core.cli.documents import data_document, experiment_document, run_document
from bioimageit_core.cli.listing import data_columns, data_row
from bioimageit_core.cli.output import cell, show_json, show_table, show_text
from bioimageit_core.cli.status import printable
from bioimageit_core.containers import Data, ProcessedData, RawData, Run

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment

__all__ = ["show_data", "show_dataset", "show_experiment", "show_runs", "show_workspace"]


def show_workspace(session: Session, as_json: bool) -> None:
    """List the experiments of the workspace."""
    entries = session.request.get_workspace_experiments()
    for each in entries:
        if "error" in each:
            typer.echo(f"warning: {printable(each['error'])}", err=True)
    if as_json:
        errors = [{"error": each["error"]} if "error" in each else {} for each in entries]
        documents = [{**experiment_document(each["info"]), "md_uri": each["md_uri"]} for each in entries]
        show_json({"experiments": [{**document, **error} for document, error in zip(documents, errors, strict=True)]})
        return
    if not entries:
        show_text('no experiments yet: make one with bioimageit create "My experiment"')
        return
    rows = (
        (
            each["info"].name,
            each["info"].author,
            each["info"].date,
            len(each["info"].processed_datasets),
            ", ".join(each["info"].keys),
            each["md_uri"].removesuffix("/experiment.md.json"),
        )
        for each in entries
    )
    show_table(["experiment", "author", "date", "results", "keys", "where"], rows, count=len(entries))


def show_experiment(session: Session, experiment: Experiment, as_json: bool) -> None:
    """Show an experiment and its datasets."""
    request = session.request
    infos = [experiment.raw_dataset, *experiment.processed_datasets]
    sizes = [request.get_dataset_from_uri(info.url).size() for info in infos]
    if as_json:
        document = experiment_document(experiment)
        for info, size in zip(document["datasets"], sizes, strict=True):
            info["size"] = size
        show_json(document)
        return
    show_text(f"{experiment.name}, {experiment.author}, {experiment.date}\n{experiment.md_uri}")
    show_text(f"keys: {', '.join(experiment.keys) or 'none'}\n")
    rows = []
    for info, size in zip(infos, sizes, strict=True):
        made_by = "imported"
        if info is not experiment.raw_dataset:
            made_by = ", ".join(_made_by(request.get_dataset_runs(request.get_dataset_from_uri(info.url))))
        rows.append((info.name, size, made_by))
    show_table(["dataset", "data", "made by"], rows)


def show_dataset(session: Session, experiment: Experiment, name: str, as_json: bool) -> None:
    """Show the data of a dataset; the first appear before the last are read."""
    info = session.dataset_info(experiment, name)
    dataset = session.request.get_dataset_from_uri(info.url)
    if as_json:
        data = [data_document(each) for each in session.request.get_data(dataset)]
        show_json({"name": name, "uuid": dataset.uuid, "md_uri": dataset.md_uri, "data": data})
        return
    columns = data_columns(experiment, name)
    is_raw = info is experiment.raw_dataset
    rows = (data_row(session, each, columns) for each in _read(session, [item.md_uri for item in dataset.uris], is_raw))
    show_table(columns, rows, f"{name}: {dataset.size()} data", dataset.size())


def show_data(session: Session, experiment: Experiment, dataset: str, name: str, as_json: bool) -> None:
    """Show all that is known of one data."""
    data = session.data(experiment, dataset, name)
    if as_json:
        show_json(data_document(data))
        return
    rows: list[tuple[str, Any]] = [
        ("name", data.name),
        ("format", data.format),
        ("author", data.author),
        ("date", data.date),
        ("file", data.uri),
        ("record", data.md_uri),
        ("uuid", data.uuid),
    ]
    if isinstance(data, RawData):
        rows += [(key, value) for key, value in data.key_value_pairs.items()]
        rows += [(f"metadata {key}", value) for key, value in data.metadata.items()]
    if isinstance(data, ProcessedData):
        rows.append(("output", data.output.get("label") or data.output.get("name")))
        rows += [(f"made from ({each.name})", each.uri) for each in data.inputs]
        rows.append(("run", data.run.md_uri))
    show_table(["field", "value"], rows)


def show_runs(session: Session, experiment: Experiment, dataset: str, as_json: bool) -> None:
    """Show the runs of a processed dataset."""
    info = session.dataset_info(experiment, dataset)
    runs = session.request.get_dataset_runs(session.request.get_dataset_from_uri(info.url))
    if as_json:
        show_json({"dataset": dataset, "runs": [run_document(run) for run in runs]})
        return
    rows = (
        (
            run.process_name,
            ", ".join(f"{each.name}={cell(each.value)}" for each in run.parameters),
            "; ".join(f"{each.name}={each.dataset}{':' if each.query else ''}{each.query}" for each in run.inputs),
            run.md_uri,
        )
        for run in runs
    )
    show_table(["tool", "parameters", "inputs", "record"], rows, f"{len(runs)} runs of {dataset}", len(runs))


def _read(session: Session, md_uris: list[str], is_raw: bool) -> Iterator[Data]:
    read = session.request.get_raw_data if is_raw else session.request.get_processed_data
    for md_uri in md_uris:
        yield read(md_uri)


def _made_by(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(run.process_name for run in runs)) or ["nothing yet"]
