"""The contract of a data service, for the HTTP home: records by their ids, and what is made of them.

What the other routes have (queries of the page, exports, jobs) is not repeated here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import shutil
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from bioimageit_core.containers import Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.core.merge import merge
from bioimageit_core.core.paths import storable_name
from bioimageit_core.web.ids import Reference
from bioimageit_core.web.problems import PROBLEMS, ProblemError
from bioimageit_core.web.routes.experiments import Cursor, Limit, Offset, QueryText
from bioimageit_core.web.security.who import Annotator, Owner, Reader
from bioimageit_core.web.shapes import Taken
from bioimageit_core.web.site import Site, SiteDep
from bioimageit_core.web.uploads import receive, unpacked
from bioimageit_core.web.wire import CLASSES, Wire

__all__ = ["router"]

router = APIRouter(prefix="/service", tags=["service"], responses=PROBLEMS)

_OURS = ("md_uri", "uri", "type")  # of a record: where it and its file lie is the server's business
_KEPT = 6 * 60 * 60  # seconds that a file waits for being asked about
RecordId = Annotated[str, Field(max_length=4000)]
Record = dict[str, Any]
_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class WireRecord(BaseModel):
    """A container, every ``md_uri`` in it an id."""

    kind: str
    record: Record


class Change(Taken):
    """A record to be written, and what it was when the client read it: what others changed since stays."""

    record: Record
    base: Record | None = None


class NewRecord(Taken):
    """What an experiment is to be called."""

    name: str = Field(min_length=1, max_length=255)
    author: str
    date: str = "now"
    keys: list[str] = Field(default_factory=list)


class NewDataset(Taken):
    """A processed dataset to be made."""

    experiment: RecordId
    name: str = Field(min_length=1, max_length=255)


class NewRun(Taken):
    """A run to be stored."""

    dataset: RecordId
    run: Record


class NewData(Taken):
    """A processed data to be stored, with the file that came before."""

    dataset: RecordId
    run: RecordId
    data: Record
    file: str = Field(max_length=64)


class Import(Taken):
    """A file, that came before, to be imported."""

    experiment: RecordId
    file: str = Field(max_length=64)
    name: str
    author: str
    format: str = ""
    date: str = "now"
    key_values: Record = Field(default_factory=dict)


class Annotations(Taken):
    """Values by the id of the data and the key; null removes one."""

    dataset: RecordId
    pairs: dict[str, dict[str, Any]]


def _answer(document: Any, status: int = 200) -> Response:
    # escaped: names of files may hold what UTF-8 cannot say
    return Response(json.dumps(document), status, media_type="application/json")


def _wire(site: Site, reference: Reference) -> Wire:
    return Wire(site.ids, reference.experiment)


@router.get("/experiments", response_model=list[WireRecord])
def list_experiments(site: SiteDep, _: Reader) -> Response:
    """List the experiments of the workspace."""
    found = site.request.get_workspace_experiments()
    return _answer([Wire(site.ids, entry["md_uri"]).write(entry["info"]) for entry in found if "error" not in entry])


@router.post("/experiments", status_code=201, response_model=WireRecord)
def create_experiment(site: SiteDep, who: Owner, body: NewRecord) -> Response:
    """Make an experiment."""
    with site.acting(who.name):
        made = site.request.data_service.create_experiment(
            body.name, body.author, body.date, body.keys, site.workspace()
        )
    return _answer(Wire(site.ids, made.md_uri).write(made), 201)


@router.get("/records/{id}", response_model=WireRecord)
def read_record(site: SiteDep, _: Reader, id: RecordId) -> Response:  # noqa: A002 - the name in the path
    """Read a record of any kind."""
    reference = site.ids.read(id)
    return _answer(_document(site, reference))


@router.put("/records/{id}", response_model=Record)
def write_record(site: SiteDep, who: Annotator, id: RecordId, body: Change) -> Response:  # noqa: A002
    """Write a record; of raw data annotators may, of everything else owners."""
    reference = site.ids.read(id)
    if reference.kind != "raw" and not who.may("owner"):
        raise ProblemError(403, f"{who.name} is {who.role}; this is for owners")
    container, wire = _read(site, reference), _wire(site, reference)
    stored = _shown(wire, container, reference)
    wanted = merge(body.base, body.record, stored) if body.base is not None else body.record
    changed = wire.read(wanted, CLASSES[reference.kind])
    for field in dataclasses.fields(changed):
        if field.name not in _OURS:
            setattr(container, field.name, getattr(changed, field.name))
    update: Any = {
        Experiment: site.request.update_experiment,
        Dataset: site.request.update_dataset,
        RawData: site.request.update_raw_data,
        ProcessedData: site.request.update_processed_data,
        Run: site.request.update_run,
    }[type(container)]
    with site.acting(who.name):
        update(container)
    return _answer(_shown(wire, container, reference))


@router.post("/datasets", status_code=201, response_model=WireRecord)
def create_dataset(site: SiteDep, who: Owner, body: NewDataset) -> Response:
    """Make a processed dataset."""
    reference = site.ids.read(body.experiment, "experiment")
    with site.acting(who.name):
        made = site.request.create_dataset(site.request.get_experiment(reference.md_uri), body.name)
    return _answer(_wire(site, reference).write_dataset(made, is_raw=False), 201)


@router.post("/runs", status_code=201, response_model=WireRecord)
def create_run(site: SiteDep, who: Owner, body: NewRun) -> Response:
    """Store a run."""
    reference = site.ids.read(body.dataset, "dataset")
    wire = _wire(site, reference)
    run = wire.read(body.run, Run)
    with site.acting(who.name):
        made = site.request.create_run(site.request.get_dataset_from_uri(reference.md_uri), run)
    return _answer(wire.write(made), 201)


@router.get("/runs", response_model=list[WireRecord])
def list_runs(site: SiteDep, _: Reader, dataset: RecordId) -> Response:
    """List the runs of a dataset, oldest first."""
    reference = site.ids.read(dataset, "dataset", "raw_dataset")
    wire = _wire(site, reference)
    runs = site.request.get_dataset_runs(site.request.get_dataset_from_uri(reference.md_uri))
    return _answer([wire.write(run) for run in runs])


@router.get("/data")
def query_data(
    site: SiteDep,
    _: Reader,
    dataset: RecordId,
    query: QueryText = "",
    output: Annotated[str, Query(max_length=255)] = "",
    cursor: Cursor = "",
    limit: Limit = 500,
    offset: Offset = 0,
) -> Response:
    """Give what a query selects in a dataset, page by page."""
    reference = site.ids.read(dataset, "dataset", "raw_dataset")
    experiment = site.request.get_experiment(reference.experiment)
    infos = [experiment.raw_dataset, *experiment.processed_datasets]
    name = next((info.name for info in infos if info.url == reference.md_uri), None)
    if name is None:
        raise NotFoundError("dataset", dataset[:80])
    page = site.request.query_page(experiment, name, query, output, cursor=cursor, limit=limit, offset=offset)
    wire = _wire(site, reference)
    items = [wire.write(data) for data in page.data]
    return _answer({"items": items, "next": page.cursor or None, "total": page.total})


@router.post("/files", status_code=201, openapi_extra=_BODY)
async def take_file(
    request: Request,
    site: SiteDep,
    _: Annotator,
    name: Annotated[str, Query(max_length=4000)],
) -> dict[str, str]:
    """Take a file in, for an import or a result that is told next; whatever is not asked for soon is removed."""
    place = _uploads(site)
    token = secrets.token_hex(16)
    os.mkdir(os.path.join(place, token), 0o700)
    try:
        await receive(request, os.path.join(place, token), storable_name(name))
    except BaseException:
        shutil.rmtree(os.path.join(place, token), ignore_errors=True)
        raise
    return {"file": token}


@router.post("/imports", status_code=201, response_model=WireRecord)
def import_data(
    site: SiteDep,
    who: Annotator,
    body: Import,
    zip: Annotated[bool, Query(description="Whether the file is a ZIP archive of a Zarr directory.")] = False,  # noqa: A002
) -> Response:
    """Import a file that came before."""
    reference = site.ids.read(body.experiment, "experiment")
    experiment = site.request.get_experiment(reference.md_uri)
    with _Received(site, body.file, is_zip=zip) as path, site.acting(who.name):
        data = site.request.data_service.import_data(
            experiment, path, body.name, body.author, body.format, body.date, dict(body.key_values)
        )
    return _answer(_wire(site, reference).write(data), 201)


@router.post("/results", status_code=201, response_model=WireRecord)
def create_data(
    site: SiteDep,
    who: Owner,
    body: NewData,
    zip: Annotated[bool, Query(description="Whether the file is a ZIP archive of a Zarr directory.")] = False,  # noqa: A002
) -> Response:
    """Store a processed data, with the file that came before."""
    reference = site.ids.read(body.dataset, "dataset")
    wire = _wire(site, reference)
    data = wire.read(body.data, ProcessedData)
    run = site.request.get_run(site.ids.read(body.run, "run").md_uri)
    dataset = site.request.get_dataset_from_uri(reference.md_uri)
    with _Received(site, body.file, is_zip=zip) as path, site.acting(who.name):
        made = site.request.store_result(dataset, run, data, path)
    return _answer(wire.write(made), 201)


@router.post("/annotations")
def annotate(site: SiteDep, who: Annotator, body: Annotations) -> dict[str, Any]:
    """Set and remove annotations of many data at once."""
    reference = site.ids.read(body.dataset, "raw_dataset")
    pairs = {}
    for id_, values in body.pairs.items():
        data = site.ids.read(id_, "raw")
        if data.experiment != reference.experiment:
            raise NotFoundError("data of this experiment", id_[:80])
        pairs[data.md_uri] = values
    with site.acting(who.name):
        change, count = site.request.annotate_data(site.request.get_experiment(reference.experiment), pairs)
    return {"change": change, "count": count}


@router.get("/history")
def history(
    site: SiteDep, _: Reader, experiment: RecordId, data: RecordId = "", cursor: Cursor = "", limit: Limit = 50
) -> Response:
    """Tell what was changed, newest first."""
    reference = site.ids.read(experiment, "experiment")
    about = site.ids.read(data, "raw", "processed").md_uri if data else ""
    page = site.request.history(site.request.get_experiment(reference.md_uri), about, cursor=cursor, limit=limit)
    entries = [dataclasses.asdict(entry) for entry in page.entries]
    for entry in entries:
        entry["md_uris"] = [site.ids.make("raw", md_uri, reference.experiment) for md_uri in entry["md_uris"]]
    return _answer({"entries": entries, "cursor": page.cursor})


@router.post("/undo")
def undo(
    site: SiteDep, who: Annotator, experiment: RecordId, change: Annotated[str, Query(max_length=200)]
) -> Response:
    """Take an annotation back."""
    reference = site.ids.read(experiment, "experiment")
    with site.acting(who.name):
        undone = dataclasses.asdict(site.request.undo(site.request.get_experiment(reference.md_uri), change))
    for kept in undone["kept"]:
        kept["md_uri"] = site.ids.make("raw", kept["md_uri"], reference.experiment)
    return _answer(undone)


def _read(site: Site, reference: Reference) -> Any:
    request = site.request
    readers: dict[str, Any] = {
        "experiment": request.get_experiment,
        "dataset": request.get_dataset_from_uri,
        "raw_dataset": request.get_dataset_from_uri,
        "raw": request.get_raw_data,
        "processed": request.get_processed_data,
        "run": request.get_run,
    }
    return readers[reference.kind](reference.md_uri)


def _document(site: Site, reference: Reference) -> dict[str, Any]:
    found, wire = _read(site, reference), _wire(site, reference)
    return {"kind": reference.kind, "record": _shown(wire, found, reference)}


def _shown(wire: Wire, found: Any, reference: Reference) -> Record:
    if isinstance(found, Dataset):
        return wire.write_dataset(found, is_raw=reference.kind == "raw_dataset")["record"]  # type: ignore[no-any-return]
    return wire.write(found)["record"]  # type: ignore[no-any-return]


def _uploads(site: Site) -> str:
    """Return the folder of files that came in; those that nobody asked about are removed."""
    place = os.path.join(site.settings.state_dir, "uploads")
    os.makedirs(place, mode=0o700, exist_ok=True)
    for entry in os.scandir(place):
        if _last_change(entry.path) < time.time() - _KEPT:
            shutil.rmtree(entry.path, ignore_errors=True)
    return place


def _last_change(folder: str) -> float:
    """Say when something came into a folder: a large file comes for hours."""
    with contextlib.suppress(FileNotFoundError):  # it was taken in meanwhile
        return max(os.stat(path).st_mtime for path in (folder, *(entry.path for entry in os.scandir(folder))))
    return time.time()


class _Received:
    """A file that came in, for as long as the block runs."""

    def __init__(self, site: Site, token: str, *, is_zip: bool) -> None:
        is_token = len(token) == 32 and all(c in "0123456789abcdef" for c in token)
        self._folder = os.path.join(site.settings.state_dir, "uploads", token if is_token else "-")
        self._is_zip = is_zip
        self._limit = site.settings.max_upload

    def __enter__(self) -> str:
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        if not names:
            raise NotFoundError("file that came in", "")
        path = os.path.join(self._folder, names[0])
        return unpacked(path, self._folder, names[0], self._limit) if self._is_zip else path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
