"""The file of a data: fetched from any home, and digested."""

from __future__ import annotations

import hashlib
import os
import shutil

from bioimageit_core.containers import Data
from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.plugins.contracts import DataService, DownloadsData, GetsDataUri

__all__ = ["digest", "fetch", "local_path"]


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


def digest(path: str) -> tuple[str, int]:
    """Return the SHA-256 of a file and its size; of a directory, that of its sorted ``<sha256>  <path>`` lines."""
    if not os.path.isdir(path):
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), os.path.getsize(path)
    lines, size = [], 0
    for folder, _, names in os.walk(path):
        for name in names:
            inner = os.path.join(folder, name)
            found, bytes_ = digest(inner)
            lines.append(f"{found}  {os.path.relpath(inner, path)}\n")
            size += bytes_
    return hashlib.sha256("".join(sorted(lines, key=lambda line: line[66:])).encode()).hexdigest(), size
