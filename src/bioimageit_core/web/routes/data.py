"""One data: what is known of it, its file, its picture, its pixels."""

from __future__ import annotations

import os
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from bioimageit_core.containers import Data, ProcessedData, RawData
from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.web.documents import API, data_fields, is_image, run_item
from bioimageit_core.web.files import etag_of, inside, zip_of
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.security.who import Reader
from bioimageit_core.web.shapes import Channel, DataDetail, DataKind, ImageInfo, InputOfData, Quantity
from bioimageit_core.web.site import Site, SiteDep
from bioimageit_core.web.viewing.facts import ImageFacts
from bioimageit_core.web.viewing.lazy_zarr import document
from bioimageit_core.web.viewing.sources import is_zarr, zarr_facts

__all__ = ["DataId", "router"]

router = APIRouter(prefix="/data", tags=["data"], responses=PROBLEMS)

DataId = Annotated[str, Path(max_length=4000, description="As a list of data names it.")]
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."},
    206: {"content": {"application/octet-stream": {}}, "description": "A range of it."},
    304: {"description": "It is as the client has it."},
    416: {"description": "There is no such range."},
}


@router.get("/{did}")
def read_data(site: SiteDep, _: Reader, did: DataId) -> DataDetail:
    """Tell all that is known of a data."""
    data, home = site.located(did)
    more: dict[str, Any] = {"metadata": data.metadata if isinstance(data, RawData) else {}}
    more["experiment"] = site.ids.make("experiment", home, home)
    more["dataset"] = site.dataset_of(data, site.request.get_experiment(home))
    if isinstance(data, ProcessedData):
        more |= {"inputs": [_input(site, each, home) for each in data.inputs], "run": _run(site, data, home)}
    try:
        path = site.files.path(data)
        more["size"] = os.path.getsize(path) if os.path.isfile(path) else None
        if is_image(site, data.format):
            facts = _facts(site, data, path)
            more |= {"axes": facts.axes, "shape": list(facts.shape), "pixel_sizes": _quantities(facts)}
    except BioImageITError:  # what is known of it is told, whether its file can be read or not
        pass
    return DataDetail(**data_fields(site, data, home), **more)


@router.get("/{did}/file", response_class=Response, responses=_BYTES)
def read_file(request: Request, site: SiteDep, _: Reader, did: DataId) -> Response:
    """Give the file, or a range of it; a Zarr as a ZIP archive of its folder."""
    data = site.data(did)
    path = site.files.path(data)
    name = os.path.basename(path)
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": "default-src 'none'; sandbox"}
    if os.path.isdir(path):
        headers["Content-Disposition"] = _disposition(f"{name}.zip")
        return StreamingResponse(zip_of(path), headers=headers, media_type="application/zip")
    status = os.stat(path)
    etag = etag_of(path, status.st_mtime_ns, status.st_size)
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    headers |= {"ETag": etag, "Content-Disposition": _disposition(name)}
    return FileResponse(path, headers=headers, media_type="application/octet-stream")


@router.get(
    "/{did}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, 304: {"description": "It is as the client has it."}},
)
def read_thumbnail(request: Request, site: SiteDep, _: Reader, did: DataId) -> Response:
    """Give a small picture."""
    data = site.data(did)
    if not is_image(site, data.format):
        raise NotFoundError("picture", data.name)
    content, etag = site.thumbnails.get(data)
    headers = {"ETag": etag, "Cache-Control": "private, max-age=60"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="image/png")


@router.get("/{did}/image")
def read_image(site: SiteDep, _: Reader, did: DataId) -> ImageInfo:
    """Say how a viewer reads the image, and what is in it."""
    data = site.data(did)
    facts = _facts(site, data, site.files.path(data))
    return ImageInfo(
        kind="ome-tiff" if facts.is_ome_tiff else "ome-zarr",
        url=f"{API}/data/{did}/{'file' if facts.is_ome_tiff else 'zarr'}",
        axes=facts.axes,
        shape=list(facts.shape),
        dtype=facts.dtype,
        pixel_sizes=_quantities(facts),
        channels=[Channel(**channel) for channel in facts.channels],
        is_labels=facts.is_labels,
    )


@router.get("/{did}/zarr/{path:path}", response_class=Response, responses=_BYTES)
def read_zarr(site: SiteDep, _: Reader, did: DataId, path: Annotated[str, Path(max_length=500)]) -> Response:
    """Give a part of the image as OME-Zarr: of a Zarr as it lies, of any other image computed when it is asked for."""
    data = site.data(did)
    local = site.files.path(data)
    headers = {"Cache-Control": "private, max-age=60", "Content-Security-Policy": "default-src 'none'; sandbox"}
    if is_zarr(local):
        return FileResponse(inside(local, path), headers=headers, media_type="application/octet-stream")
    if not is_image(site, data.format):
        raise NotFoundError("image", data.name)
    content, media_type = document(site.sources.get(data, local), path, data.name)
    return Response(content, headers=headers, media_type=media_type)


def _facts(site: Site, data: Data, path: str) -> ImageFacts:
    if is_zarr(path):
        return zarr_facts(path)
    if not is_image(site, data.format):
        raise NotFoundError("image", data.name)
    return site.sources.get(data, path).facts


def _quantities(facts: ImageFacts) -> dict[str, Quantity]:
    return {axis: Quantity(value=value, unit=unit) for axis, (value, unit) in facts.pixel_sizes.items()}


def _input(site: Site, given: Any, home: str) -> InputOfData:
    kind: DataKind = "raw" if given.type == "raw" else "processed"
    try:
        read = site.request.get_raw_data if kind == "raw" else site.request.get_processed_data
        found = read(given.uri)
    except BioImageITError:
        return InputOfData(name=given.name, id=None, kind=kind)
    return InputOfData(name=given.name, id=site.id_of(found, home), data_name=found.name, kind=kind)


def _run(site: Site, data: ProcessedData, home: str) -> Any:
    try:
        return run_item(site, site.request.get_run(data.run.md_uri), home)
    except BioImageITError:
        return None


def _disposition(name: str) -> str:
    """Return a header that has the browser keep a file under its name (RFC 6266)."""
    from urllib.parse import quote

    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%;/' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
