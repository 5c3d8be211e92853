"""Files of data on this machine: where they lie, or a copy of what lies elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import NotFoundError

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.containers import Data

__all__ = ["FileCache", "etag_of", "inside", "zip_of"]

_CHUNK = 1024 * 1024


class FileCache:
    """Local paths of data; copies of remote ones are kept up to a size, the least used go first.

    Parameters
    ----------
    state_dir
        Copies are in its folder ``files``.
    most
        Bytes that copies may take in all.
    """

    def __init__(self, request: Request, state_dir: str, most: int) -> None:
        self._request = request
        self._folder = os.path.join(state_dir, "files")
        self._most = most
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def path(self, data: Data) -> str:
        """Return where the file, or Zarr directory, of a data can be read.

        Raises
        ------
        NotFoundError
            It is not there.
        """
        local = data.uri.removeprefix("file://")
        if "://" not in local:
            if not local or not os.path.exists(local):
                raise NotFoundError("file", data.name)
            return local
        facts = repr((data.md_uri, data.uri, data.extra.get("checksum"), data.extra.get("size")))
        key = hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            return self._copy(data, os.path.join(self._folder, key))

    def _copy(self, data: Data, folder: str) -> str:
        if os.path.isdir(folder) and (names := os.listdir(folder)):
            os.utime(folder)
            return os.path.join(folder, names[0])
        partial = f"{folder}.part"
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial, mode=0o700)
        name = os.path.basename(data.uri.rstrip("/")) or "data"
        self._request.download_data(data, os.path.join(partial, name))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
        self._make_room(os.path.basename(folder))
        return os.path.join(folder, name)

    def _make_room(self, but: str) -> None:
        with self._lock:
            found = [entry for entry in os.scandir(self._folder) if not entry.name.endswith(".part")]
            sizes = {entry.path: _size_below(entry.path) for entry in found}
            left = sum(sizes.values())
            for entry in sorted(found, key=lambda entry: entry.stat().st_mtime):
                if left <= self._most:
                    return
                if entry.name != but:
                    shutil.rmtree(entry.path, ignore_errors=True)
                    left -= sizes[entry.path]


def inside(folder: str, path: str) -> str:
    """Return the file at a relative path below a folder.

    Raises
    ------
    NotFoundError
        There is none, or it is not below the folder.
    """
    root = os.path.realpath(folder)
    try:
        full = os.path.realpath(os.path.join(root, *path.split("/")))
        is_there = full.startswith(root + os.sep) and os.path.isfile(full)
    except ValueError:  # a null character
        is_there = False
    if not is_there:
        raise NotFoundError("file", path[:200])
    return full


def etag_of(*facts: Any) -> str:
    """Return an entity tag that changes with what is given."""
    return f'"{hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()[:32]}"'


def zip_of(folder: str) -> Iterator[bytes]:
    """Give a folder as a ZIP archive, as it is made; nothing is compressed, for Zarr chunks are already."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[call-overload]
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(parent, name)
                with (
                    open(path, "rb") as source,
                    archive.open(os.path.relpath(path, folder), "w", force_zip64=True) as to,
                ):
                    while content := source.read(_CHUNK):
                        to.write(content)
                        yield sink.take()
    yield sink.take()


class _Sink:
    """A file that is only written to, and emptied from time to time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: bytes) -> int:
        """Keep a part."""
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return what was written since."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def _size_below(folder: str) -> int:
    return sum(os.path.getsize(os.path.join(parent, name)) for parent, _, names in os.walk(folder) for name in names)
