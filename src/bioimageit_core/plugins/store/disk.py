"""Steps on the disk of this machine that the standard library lacks: moving without replacing, and syncing."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

__all__ = [
    "Signature",
    "in_made_directory",
    "is_coarse",
    "is_settled",
    "make_dirs",
    "move_new",
    "remove",
    "signature_of",
    "strange_in",
    "sync_directory",
    "sync_file",
    "sync_filesystem",
    "tree",
    "unlink",
]

_T = TypeVar("_T")

Signature: TypeAlias = tuple[int, int, int, int]
"""When a file was written (nanoseconds), its size, its inode, and when anything of it was changed (nanoseconds).

The last is what nobody can set: an editor or a copy that keeps time and size shows in it. Windows has no such time.
"""

signature_of: Callable[[os.stat_result], Signature] = attrgetter("st_mtime_ns", "st_size", "st_ino", "st_ctime_ns")


_TICK = 20_000_000  # nanoseconds within which a filesystem may give two changes the same time
_SECOND = 1_000_000_000


def is_coarse(signature: Signature) -> bool:
    """Say whether the filesystem counts in whole seconds, or two, as old ones and those of memory cards do."""
    return signature[3] % _SECOND == 0


def is_settled(signature: Signature) -> bool:
    """Say whether a change from now on would show in a signature."""
    return time.time_ns() - signature[3] >= (2 * _SECOND + _TICK if is_coarse(signature) else _TICK)


def move_new(path: str, uri: str) -> None:
    """Move to `uri` unless something is there.

    In one step where the system has one (Linux, renameat2(2)); else by a hard link, which fails where a rename would
    replace; else, on a filesystem that has neither, after a look.
    """
    if _rename_new is not None:
        if _rename_new(-100, os.fsencode(path), -100, os.fsencode(uri), 1) == 0:
            return
        number = ctypes.get_errno()
        if number not in {errno.EINVAL, errno.ENOSYS}:
            raise OSError(number, os.strerror(number), uri)
    try:
        os.link(path, uri)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EXDEV}:
            raise
        if os.path.lexists(uri):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), uri) from error
        os.rename(path, uri)
    else:
        os.unlink(path)


def _find_rename_new() -> Any:
    try:
        return ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return None


_rename_new = _find_rename_new()


def in_made_directory(path: str, operation: Callable[[], _T]) -> _T:
    """Do something at `path`, whose directory is made if there is none."""
    try:
        return operation()
    except FileNotFoundError:
        directory = os.path.dirname(path)
        if os.path.isdir(directory):
            raise
        os.makedirs(directory, exist_ok=True)
        return operation()


def make_dirs(path: str) -> list[str]:
    """Make a directory and its parents, and return those in which an entry was made, the innermost first."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):  # made by another process meanwhile
            os.mkdir(directory)
    return [os.path.dirname(directory) for directory in missing]


def strange_in(directory: str) -> str:
    """Return what in a folder of ours is neither file nor folder, or the folder if it is a link; ``''`` if all is well.

    Whoever made the experiment may have put it there: what is written to a link, or removed below it, is elsewhere.
    """
    if os.path.islink(directory):
        return directory
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
                return entry.path
    return ""


def unlink(path: str) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove(path: str) -> None:
    """Remove a file, a link, or a directory with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        unlink(path)


def tree(directory: str) -> Iterator[str]:
    """Give all files below a directory, and the directories themselves."""
    for folder, _folders, files in os.walk(directory):
        yield from (os.path.join(folder, name) for name in files)
        yield folder


def sync_file(path: str) -> None:
    """Return when the content of a file, or the entries of a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    """Return when the entries of a directory are on the disk."""
    if os.name == "posix":  # elsewhere a directory cannot be opened, and renames are ordered
        sync_file(path)


def sync_filesystem(path: str) -> None:
    """Write back the whole filesystem that `path` is on: one call for a batch, where fsync would be one a file."""
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        if hasattr(os, "sync"):
            os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)
