"""What became of the data: lineage, staleness, measurements."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from bioimageit_core.web.lineages import Lineage, of_data, of_dataset
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.routes.data import DataId
from bioimageit_core.web.routes.experiments import Cursor, DatasetName, ExperimentId, Limit
from bioimageit_core.web.security.who import Reader
from bioimageit_core.web.site import SiteDep
from bioimageit_core.web.tables import Measurements, Table, measurements, read_rows
from bioimageit_core.web.windows import start_of

__all__ = ["router"]

router = APIRouter(tags=["results"], responses=PROBLEMS)

Names = Annotated[list[str] | None, Query(max_length=500)]


class Status(BaseModel):
    """Whether results are current."""

    state: str
    reasons: list[str]


@router.get("/experiments/{eid}/datasets/{name}/status")
def read_status(site: SiteDep, _: Reader, eid: ExperimentId, name: DatasetName) -> Status:
    """Say whether a dataset is what its runs would make today, and if not, because of what."""
    experiment = site.experiment(eid)
    if site.dataset_info(experiment, name) is experiment.raw_dataset:
        return Status(state="raw", reasons=[])
    reasons = site.request.status(experiment, name)
    is_unknown = all(reason.kind == "unknown" for reason in reasons)
    state = "current" if not reasons else "unknown" if is_unknown else "stale"
    return Status(state=state, reasons=[site.mask(str(reason)) for reason in reasons])


@router.get("/experiments/{eid}/datasets/{name}/lineage")
def read_dataset_lineage(site: SiteDep, _: Reader, eid: ExperimentId, name: DatasetName) -> Lineage:
    """Tell which datasets a dataset was made from, and which were made from it."""
    experiment = site.experiment(eid)
    return of_dataset(site, experiment, site.dataset_info(experiment, name).name)


@router.get("/data/{did}/lineage")
def read_lineage(site: SiteDep, _: Reader, did: DataId) -> Lineage:
    """Tell what a data was made from, and what was made from it."""
    data, home = site.located(did)
    return of_data(site, data, site.request.get_experiment(home))


@router.get("/data/{did}/table")
def read_table(
    site: SiteDep, _: Reader, did: DataId, columns: Names = None, cursor: Cursor = "", limit: Limit = 100
) -> Table:
    """Give rows of a table."""
    rows = read_rows(site, site.data(did))
    header = next(rows, [])
    start = start_of(cursor)
    places = [place for place, name in enumerate(header) if not columns or name in columns]
    found = list(itertools.islice(rows, start, start + limit + 1))
    return Table(
        columns=[header[place] for place in places],
        rows=[[row[place] if place < len(row) else None for place in places] for row in found[:limit]],
        next=str(start + limit) if len(found) > limit else None,
    )


@router.get("/experiments/{eid}/datasets/{name}/measurements")
def read_measurements(
    site: SiteDep, _: Reader, eid: ExperimentId, name: DatasetName, columns: Names = None, group_by: Names = None
) -> Measurements:
    """Give the rows of all tables of a dataset, joined with the annotations of the data that they are about."""
    experiment = site.experiment(eid)
    return measurements(site, experiment, site.dataset_info(experiment, name).name, columns or [], group_by or [])
