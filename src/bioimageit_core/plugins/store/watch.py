"""Hear from the system which files of a directory were touched, where it tells (Linux, inotify(7))."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
import threading
from typing import Any

__all__ = ["Watch"]

_EVENT = struct.Struct("iIII")
_MASK = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800  # modify … create, delete, moved
_OVERFLOW, _GONE = 0x4000, 0x2000 | 0x8000 | 0x400 | 0x800  # events were lost; the directory itself is gone
# Filesystems on which every change passes through this kernel; on others a change made elsewhere is not heard of.
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "zfs", "f2fs", "overlay", "ramfs", "bcachefs"}


class Watch:
    """What changed in one directory since the last question; None for 'look for yourself'."""

    def __init__(self, directory: str) -> None:
        self._path = directory
        self._ear: _Ear | None = None
        self._number = -1
        self._place: tuple[int, int] | None = None
        self._known = False
        self._begin()

    @property
    def is_listening(self) -> bool:
        """Say whether the system tells of changes there."""
        return self._ear is not None and self._number >= 0

    @property
    def place(self) -> tuple[int, int] | None:
        """What tells the directory that is listened to from any other: its device and inode."""
        return self._place

    def _begin(self) -> None:
        self.close()
        self._place = _place_of(self._path)  # before it is listened to: should it be replaced between, that shows
        self._ear = _ear() if sys.platform == "linux" and _filesystem(self._path) in _LOCAL else None
        self._number = self._ear.begin(os.fsencode(self._path)) if self._ear else -1

    def changes(self) -> set[str] | None:
        """Return the names that were touched since the last call; None if that is not known."""
        if self._place != _place_of(self._path):  # a folder above it was replaced, of which nobody tells
            self._begin()
            return None
        if self._ear is None or not self.is_listening or self._ear.process != os.getpid():
            return None
        names = self._ear.heard(self._number)
        known, self._known = self._known, True
        if names is None:  # events were lost, or the directory was replaced: begin anew
            self._number = -1
            self._begin()
            return None
        return names if known else None

    def close(self) -> None:
        """Stop listening."""
        if self._ear is not None and self._number >= 0 and self._ear.process == os.getpid():
            self._ear.end(self._number)
            self._number = -1

    def miss(self) -> None:
        """Forget what was heard: the next answer is 'look for yourself'."""
        self._known = False


class _Ear:
    """The one inotify instance of a process: the system gives each user only some hundred."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._library: Any = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._names: dict[int, dict[int, set[str] | None]] = {}  # of each watch of the kernel, of each of its users
        self._users: dict[int, int] = {}
        self._next = 0
        self._lock = threading.Lock()

    def begin(self, path: bytes) -> int:
        """Begin to listen for one user; return its number, -1 where the system has no more watches."""
        with self._lock:
            if self._descriptor < 0:
                return -1
            watch = self._library.inotify_add_watch(self._descriptor, path, _MASK)
            if watch < 0:
                if ctypes.get_errno() == errno.ENOENT:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))
                return -1
            self._next += 1
            self._users[self._next] = watch
            self._names.setdefault(watch, {})[self._next] = set()
            return self._next

    def heard(self, user: int) -> set[str] | None:
        """Return what was heard for a user since its last question; None if something may have been missed."""
        with self._lock:
            self._read()
            watch = self._users[user]
            names = self._names.get(watch, {}).get(user)
            if names is None:
                self._users.pop(user)
                self._names.get(watch, {}).pop(user, None)
                return None
            self._names[watch][user] = set()
            return names

    def end(self, user: int) -> None:
        """Stop listening for a user; a watch of the kernel that nobody uses any more is given back."""
        with self._lock:
            watch = self._users.pop(user, -1)
            users = self._names.get(watch, {})
            users.pop(user, None)
            if watch >= 0 and not users:
                self._names.pop(watch, None)
                self._library.inotify_rm_watch(self._descriptor, watch)

    def _read(self) -> None:
        while True:
            try:
                content = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return
            start = 0
            while start < len(content):
                watch, mask, _, length = _EVENT.unpack_from(content, start)
                start += _EVENT.size
                name = os.fsdecode(content[start : start + length].rstrip(b"\0"))
                start += length
                for place in self._names if mask & _OVERFLOW else [watch]:
                    self._note(place, name, bool(mask & (_OVERFLOW | _GONE)))

    def _note(self, watch: int, name: str, is_lost: bool) -> None:
        users = self._names.get(watch, {})
        for user, names in users.items():
            if is_lost:
                users[user] = None
            elif names is not None:
                names.add(name)


_current: list[_Ear] = []
_making = threading.Lock()


def _ear() -> _Ear:
    with _making:
        if not _current or _current[0].process != os.getpid():  # a fork shares its parent's events
            _current[:] = [_Ear()]
        return _current[0]


def _place_of(directory: str) -> tuple[int, int] | None:
    """Return what tells a directory from any other."""
    try:
        status = os.stat(directory)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _filesystem(directory: str) -> str:
    """Return the type of the filesystem that a directory is on, by the longest mount point above it."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return ""
    path = os.path.realpath(directory)
    best, kind = "", ""
    for _, point, found, *_rest in mounts:
        place = point.replace("\\040", " ")
        if len(place) >= len(best) and (path == place or path.startswith(place.rstrip("/") + "/")):
            best, kind = place, found
    return kind
