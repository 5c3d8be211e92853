"""Local files and directories that are to be stored: their keys, and what tells that they were changed meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.core.hashing import sha256_of_path
from bioimageit_core.plugins.store.content import copy_and_digest, open_regular

__all__ = ["Scanned", "files_in", "is_key", "manifest_of", "scan", "scan_copy", "stamp_of"]

_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}(\.[A-Za-z0-9]{1,10}){0,2}")
_DOUBLE = re.compile(r"\.(ome\.(tiff?|zarr)|nii\.gz|tar\.gz)$", re.IGNORECASE)
_SINGLE = re.compile(r"\.[A-Za-z0-9]{1,10}$")


class Scanned:
    """A file or directory to store.

    Attributes
    ----------
    key
        The key of its content.
    parts
        For a directory: size and SHA-256 of each file by its relative path; None for a file.
    stamps
        Size and time of change of each file, by its path: what tells that it was changed meanwhile.
    """

    def __init__(
        self, path: str, key: str, parts: dict[str, list[Any]] | None, stamps: dict[str, tuple[int, int]]
    ) -> None:
        self.path = path
        self.key = key
        self.parts = parts
        self.stamps = stamps


def is_key(text: str) -> bool:
    """Say whether a text has the form of a key."""
    return _KEY.fullmatch(text) is not None


def scan(path: str) -> Scanned:
    """Compute the key of a local file or directory.

    Raises
    ------
    NotFoundError
        It is not there.
    DataServiceError
        It cannot be read, or is no file and no directory.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            stamps = {path: stamp_of(path)}
            return Scanned(path, _key(sha256_of_path(path), path), None, stamps)
        if not stat.S_ISDIR(mode):
            raise DataServiceError(f"{path!r} is neither a file nor a directory")
        files = dict(sorted(files_in(path)))
        stamps = {full: stamp_of(full) for full in files.values()}
        parts = {name: [stamps[full][0], sha256_of_path(full)] for name, full in files.items()}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("file", path) from error
    except (OSError, ValueError) as error:
        raise DataServiceError(f"cannot read {path!r}: {error}") from error
    return Scanned(path, _key(hashlib.sha256(b"directory\n" + manifest_of(parts)).hexdigest(), path), parts, stamps)


def scan_copy(path: str, target: str) -> Scanned:
    """Copy a local file, and compute the key of what was copied in the same pass.

    Raises
    ------
    NotFoundError
        It is not there.
    OSError
        It cannot be read, or the copy not be written.
    """
    try:
        reader, _ = open_regular(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("file", path) from error
    try:
        with open(target, "xb", buffering=0) as writer:
            stored = copy_and_digest(reader, writer.fileno(), path)
    finally:
        os.close(reader)
    return Scanned(path, _key(stored.sha256, path), None, {path: stamp_of(path)})


def _key(digest: str, path: str) -> str:
    name = os.path.basename(os.path.normpath(path))
    suffix = _DOUBLE.search(name) or _SINGLE.search(name)
    return f"{digest[:2]}/{digest}{suffix.group().lower() if suffix else ''}"


def stamp_of(path: str) -> tuple[int, int]:
    """Give size and time of change of a file."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def manifest_of(parts: dict[str, list[Any]]) -> bytes:
    """Write the list of the files of a directory."""
    return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()


def files_in(path: str) -> Iterator[tuple[str, str]]:
    """Give the files of a directory: relative path with POSIX separators, and path."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in names:
            full = os.path.join(folder, name)
            yield os.path.relpath(full, path).replace(os.sep, "/"), full
