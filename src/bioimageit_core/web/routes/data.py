"""One data: what is known of it, its file, its picture, its pixels."""

from __future__ import annotations

import os
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from bioimageit_core.containers import Data, ProcessedData, RawData
from bioimageit_core.core.exceptions import BioImageITError, NotFoundError
from bioimageit_core.web.documents import API, data_fields, is_image, run_item
from bioimageit_core.web.files import etag_of, inside, zip_of
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.security.who import Reader
from bioimageit_core.web.shapes import Channel, DataDetail, DataKind, ImageInfo, InputOfData, Quantity
from bioimageit_core.web.site import Site, SiteDep
from bioimageit_core.web.viewing.facts import Look, recorded_look
from bioimageit_core.web.viewing.lazy_zarr import document

__all__ = ["DataId", "router"]

router = APIRouter(prefix="/data", tags=["data"], responses=PROBLEMS)

DataId = Annotated[str, Path(max_length=4000, description="As a list of data names it.")]
_SCENE = "scene-"  # before the number of an image of a file that has several
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
    look, size = _known(site, data)
    if look is not None:
        more |= {"axes": look.axes, "shape": list(look.shape), "pixel_sizes": _quantities(look)}
    return DataDetail(**data_fields(site, data, home), size=size, **more)


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
async def read_thumbnail(request: Request, site: SiteDep, _: Reader, did: DataId) -> Response:
    """Give a small picture."""
    data = await run_in_threadpool(site.data, did)
    if not is_image(site, data.format):
        raise NotFoundError("picture", data.name)
    content, etag = await site.thumbnails.get(data)
    headers = {"ETag": etag, "Cache-Control": "private, max-age=60"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="image/png")


@router.get("/{did}/image")
def read_image(site: SiteDep, _: Reader, did: DataId, scene: Annotated[int, Query(ge=0, le=10**6)] = 0) -> ImageInfo:
    """Say how a viewer reads the image, or another one of its file, and what is in it."""
    data = site.data(did)
    path = _image_path(site, data)
    look = site.sources.look(data, path, scene)
    if look.is_ome_tiff:
        place = "file"
    elif os.path.isdir(path):
        place = f"zarr/{look.scenes[scene]}".rstrip("/")
    else:
        place = f"zarr/{_SCENE}{scene}" if scene else "zarr"
    return ImageInfo(
        kind="ome-tiff" if look.is_ome_tiff else "ome-zarr",
        url=f"{API}/data/{did}/{quote(place)}",
        axes=look.axes,
        shape=list(look.shape),
        dtype=look.dtype,
        pixel_sizes=_quantities(look),
        channels=[Channel(**channel) for channel in look.channels],
        is_labels=look.is_labels,
        scenes=list(look.scenes),
    )


@router.get("/{did}/zarr/{path:path}", response_class=Response, responses=_BYTES)
def read_zarr(site: SiteDep, _: Reader, did: DataId, path: Annotated[str, Path(max_length=500)]) -> Response:
    """Give a part of the image as OME-Zarr: of a Zarr as it lies, of any other image computed when it is asked for."""
    data = site.data(did)
    local = _image_path(site, data)
    headers = {"Cache-Control": "private, max-age=60", "Content-Security-Policy": "default-src 'none'; sandbox"}
    if os.path.isdir(local):
        return FileResponse(inside(local, path), headers=headers, media_type="application/octet-stream")
    scene, path = _scene_in(path)
    content, media_type = document(site.sources.get(data, local, scene), path, data.name)
    return Response(content, headers=headers, media_type=media_type)


def _scene_in(path: str) -> tuple[int, str]:
    first, _, rest = path.partition("/")
    number = first.removeprefix(_SCENE)
    return (int(number), rest) if first != number and number.isdecimal() and len(number) < 7 else (0, path)


def _image_path(site: Site, data: Data) -> str:
    if not is_image(site, data.format):
        raise NotFoundError("image", data.name)
    return site.files.path(data)


def _known(site: Site, data: Data) -> tuple[Look | None, int | None]:
    """Say what is known of an image, and how many bytes its file has; nothing is fetched from elsewhere for it."""
    look = recorded_look(data.metadata) if isinstance(data, RawData) else None
    recorded = data.extra.get("size")
    size = recorded if isinstance(recorded, int) else None
    if "://" not in data.uri.removeprefix("file://"):
        try:
            path = site.files.path(data)
            size = os.path.getsize(path) if os.path.isfile(path) else size
            if look is None and is_image(site, data.format):
                look = site.sources.look(data, path)
        except BioImageITError:  # what is known of it is told, whether its file can be read or not
            pass
    return look, size


def _quantities(look: Look) -> dict[str, Quantity]:
    return {axis: Quantity(value=value, unit=unit) for axis, (value, unit) in look.pixel_sizes.items()}


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
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%;/' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
