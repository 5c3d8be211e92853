"""Files on their way to the server and back: Zarr directories as ZIP archives."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.paths import storable_name
from bioimageit_core.core.utils import generate_uuid

if TYPE_CHECKING:
    import httpx

    from bioimageit_http.connection import Connection

__all__ = ["download", "upload"]


def upload(connection: Connection, path: str) -> tuple[str, bool]:
    """Send a file or a directory; return what the server calls it, and whether it is an archive of a directory.

    Raises
    ------
    NotFoundError
        Nothing is at `path`.
    DataServiceError
        It cannot be read or sent.
    """
    name = os.path.basename(os.path.normpath(path)).encode("utf-8", "replace").decode() or "data"
    try:
        if os.path.isdir(path):
            with tempfile.TemporaryFile() as file:
                _pack(path, file)
                file.seek(0)
                return str(connection.send_file("/service/files", file, name=name)["file"]), True
        if not os.path.isfile(path):
            raise NotFoundError("file", path)
        with open(path, "rb") as file:
            return str(connection.send_file("/service/files", file, name=name)["file"]), False
    except (OSError, ValueError) as error:
        if isinstance(error, DataServiceError):
            raise
        raise DataServiceError(f"{path!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def download(connection: Connection, id_: str, uri: str, destination: str) -> str:
    """Write the file of a data to `destination`, or into the directory under its own name; return its path.

    Raises
    ------
    NotFoundError
        The data, or its file, is not there.
    DataServiceError
        Something is at `destination` already, or it cannot be written.
    """
    with connection.stream(f"/data/{id_}/file", "data", uri) as response:
        is_zip = response.headers.get("content-type") == "application/zip"
        name = _name_of(response)
        name = name.removesuffix(".zip") if is_zip else name
        target = os.path.join(destination, storable_name(name)) if os.path.isdir(destination) else destination
        if os.path.lexists(target):
            raise DataServiceError(f"{target!r} is there already; choose another destination")
        partial = f"{target}.{generate_uuid()[:8]}.part"
        try:
            with open(partial, "xb") as file:
                for part in response.iter_bytes():
                    file.write(part)
            if is_zip:
                _unpack(partial, f"{partial}.d")
                os.replace(f"{partial}.d", target)
            else:
                os.replace(partial, target)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise DataServiceError(
                f"{target!r} cannot be written: {getattr(error, 'strerror', None) or error}"
            ) from error
        finally:
            if os.path.lexists(partial):
                os.remove(partial)
            shutil.rmtree(f"{partial}.d", ignore_errors=True)
    return target


def _pack(folder: str, file: object) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(parent, name)
                archive.write(path, os.path.relpath(path, folder))


def _unpack(archive: str, target: str) -> None:
    os.mkdir(target)
    with zipfile.ZipFile(archive) as source:
        for entry in source.infolist():
            if entry.filename.startswith("/") or ".." in entry.filename.split("/"):
                raise ValueError("the archive reaches outside of itself")
            source.extract(entry, target)


def _name_of(response: httpx.Response) -> str:
    match = re.search(r"filename\*=UTF-8''([^;]+)", response.headers.get("content-disposition", ""))
    return os.path.basename(unquote(match[1])) if match else "data"
