"""Open a crate that anybody may have made: nothing in it reaches outside of it.

A ZIP file is unpacked member by member: absolute paths, ``..``, links, devices, names that collide where case does not
count, and members that grow beyond what they say are refused. In a folder, links are refused. Nothing is fetched.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError, DocumentError, NotFoundError
from bioimageit_core.core.paths import folded

__all__ = ["METADATA", "UnsafeCrateError", "is_crate", "opened", "read_graph"]

METADATA = "ro-crate-metadata.json"
_MAX_METADATA = 1 << 30  # bytes; a crate of a million data says less
_MAX_RATIO = 1000  # of what a member unpacks to, to what it takes; beyond deflate's reach with real data
_BLOCK = 1 << 20


class UnsafeCrateError(DataServiceError):
    """A crate that reaches outside of itself, or is not what it says."""

    def __init__(self, crate: str, member: str, reason: str) -> None:
        super().__init__(crate, member, reason)
        self.crate = crate
        self.member = member
        self.reason = reason

    def __str__(self) -> str:
        return f"the crate {self.crate!r} is refused: {self.member!r} {self.reason}"


def is_crate(path: str) -> bool:
    """Say whether a path is a folder or ZIP file with the metadata of a crate."""
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, METADATA))
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return METADATA in archive.namelist()


@contextlib.contextmanager
def opened(path: str) -> Iterator[Path]:
    """Give the folder of a crate, unpacked for as long as it is needed if it is a ZIP file.

    Raises
    ------
    NotFoundError
        There is no crate.
    UnsafeCrateError
        It reaches outside of itself.
    """
    place = Path(path).expanduser().absolute()
    if not place.exists():
        raise NotFoundError("crate", str(place))
    if not is_crate(str(place)):
        raise DataServiceError(f"{str(place)!r} is no RO-Crate: a folder or ZIP file with {METADATA} is expected")
    if place.is_dir():
        _check_folder(place)
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="bioimageit-crate-") as room:
        _unpack(place, Path(room))
        yield Path(room)


def read_graph(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the entities of a crate, by their identifier.

    Raises
    ------
    DocumentError
        The metadata cannot be read.
    """
    from bioimageit_core.exchange.crate.graph import library

    library()
    from rocrate.metadata import find_root_entity_id, read_metadata

    path = folder / METADATA
    if path.stat().st_size > _MAX_METADATA:
        raise DocumentError(str(path), f"is larger than {_MAX_METADATA} bytes")
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict):  # the library would take a text for the path of a file, and open it
            raise ValueError(f"expected an object, found {type(document).__name__}")
        _, entities = read_metadata(document)
        find_root_entity_id(entities)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DocumentError(str(path), f"is no metadata of an RO-Crate: {error}") from error
    if not all(isinstance(entity, dict) for entity in entities.values()):
        raise DocumentError(str(path), "has an entity that is no object")
    found: dict[str, dict[str, Any]] = entities
    return found


def _check_folder(folder: Path) -> None:
    for root, names, files in os.walk(folder):
        for name in (*names, *files):
            path = os.path.join(root, name)
            mode = os.lstat(path).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                inner = os.path.relpath(path, folder)
                raise UnsafeCrateError(str(folder), inner, "is a link or device; a crate holds files and folders")


def _unpack(path: Path, room: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(path, members)
            _check_room(path, members, room)
            for member in members:
                _unpack_member(archive, member, room)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataServiceError(f"{str(path)!r} cannot be unpacked: {error}") from error
    except OSError as error:
        raise DataServiceError(f"{str(path)!r} cannot be unpacked: {error.strerror or error}") from error


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for member in members:
        name = member.filename
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\0" in name:
            raise UnsafeCrateError(str(path), name, "leads out of the crate")
        mode = member.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UnsafeCrateError(str(path), name, "is a link or device; a crate holds files and folders")
        key = folded(name.rstrip("/"))
        if key in seen:
            raise UnsafeCrateError(str(path), name, "is there twice, or differs from another only in case")
        seen.add(key)
        if member.file_size > _BLOCK and member.file_size > _MAX_RATIO * max(member.compress_size, 1):
            raise UnsafeCrateError(str(path), name, f"would grow more than {_MAX_RATIO} times")


def _check_room(path: Path, members: list[zipfile.ZipInfo], room: Path) -> None:
    needed = sum(member.file_size for member in members)
    free = shutil.disk_usage(room).free
    if needed > free:
        raise DataServiceError(f"{str(path)!r} unpacks to {needed} bytes, and {str(room)!r} has room for {free}")


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: Path) -> None:
    target = room.joinpath(*PurePosixPath(member.filename).parts)
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with archive.open(member) as source, open(target, "xb") as file:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise UnsafeCrateError(archive.filename or "", member.filename, "is larger than it says")
            file.write(block)
