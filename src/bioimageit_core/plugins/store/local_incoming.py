"""Files and directories on their way in: read once into a place of ours, then given their names."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from io import FileIO

from bioimageit_core.core.hashing import naming, sha256_of
from bioimageit_core.plugins.store.content import (
    copy_and_digest,
    digest_of_parts,
    digest_path,
    files_below,
    open_regular,
    write_all,
)
from bioimageit_core.plugins.store.disk import (
    in_made_directory,
    move_new,
    remove,
    sync_directory,
    sync_file,
    tree,
)
from bioimageit_core.plugins.store.files import Incoming, Progress, Stored

__all__ = ["LocalIncoming"]

_SMALL = 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FICLONE = 0x40049409  # linux/fs.h
_NO_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}


class LocalIncoming:
    """The part of `LocalFiles` about what comes in."""

    durable: bool
    placing_moves = True

    def __init__(self) -> None:
        self._token, self._numbers = os.urandom(16).hex(), itertools.count()
        self._clones = os.name == "posix"

    def take_in(self, source: str, temp: str, mode: str) -> Incoming:
        path, is_dir = self._temporary(temp), False
        try:
            try:
                stored = self._take_file(source, path, mode)
            except IsADirectoryError:
                is_dir = True
                stored = self._take_dir(source, path, mode)
        except BaseException:
            remove(path)
            raise
        return Incoming(path, stored, is_dir)

    def _take_file(self, source: str, path: str, mode: str) -> Stored:
        if mode == "link":
            os.close(open_regular(source)[0])  # a device can be linked, and is no source
            try:
                # of a link, its target: link(2) would take the link itself
                in_made_directory(path, lambda: os.link(os.path.realpath(source), path))
            except OSError as error:
                raise OSError(
                    error.errno, f"cannot hard-link ({error.strerror}); copy or reference it", source
                ) from error
            return digest_path(path)
        import hashlib  # takes long to load, and who only reads needs none

        reader, size = open_regular(source)
        try:
            with naming(source):
                content = os.read(reader, size + 1) if size <= _SMALL else b""
            writer = self._create(path)
            try:
                if size <= _SMALL and len(content) == size:
                    write_all(writer, content)
                    return Stored(size, hashlib.sha256(content).hexdigest())
                os.lseek(reader, 0, os.SEEK_SET)
                if not self._cloned(reader, writer):
                    return copy_and_digest(reader, writer, source)
            finally:
                os.close(writer)
            with FileIO(path) as clone, naming(source):  # what cannot be read of a clone cannot be read of its source
                sha256, size = sha256_of(clone)
                return Stored(size, sha256)
        finally:
            os.close(reader)

    def _cloned(self, source: int, target: int) -> bool:
        """Share the source's blocks where the filesystem can (btrfs, XFS, APFS by its own copy)."""
        if not self._clones:
            return False
        import fcntl

        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno not in _NO_CLONE:
                raise
            self._clones = error.errno == errno.EXDEV  # another source may lie on the same filesystem
            return False
        return True

    def _take_dir(self, source: str, path: str, mode: str) -> Stored:
        os.makedirs(path)
        parts = {}
        for relative in files_below(source):
            target = f"{path}/{relative}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            parts[relative] = self._take_file(os.path.join(source, relative), target, mode)
        return digest_of_parts(parts)

    def place(
        self, incoming: Incoming, uri: str, *, sync: bool = True, temp: str = "", progress: Progress | None = None
    ) -> None:
        if sync and self.durable:
            for path in [incoming.path] if not incoming.is_dir else tree(incoming.path):
                sync_file(path)
        try:
            move_new(incoming.path, uri)  # other software, which does not know our lock, may have put something there
        except OSError as error:
            if error.errno != errno.EXDEV or os.path.lexists(uri):
                raise
            shutil.move(incoming.path, uri)  # a tool's output on another disk
        if sync and self.durable:
            sync_directory(os.path.dirname(uri))

    def exchange(self, incoming: Incoming, uri: str, aside: str, *, temp: str = "") -> None:
        if self.durable:
            for path in [incoming.path] if not incoming.is_dir else tree(incoming.path):
                sync_file(path)
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        if os.path.isdir(uri) or incoming.is_dir:
            os.rename(uri, aside)
            try:
                os.rename(incoming.path, uri)
            except BaseException:
                os.rename(aside, uri)
                raise
        else:  # at no moment is there nothing
            try:
                os.link(uri, aside)
            except OSError:
                shutil.copy2(uri, aside)
            os.replace(incoming.path, uri)
        if self.durable:
            sync_directory(os.path.dirname(uri))

    def take_back(self, incoming: Incoming, uri: str) -> None:
        os.rename(uri, incoming.path)

    def discard(self, incoming: Incoming) -> None:
        if incoming.path:
            try:
                os.unlink(incoming.path)
            except FileNotFoundError:
                pass
            except OSError:  # a directory
                shutil.rmtree(incoming.path, ignore_errors=True)
        if incoming.room:
            shutil.rmtree(incoming.room, ignore_errors=True)

    def staging(self, directory: str) -> str:
        os.makedirs(directory, exist_ok=True)
        return directory

    def staged(self, path: str) -> Incoming:
        return Incoming(path, digest_path(path), os.path.isdir(path), os.path.dirname(path))

    def is_staged(self, path: str, directory: str) -> bool:
        return path.startswith(directory + "/")

    def _temporary(self, temp: str) -> str:
        return f"{temp}/{self._token}-{os.getpid()}-{next(self._numbers)}"

    def _create(self, path: str) -> int:
        try:
            return os.open(path, _NEW, 0o666)
        except FileNotFoundError:  # the first write below this experiment
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return os.open(path, _NEW, 0o666)
