"""What is imported: files and Zarr directories of this machine, and the ways to take them."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError, NotFoundError
from bioimageit_core.plugins.store.content import is_path
from bioimageit_core.plugins.store.documents import guarded
from bioimageit_core.plugins.store.files import MODES

__all__ = ["CONFLICTS", "Source", "SourceError", "check_choice", "check_modes", "is_zarr", "source_error", "sources_in"]

CONFLICTS = ("keep", "error", "replace")
"""What to do where another content has the same name: keep both, raise, or replace it (the old goes to the trash)."""


_OWN = {errno.ENOENT, errno.ELOOP, errno.EACCES, errno.EINVAL, errno.ENXIO, errno.EIO}  # of which others know nothing


class SourceError(DataServiceError):
    """A file that cannot be imported, which says nothing of others: a link to nothing, a pipe, a bad sector."""


@dataclass(frozen=True)
class Source:
    """A local file, or Zarr directory, to import, and what is said of it."""

    path: str
    name: str
    author: str
    format: str
    date: str
    key_value_pairs: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def check_choice(what: str, value: str, known: tuple[str, ...]) -> str:
    """Return `value` if it is one of those known."""
    if value not in known:
        raise DataServiceError(f"{what} {value!r}: expected one of {', '.join(known)}")
    return value


def check_modes(mode: str, on_conflict: str) -> None:
    """Refuse a way to import that there is not."""
    check_choice("import mode", mode, MODES)
    check_choice("on_conflict", on_conflict, CONFLICTS)


def source_error(error: OSError, path: str) -> DataServiceError:
    """Tell why a source was not imported: a `SourceError` where that is about it alone."""
    told = guarded(error, f"import {path!r}")
    of = str(error.filename or "")
    is_its_own = error.errno in _OWN and (of == path or of.startswith(path + os.sep))
    return SourceError(str(told)) if is_its_own else told


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: it is told when it is its turn
        return False


def is_zarr(path: str) -> bool:
    """Say whether a directory is a Zarr store (v2 or v3), by its name or by what is in it."""
    if not os.path.isdir(path):
        return False
    marks = (".zgroup", ".zarray", "zarr.json")
    return path.rstrip("/").lower().endswith(".zarr") or any(os.path.exists(os.path.join(path, m)) for m in marks)


def sources_in(directory: str, filter_: str, recursive: bool) -> Iterable[str]:
    """List the files and Zarr directories whose names match, sorted by path; hidden ones are left out.

    Raises
    ------
    DataServiceError
        The directory cannot be read, or the regular expression does not compile.
    """
    try:
        matches = re.compile(filter_ or "").search
    except (re.error, RecursionError, OverflowError) as error:
        raise DataServiceError(f"filter {filter_!r} is not a regular expression: {error}") from error
    if not is_path(directory):
        raise NotFoundError("directory to import", directory)
    try:
        with os.scandir(directory) as entries:
            names = sorted((entry.name, _is_dir(entry)) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise guarded(error, "read the directory to import") from error
    found: list[str] = []
    for name, is_dir in names:
        path = os.path.join(directory, name)
        if not is_dir or is_zarr(path):
            if matches(name):
                found.append(path)
        elif recursive and not os.path.islink(path):
            found += sources_in(path, filter_, recursive)
    return found
