"""Experiments, and what a query selects in their datasets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from bioimageit_core.web.documents import data_item, experiment_item, inherited_pairs, run_item
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.queries import complete
from bioimageit_core.web.security.who import Owner, Reader
from bioimageit_core.web.shapes import (
    Completion,
    DataItem,
    ExperimentChange,
    ExperimentItem,
    NewExperiment,
    Page,
    RunItem,
)
from bioimageit_core.web.site import SiteDep
from bioimageit_core.web.windows import window

__all__ = ["Cursor", "DatasetName", "ExperimentId", "Limit", "Offset", "QueryText", "router"]

router = APIRouter(prefix="/experiments", tags=["experiments"], responses=PROBLEMS)

ExperimentId = Annotated[str, Path(max_length=4000, description="As the list of experiments names it.")]
DatasetName = Annotated[str, Path(max_length=255)]
QueryText = Annotated[str, Query(max_length=30_000, description="The query language; empty selects all.")]
Cursor = Annotated[str, Query(max_length=1000, description="What the page before told as next.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[
    int, Query(ge=0, le=2**53 - 1, description="How many to skip after the cursor; total is not told then.")
]


@router.get("")
def list_experiments(site: SiteDep, _: Reader, cursor: Cursor = "", limit: Limit = 100) -> Page[ExperimentItem]:
    """List the experiments of the workspace."""
    entries = list(site.request.get_workspace_experiments())
    shown, following = window(entries, cursor, limit)
    items = []
    for entry in shown:
        experiment = entry["info"]
        experiment.md_uri = entry["md_uri"]
        items.append(experiment_item(site, experiment, entry.get("error")))
    return Page[ExperimentItem](items=items, next=following, total=len(entries))


@router.post("", status_code=201)
def create_experiment(site: SiteDep, who: Owner, body: NewExperiment) -> ExperimentItem:
    """Make an experiment in the workspace."""
    with site.acting(who.name):
        made = site.request.create_experiment(body.name, body.author or who.name, body.date, body.keys)
    return experiment_item(site, made)


@router.get("/{eid}")
def read_experiment(site: SiteDep, _: Reader, eid: ExperimentId) -> ExperimentItem:
    """Read an experiment."""
    return experiment_item(site, site.experiment(eid))


@router.patch("/{eid}")
def change_experiment(site: SiteDep, who: Owner, eid: ExperimentId, body: ExperimentChange) -> ExperimentItem:
    """Change the information of an experiment, and add keys to its vocabulary."""
    experiment = site.experiment(eid)
    experiment.name = body.name or experiment.name
    experiment.author = body.author if body.author is not None else experiment.author
    for key in body.keys or ():
        experiment.set_key(key)
    with site.acting(who.name):
        site.request.update_experiment(experiment)
    return experiment_item(site, site.experiment(eid))


@router.get("/{eid}/datasets/{name}/data")
def list_data(
    site: SiteDep,
    _: Reader,
    eid: ExperimentId,
    name: DatasetName,
    query: QueryText = "",
    output: Annotated[str, Query(max_length=255, description="Only this output of the tool.")] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
    offset: Offset = 0,
    inherited: Annotated[
        bool, Query(description="Results have the key-values of the raw data they come from.")
    ] = False,
) -> Page[DataItem]:
    """List what a query selects in a dataset, in its order."""
    experiment = site.experiment(eid)
    page = site.request.query_page(experiment, name, query, output, cursor=cursor, limit=limit, offset=offset)
    items = [data_item(site, data, experiment.md_uri) for data in page.data]
    if inherited:
        for item, pairs in zip(items, inherited_pairs(site, page.data), strict=True):
            item.key_values = pairs
    return Page[DataItem](items=items, next=page.cursor or None, total=page.total)


@router.get("/{eid}/datasets/{name}/runs")
def list_runs(
    site: SiteDep, _: Reader, eid: ExperimentId, name: DatasetName, cursor: Cursor = "", limit: Limit = 100
) -> Page[RunItem]:
    """List the runs of a dataset, oldest first."""
    experiment = site.experiment(eid)
    dataset = site.request.get_dataset_from_uri(site.dataset_info(experiment, name).url)
    runs = site.request.get_dataset_runs(dataset)
    shown, following = window(runs, cursor, limit)
    items = [run_item(site, run, experiment.md_uri) for run in shown]
    return Page[RunItem](items=items, next=following, total=len(runs))


@router.get("/{eid}/complete")
def complete_query(
    site: SiteDep,
    _: Reader,
    eid: ExperimentId,
    text: QueryText = "",
    position: Annotated[int | None, Query(ge=0, le=30_000)] = None,
) -> list[Completion]:
    """Say what may come next in a query, at a place in it."""
    place = len(text) if position is None else min(position, len(text))
    return complete(site.request, site.experiment(eid), text, place)


@router.get("/{eid}/keys/{key}/values")
def list_values(
    site: SiteDep,
    _: Reader,
    eid: ExperimentId,
    key: Annotated[str, Path(max_length=1000)],
    prefix: Annotated[str, Query(max_length=1000)] = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """List the values that an annotation key has."""
    return {"items": site.request.list_values(site.experiment(eid), key, prefix, limit)}
