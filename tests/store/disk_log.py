"""A simulated disk: what a process did to the files below a directory, and what of it a crash may leave.

The process works on a real directory while its calls are written down. From the log an image is made of what would be
there if the machine had stopped after any of them: after a kill everything up to then; after a power cut what was
synced, some prefix of the changes of directories that were not, and of file contents that were not all, half, nothing
or all of every second file. It is a model of a filesystem, not a block device: changes of one directory come in order,
renames are atomic.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.plugins.store import disk, local_files

_IGNORED = ("index.sqlite", "lock")  # derived, or of the process that is no more


UNSYNCED = ("dropped", "torn", "kept", "odd kept", "even kept")


@dataclass
class Op:
    """One call; `file` is a number that stands for an inode."""

    name: str
    path: str = ""
    target: str = ""
    file: int = -1
    content: bytes = b""

    @property
    def folders(self) -> set[str]:
        return {os.path.dirname(path) for path in (self.path, self.target) if path}


@dataclass
class Image:
    """What lies on a disk: names of files and folders, and contents of files."""

    names: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    contents: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> Image:
        return Image(dict(self.names), set(self.folders), dict(self.contents))

    def apply(self, op: Op) -> None:
        if op.name == "mkdir":
            self.folders.add(op.path)
        elif op.name == "rmdir":
            self.folders.discard(op.path)
        elif op.name == "create":
            self.names[op.path] = op.file
            self.contents.setdefault(op.file, b"")
        elif op.name == "link":
            self.names[op.target] = op.file
        elif op.name == "unlink":
            self.names.pop(op.path, None)
        elif op.name == "rename":
            self._rename(op)

    def _rename(self, op: Op) -> None:
        if op.file >= 0:
            self.names.pop(op.path, None)
            self.names[op.target] = op.file
            return
        start = op.path + "/"
        for path in [path for path in self.names if path.startswith(start)]:
            self.names[op.target + path[len(op.path) :]] = self.names.pop(path)
        moved = {path for path in self.folders if path == op.path or path.startswith(start)}
        self.folders = self.folders - moved | {op.target + path[len(op.path) :] for path in moved}

    def frozen(self) -> frozenset[tuple[str, bytes]]:
        kept = {(path, self.contents.get(number, b"")) for path, number in self.names.items()}
        return frozenset(kept | {(path + "/", b"") for path in self.folders})

    def write_to(self, root: Path) -> None:
        """Make the image real; what lies in a folder that is not there is lost."""
        for folder in sorted(self.folders):
            if (root / folder).parent.is_dir():
                (root / folder).mkdir(exist_ok=True)
        for path, number in self.names.items():
            if (root / path).parent.is_dir():
                (root / path).write_bytes(self.contents.get(number, b""))


class DiskLog:
    """The calls of this process below `root`, since it was made."""

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self.start = Image()
        self.ops: list[Op] = []
        for folder, folders, files in os.walk(self.root):
            self.start.folders |= {self._relative(f"{folder}/{name}") for name in folders}
            for name in files:
                if not name.startswith(_IGNORED):
                    number = len(self.start.contents)
                    self.start.names[self._relative(f"{folder}/{name}")] = number
                    self.start.contents[number] = Path(folder, name).read_bytes()
        self._live = self.start.copy()
        self._open: dict[int, tuple[str, int]] = {}
        self._next = 10_000

    def _relative(self, path: Any, dir_fd: int | None = None) -> str:
        """Return a path below the root, ``''`` for any other."""
        text = os.fsdecode(path)
        if dir_fd is not None and not os.path.isabs(text):
            text = f"{os.readlink(f'/proc/self/fd/{dir_fd}')}/{text}"
        text = os.path.abspath(text)
        if not text.startswith(self.root + "/") or os.path.basename(text).startswith(_IGNORED):
            return ""
        return text[len(self.root) + 1 :]

    def _did(self, op: Op) -> None:
        self.ops.append(op)
        self._live.apply(op)

    def opened(self, path: Any, descriptor: int, flags: int, existed: bool) -> None:
        relative = self._relative(path) if not isinstance(path, int) else ""
        if not relative and os.path.abspath(os.fsdecode(path)) != self.root:
            return
        if flags & os.O_CREAT and not existed:
            self._next += 1
            self._did(Op("create", relative, file=self._next))
        self._open[descriptor] = (relative, self._live.names.get(relative, -1))

    def wrote(self, descriptor: int, content: bytes) -> None:
        if descriptor in self._open and self._open[descriptor][1] >= 0:
            self.ops.append(Op("write", file=self._open[descriptor][1], content=bytes(content)))

    def synced(self, descriptor: int) -> None:
        if descriptor in self._open:
            path, number = self._open[descriptor]
            self.ops.append(Op("fsync", path, file=number))

    def moved(self, name: str, path: Any, target: Any) -> None:
        source, to = self._relative(path), self._relative(target)
        if source and to:
            self._did(Op(name, source, to, self._live.names.get(source, -1)))

    def removed(self, name: str, path: Any, dir_fd: int | None = None) -> None:
        if relative := self._relative(path, dir_fd):
            self._did(Op(name, relative))

    # What a crash leaves

    def after_kill(self, count: int) -> Iterator[Image]:
        """Give what is there if the process is killed after `count` calls, or in the middle of that which follows."""
        yield self._image(self.ops[:count], range(count), "kept")
        if count < len(self.ops) and self.ops[count].name == "write":
            op = self.ops[count]
            torn = Op("write", file=op.file, content=op.content[: len(op.content) // 2])
            yield self._image([*self.ops[:count], torn], range(count), "kept")

    def after_power_cut(self, count: int, unsynced: Sequence[str] = UNSYNCED) -> Iterator[Image]:
        """Give what may be there if the power goes after `count` calls."""
        ops = self.ops[:count]
        durable: set[int] = set()
        waiting: list[int] = []
        for number, op in enumerate(ops):
            if op.name == "syncfs" or (op.name == "fsync" and op.file < 0):
                done = [w for w in waiting if op.name == "syncfs" or op.path in ops[w].folders]
                durable |= set(done)
                waiting = [w for w in waiting if w not in set(done)]
            elif op.name not in {"write", "fsync"}:
                waiting.append(number)
        for length in range(len(waiting) + 1):
            for how in unsynced:
                yield self._image(ops, sorted(durable | set(waiting[:length])), how)

    def _image(self, ops: list[Op], survived: Any, unsynced: str) -> Image:
        image = self.start.copy()
        written: dict[int, bytes] = dict(image.contents)
        synced: dict[int, bytes] = dict(image.contents)
        for op in ops:
            if op.name == "write":
                written[op.file] = written.get(op.file, b"") + op.content
            elif op.name == "syncfs":
                synced = dict(written)
            elif op.name == "fsync" and op.file >= 0:
                synced[op.file] = written.get(op.file, b"")
        for number in survived:
            image.apply(ops[number])
        for file, content in written.items():
            safe = synced.get(file, b"")
            what = unsynced
            if what in {"odd kept", "even kept"}:  # of files written one after the other one is there, one is not
                what = "kept" if (file % 2 == 1) == (what == "odd kept") else "dropped"
            cut = {"dropped": len(safe), "torn": (len(safe) + len(content)) // 2, "kept": len(content)}[what]
            image.contents[file] = content[:cut]
        return image


@contextmanager
def recorded(root: Path) -> Iterator[DiskLog]:
    """Write down what this process does below a directory."""
    log = DiskLog(root)
    with pytest.MonkeyPatch.context() as patch:
        _watch(log, patch)
        yield log


def _watch(log: DiskLog, patch: pytest.MonkeyPatch) -> None:
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "close")}
    real_open = builtins.open

    def os_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        existed = os.path.lexists(path) if not isinstance(path, int) else True
        descriptor = real["open"](path, flags, mode, dir_fd=dir_fd)
        if dir_fd is None:
            log.opened(path, descriptor, flags, existed)
        return int(descriptor)

    def os_write(descriptor: int, content: Any) -> int:
        written = real["write"](descriptor, content)
        log.wrote(descriptor, bytes(content)[:written])
        return int(written)

    def os_fsync(descriptor: int) -> None:
        real["fsync"](descriptor)
        log.synced(descriptor)

    def os_close(descriptor: int) -> None:
        log._open.pop(descriptor, None)
        real["close"](descriptor)

    def py_open(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        existed = isinstance(path, int) or os.path.lexists(path)
        file = real_open(path, mode, *args, **kwargs)
        if "r" not in mode and not isinstance(path, int):
            log.opened(path, file.fileno(), os.O_CREAT, existed)
        return file

    patch.setattr(os, "open", os_open)
    patch.setattr(os, "write", os_write)
    patch.setattr(os, "fsync", os_fsync)
    patch.setattr(os, "close", os_close)
    patch.setattr(builtins, "open", py_open)
    for name in ("rename", "replace", "link"):
        patch.setattr(os, name, _moving(log, "link" if name == "link" else "rename", getattr(os, name)))
    for name in ("unlink", "remove", "rmdir"):
        patch.setattr(os, name, _removing(log, "rmdir" if name == "rmdir" else "unlink", getattr(os, name)))
    patch.setattr(os, "mkdir", _making(log, os.mkdir))
    patch.setattr(disk, "_rename_new", _renaming_new(log, disk._rename_new))
    patch.setattr(local_files, "sync_filesystem", lambda path: log.ops.append(Op("syncfs")))


def _moving(log: DiskLog, name: str, real: Any) -> Any:
    def call(path: Any, target: Any, **options: Any) -> None:
        real(path, target, **options)
        log.moved(name, path, target)

    return call


def _removing(log: DiskLog, name: str, real: Any) -> Any:
    def call(path: Any, *, dir_fd: int | None = None) -> None:
        real(path, dir_fd=dir_fd)
        log.removed(name, path, dir_fd)

    return call


def _making(log: DiskLog, real: Any) -> Any:
    def call(path: Any, mode: int = 0o777, **options: Any) -> None:
        real(path, mode, **options)
        if relative := log._relative(path):
            log._did(Op("mkdir", relative))

    return call


def _renaming_new(log: DiskLog, real: Any) -> Any:
    def call(start: int, path: bytes, end: int, target: bytes, flags: int) -> int:
        result = int(real(start, path, end, target, flags))
        if result == 0:
            log.moved("rename", path, target)
        return result

    return call if real is not None else None
