"""Files that come in: streamed to this machine, no more than may be, and unpacked with care."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from bioimageit_core.core.exceptions import InvalidNameError
from bioimageit_core.core.paths import check_name
from bioimageit_core.web.problems import ProblemError

if TYPE_CHECKING:
    from fastapi import Request

    from bioimageit_core.web.site import Site

__all__ = ["receive", "unpacked", "upload_folder"]

_MOST_FILES = 1_000_000


@contextmanager
def upload_folder(site: Site) -> Iterator[str]:
    """Give a folder for what comes in; it is removed afterwards."""
    place = os.path.join(site.settings.state_dir, "uploads")
    os.makedirs(place, mode=0o700, exist_ok=True)
    folder = tempfile.mkdtemp(dir=place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def receive(request: Request, folder: str, name: str) -> str:
    """Write the body of a request into a file as it comes, and return its path.

    Raises
    ------
    InvalidNameError
        No file may be called so.
    ProblemError
        It was cut off.
    """
    path = os.path.join(folder, check_name("file", name))
    told = request.headers.get("content-length", "")
    size = 0
    with open(path, "xb") as file:
        async for part in request.stream():
            size += len(part)
            await run_in_threadpool(file.write, part)
    if told.isdecimal() and size != int(told):
        raise ProblemError(400, f"{size} bytes came, {told} were told")
    return path


def unpacked(archive: str, folder: str, name: str, limit: int) -> str:
    """Unpack a ZIP archive of a Zarr directory, and return where it is.

    Parameters
    ----------
    limit
        Bytes that it may hold.

    Raises
    ------
    InvalidNameError
        It is no archive, reaches outside of itself, or holds too much.
    """
    target = os.path.join(folder, "unpacked", check_name("file", name))
    os.makedirs(target)
    try:
        with zipfile.ZipFile(archive) as source:
            entries = source.infolist()
            if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > limit:
                raise InvalidNameError("archive", name, "it holds more than is taken")
            for entry in entries:
                parts = entry.filename.split("/")
                is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
                if entry.filename.startswith("/") or ".." in parts or "\\" in entry.filename or is_link:
                    raise InvalidNameError("archive", entry.filename, "it reaches outside of the archive")
                source.extract(entry, target)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise InvalidNameError("archive", name, f"it cannot be unpacked: {error}") from error
    return target
