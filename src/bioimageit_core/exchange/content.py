"""The file of a data: fetched from any home, and digested."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile

from bioimageit_core.containers import Data
from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.core.hashing import naming, sha256_of
from bioimageit_core.plugins.contracts import DataService, DownloadsData, GetsDataUri, RemembersContent

__all__ = ["digest", "fetch", "local_path", "stored_digest"]


def fetch(service: DataService, data: Data, directory: str) -> str:
    """Put the file (or Zarr directory) of a data into a local directory, under its own name; return its path.

    Raises
    ------
    NotFoundError
        The service neither gives it nor says where on this machine it is.
    """
    if isinstance(service, DownloadsData):
        return service.download_data(data.md_uri, directory)
    uri = service.get_data_uri(data) if isinstance(service, GetsDataUri) else data.uri
    if not os.path.exists(uri):
        raise NotFoundError("file", uri)
    target = os.path.join(directory, os.path.basename(uri.rstrip("/")))
    if os.path.isdir(uri):
        shutil.copytree(uri, target)
    else:
        shutil.copyfile(uri, target)
    return target


def local_path(service: DataService, data: Data) -> str:
    """Say where the file of a data is on this machine; ``''`` where it has to be fetched."""
    uri = service.get_data_uri(data) if isinstance(service, GetsDataUri) else data.uri
    return uri if os.path.isabs(uri) and os.path.exists(uri) else ""


def stored_digest(service: DataService, data: Data, *, lies_at_uri: bool = False) -> str:
    """Read the file of a data where it is stored, and return its SHA-256.

    Parameters
    ----------
    lies_at_uri
        Whether a `uri` that is an absolute path is known to be where the service keeps it.
    """
    if lies_at_uri and os.path.isabs(data.uri) and os.path.exists(data.uri):
        return digest(data.uri)[0]
    with tempfile.TemporaryDirectory(prefix="bioimageit-") as room:
        return digest(fetch(service, data, room))[0]


def change_of(service: DataService, data: Data, sha256: str) -> str:
    """Say in words that a data has not the content it was stored with; ``''`` where it has, or nobody knows."""
    if isinstance(service, RemembersContent) and service.is_as_stored(data, sha256) is False:
        return f"{data.name}: its content is not what was stored, and was taken as it is; 'bioimageit check' tells more"
    return ""


def digest(path: str) -> tuple[str, int]:
    """Return the SHA-256 of a file and its size; of a directory, that of its sorted ``<sha256>  <path>`` lines."""
    if not os.path.isdir(path):
        with open(path, "rb", buffering=0) as file, naming(path):
            return sha256_of(file)
    lines, size = [], 0
    for folder, _, names in os.walk(path):
        for name in names:
            inner = os.path.join(folder, name)
            found, bytes_ = digest(inner)
            lines.append(f"{found}  {os.path.relpath(inner, path)}\n")
            size += bytes_
    return hashlib.sha256("".join(sorted(lines, key=lambda line: line[66:])).encode()).hexdigest(), size
