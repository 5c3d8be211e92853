"""Data that come in, and experiments that go out."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import InvalidNameError
from bioimageit_core.web.documents import data_item
from bioimageit_core.web.files import zip_of
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.routes.experiments import ExperimentId
from bioimageit_core.web.security.who import Annotator, Reader
from bioimageit_core.web.shapes import DataItem
from bioimageit_core.web.site import Site, SiteDep
from bioimageit_core.web.uploads import receive, unpacked, upload_folder

__all__ = ["router"]

router = APIRouter(prefix="/experiments/{eid}", tags=["moving"], responses=PROBLEMS)

_OURS = ("name", "format", "zip")
_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/uploads", status_code=201, openapi_extra=_BODY)
async def upload(
    request: Request,
    site: SiteDep,
    who: Annotator,
    eid: ExperimentId,
    name: Annotated[str, Query(min_length=1, max_length=255, description="Of the file, with its extension.")],
    format: Annotated[str, Query(max_length=100, description="By default what the name tells.")] = "",  # noqa: A002
    zip: Annotated[bool, Query(description="Whether the body is a ZIP archive of a Zarr directory.")] = False,  # noqa: A002
) -> DataItem:
    """Import a file into the raw dataset: the body is its bytes; other query parameters are its annotations."""
    pairs = {key: value for key, value in request.query_params.items() if key not in _OURS}
    with upload_folder(site) as folder:
        path = await receive(request, folder, name)

        def store() -> DataItem:
            experiment = site.experiment(eid)
            source = path
            if zip:
                archive = f"{folder}/archive"
                os.rename(path, archive)
                source = unpacked(archive, folder, name, site.settings.max_upload)
            with site.acting(who.name):
                data = site.request.import_data(experiment, source, name, who.name, format, key_value_pairs=pairs)
            return data_item(site, data, experiment.md_uri)

        return await run_in_threadpool(store)


@router.get(
    "/export", response_class=Response, responses={200: {"content": {"application/zip": {}}, "description": "A file."}}
)
def export(
    site: SiteDep,
    _: Reader,
    eid: ExperimentId,
    format: Annotated[str, Query(max_length=40, description="ro-crate, csv, …")] = "ro-crate",  # noqa: A002
) -> Response:
    """Give an experiment in a form that others read, as one file."""
    experiment = site.experiment(eid)
    place = os.path.join(site.settings.state_dir, "exports")
    os.makedirs(place, mode=0o700, exist_ok=True)
    folder = tempfile.mkdtemp(dir=place)
    try:
        path = _write(site, experiment, format, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in experiment.name)[:80]
    name = f"{safe or 'experiment'}-{os.path.basename(path)}"
    done = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    if os.path.isdir(path):
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        return StreamingResponse(zip_of(path), headers=headers, media_type="application/zip", background=done)
    return FileResponse(path, filename=name, media_type="application/octet-stream", background=done)


def _write(site: Site, experiment: Experiment, form: str, folder: str) -> str:
    """Write an experiment in a form; return the file or folder that was made.

    Raises
    ------
    InvalidNameError
        There is no such form.
    """
    from bioimageit_core.exchange.exports import EXPORTS

    if form not in EXPORTS:
        raise InvalidNameError("form", form, f"it is one of {', '.join(sorted(EXPORTS))}")
    target = os.path.join(folder, "ro-crate.zip" if form == "ro-crate" else form)
    return site.request.export(experiment, target, form).path or target
