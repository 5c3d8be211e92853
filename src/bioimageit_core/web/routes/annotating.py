"""Annotations of one data or many, with their history and undo."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bioimageit_core.containers import RawData
from bioimageit_core.core.exceptions import InvalidNameError
from bioimageit_core.plugins.changes import HistoryEntry
from bioimageit_core.web.documents import text_of
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.routes.experiments import Cursor, ExperimentId, Limit
from bioimageit_core.web.security.who import Annotator, Reader
from bioimageit_core.web.shapes import Page, Taken
from bioimageit_core.web.site import Site, SiteDep

__all__ = ["router"]

_LONGEST = 60  # characters of a value in a summary

router = APIRouter(prefix="/experiments/{eid}", tags=["annotations"], responses=PROBLEMS)

Key = Annotated[str, Field(min_length=1, max_length=1000)]
Value = Annotated[str, Field(max_length=100_000)]
ChangeName = Annotated[str, Path(max_length=200)]


class Annotation(Taken):
    """Values to be set, and keys to be removed, of the data that ids name or a query selects."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [
                {"required": ["ids"], "properties": {"ids": {"type": "array"}, "query": {"type": "null"}}},
                {"required": ["query"], "properties": {"ids": {"type": "null"}, "query": {"type": "string"}}},
            ]
        },
    )

    dataset: str = Field(default="data", max_length=255)
    ids: list[Annotated[str, Field(max_length=4000)]] | None = Field(default=None, max_length=100_000)
    query: str | None = Field(default=None, max_length=200_000)
    set: dict[Key, Value] = Field(default_factory=dict)
    unset: list[Key] = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_which(self) -> Annotation:
        if (self.ids is None) == (self.query is None):
            raise ValueError("give either ids or query")
        return self


class Done(BaseModel):
    """What was changed."""

    change: str = Field(description="What undo takes.")
    count: int


class Change(BaseModel):
    """An entry of the history."""

    change: str
    date: str
    author: str
    operation: str
    summary: str
    count: int
    undone: bool
    can_undo: bool


class KeptValue(BaseModel):
    """A value that was changed since, and so left as it is."""

    data: str
    key: str
    found: str


class UndoneChange(BaseModel):
    """What became of an undo."""

    change: str
    count: int
    kept: list[KeptValue]


@router.post("/annotations")
def annotate(site: SiteDep, who: Annotator, eid: ExperimentId, body: Annotation) -> Done:
    """Annotate raw data, all at once."""
    experiment = site.experiment(eid)
    if site.dataset_info(experiment, body.dataset) is not experiment.raw_dataset:
        raise InvalidNameError("dataset", body.dataset, "annotations belong to the raw data; results inherit them")
    pairs = _pairs(site, eid, body)
    with site.acting(who.name):
        before = site.remembered.before(pairs) if site.remembered.is_needed else None
        change, count = site.request.annotate_data(experiment, pairs)
    if before is not None:
        change = site.remembered.keep(experiment, pairs, before)
    return Done(change=change, count=count)


@router.post("/annotations/{change}/undo")
def undo(site: SiteDep, who: Annotator, eid: ExperimentId, change: ChangeName) -> UndoneChange:
    """Take an annotation back; what was changed since stays, and is told."""
    experiment = site.experiment(eid)
    with site.acting(who.name):
        undo_in = site.remembered if site.remembered.is_needed else site.request
        undone = undo_in.undo(experiment, change)
    kept = [
        KeptValue(data=site.ids.make("raw", each.md_uri, experiment.md_uri), key=each.key, found=text_of(each.found))
        for each in undone.kept
    ]
    return UndoneChange(change=undone.change, count=undone.count, kept=kept)


@router.get("/history")
def history(site: SiteDep, _: Reader, eid: ExperimentId, cursor: Cursor = "", limit: Limit = 50) -> Page[Change]:
    """List what was changed, newest first."""
    page = site.request.history(site.experiment(eid), cursor=cursor, limit=limit)
    return Page[Change](items=[_change(entry) for entry in page.entries], next=page.cursor or None)


def _pairs(site: Site, eid: str, body: Annotation) -> dict[str, dict[str, str | None]]:
    experiment = site.experiment(eid)
    values: dict[str, str | None] = {**dict.fromkeys(body.unset), **body.set}
    if body.ids is None:
        selected = site.request.query(experiment, body.dataset, body.query or "")
        return {data.md_uri: values for data in selected if isinstance(data, RawData)}
    references = [site.ids.read(id_, "raw") for id_ in body.ids]
    for reference in references:
        if reference.experiment != experiment.md_uri:
            raise InvalidNameError("data", "…", "it belongs to another experiment")
    return {reference.md_uri: values for reference in references}


def _change(entry: HistoryEntry) -> Change:
    is_annotation = entry.operation == "annotate"
    about = "/".join(entry.md_uris[0].split("/")[-2:]) if len(entry.md_uris) == 1 and not is_annotation else ""
    keys = ", ".join(_said(key, entry.new.get(key)) for key in entry.keys[:5])
    return Change(
        change=entry.change,
        date=entry.time,
        author=entry.who,
        operation=entry.operation,
        summary=" ".join(filter(None, [entry.operation, about.removesuffix(".md.json"), keys])),
        count=entry.count,
        undone=entry.is_undone,
        can_undo=bool(is_annotation and entry.change and not entry.is_undone),
    )


def _said(key: str, value: Any) -> str:
    """Say what was changed, and to what where that is short: lists and mappings are for programs."""
    if value is None or isinstance(value, list | dict):
        return key
    text = text_of(value)
    return f"{key}={text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'}"
