"""The disk of this machine: atomic writes, one pass for copy and checksum, locks between processes."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from bioimageit_core.core.json_text import MAX_BYTES
from bioimageit_core.plugins.store.content import (
    CHUNK,
    READING,
    copy_and_digest,
    digest_of_parts,
    digest_path,
    files_below,
    is_path,
    open_regular,
    same_content,
    write_all,
)
from bioimageit_core.plugins.store.disk import (
    Signature,
    in_made_directory,
    make_dirs,
    move_new,
    signature_of,
    sync_directory,
    sync_file,
    sync_filesystem,
    tree,
    unlink,
)
from bioimageit_core.plugins.store.files import Changed, Entry, Files, Incoming, Progress, Stored, Write
from bioimageit_core.plugins.store.local_logs import LocalLogs
from bioimageit_core.plugins.store.locks import ExperimentLock

__all__ = ["LocalFiles"]

logger = logging.getLogger(__name__)

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SMALL = 1024 * 1024
_FEW = 4  # files that are synced one by one; more of them cost more than the whole filesystem does
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FICLONE = 0x40049409  # linux/fs.h
_NO_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}


class LocalFiles(LocalLogs, Files):
    """Files on a disk of this machine.

    Parameters
    ----------
    durable
        Wait until what is written is on the disk (fsync of file and directory) before saying that it is done.
    """

    placing_moves = True

    def __init__(self, durable: bool = True) -> None:
        self.durable = durable
        self._locks: dict[str, ExperimentLock] = {}
        self._guard = threading.Lock()
        self._real: dict[str, str] = {}  # what directories are without links, each looked at once
        self._token, self._numbers = os.urandom(16).hex(), itertools.count()
        self._clones = os.name == "posix"

    def absolute(self, uri: str) -> str:
        path = uri.removeprefix("file://")
        if not is_path(path) or _URL.match(path):  # a URL is no folder here of such a name
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
        return os.path.abspath(os.path.expanduser(path)).replace(os.sep, "/")

    def leads_to(self, uri: str) -> str:
        directory, _, name = uri.rpartition("/")
        is_link = os.path.islink(directory)  # it may have become one, or another
        real = None if is_link else self._real.get(directory)
        if real is None:
            real = os.path.realpath(directory or "/").replace(os.sep, "/").rstrip("/")
            if not is_link:
                self._real[directory] = real
        return os.path.realpath(uri).replace(os.sep, "/") if os.path.islink(uri) else f"{real}/{name}"

    def is_link(self, uri: str) -> bool:
        return os.path.islink(uri)

    def link_out_of(self, uri: str) -> str:
        inside = os.path.realpath(uri) + os.sep
        for folder, folders, names in os.walk(uri):
            for path in (os.path.join(folder, name) for name in (*folders, *names)):
                if os.path.islink(path) and not os.path.realpath(path).startswith(inside):
                    return path
        return ""

    def local_copy(self, uri: str) -> str:
        return uri

    def read(self, uri: str) -> bytes:
        return self._read(uri)[0]

    def _read(self, uri: str) -> tuple[bytes, os.stat_result]:
        descriptor = os.open(uri, READING)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "is not a regular file", uri)
            size = status.st_size
            if size > MAX_BYTES:
                raise OSError(errno.EFBIG, f"is larger than {MAX_BYTES} bytes; that is no metadata", uri)
            content = os.read(descriptor, size + 1)
            if len(content) != size:
                content += b"".join(iter(lambda: os.read(descriptor, CHUNK), b""))
            return content, status
        finally:
            os.close(descriptor)

    def read_version(self, uri: str) -> tuple[bytes, object]:
        content, status = self._read(uri)
        return content, signature_of(status)

    def signature(self, uri: str) -> object | None:
        try:
            return signature_of(os.stat(uri))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def content_signature(self, uri: str) -> object | None:
        status = os.stat(uri)
        return None if stat.S_ISDIR(status.st_mode) else signature_of(status)

    def exists(self, uri: str) -> bool:
        return os.path.lexists(uri)

    def entries(self, uri: str) -> Iterator[Entry]:
        with os.scandir(uri) as found:
            for entry in found:
                try:
                    is_dir = entry.is_dir()
                    yield Entry(entry.name, is_dir, 0 if is_dir else entry.stat().st_size)
                except FileNotFoundError:  # removed meanwhile, or a link to nothing
                    continue

    def names(self, uri: str) -> list[str]:
        return os.listdir(uri)

    def write(
        self, uri: str, content: bytes, temp: str, *, new: bool = False, expected: object = None, sync: bool = True
    ) -> object | None:
        path = self._temporary(temp)
        try:
            signature = self._write_file(path, content, sync)
            if expected is not None and self.signature(uri) != expected:  # other software, which minds no lock
                raise Changed(errno.EBUSY, "was changed meanwhile", uri)
            if new:
                move_new(path, uri)
            else:
                _keep_mode(path, uri)
                os.replace(path, uri)
        except BaseException:
            unlink(path)
            raise
        if sync and self.durable:
            sync_directory(os.path.dirname(uri))
        return _moved(signature, uri)

    def write_together(self, writes: Sequence[Write], temp: str) -> list[object]:
        paths = [self._temporary(temp) for _ in writes]
        try:
            signatures = [
                self._write_file(path, each.content, sync=False) for path, each in zip(paths, writes, strict=True)
            ]
            if self.durable:
                sync_filesystem(os.path.dirname(paths[0]))
        except BaseException:
            for path in paths:
                unlink(path)
            raise
        done = zip(paths, writes, signatures, strict=True)
        return [self._put(path, each, signature) for path, each, signature in done]

    def _put(self, path: str, write: Write, written: Signature) -> object | None:
        """Move what is written to its place; return its signature there, or why it is not."""
        try:
            if self.signature(write.uri) != write.expected:
                raise Changed(errno.EBUSY, "was changed meanwhile", write.uri)
            _keep_mode(path, write.uri)
            os.replace(path, write.uri)
        except OSError as error:
            unlink(path)
            return error
        return _moved(written, write.uri)

    def _temporary(self, temp: str) -> str:
        return f"{temp}/{self._token}-{os.getpid()}-{next(self._numbers)}"

    def _write_file(self, path: str, content: bytes, sync: bool) -> Signature:
        try:
            descriptor = os.open(path, _NEW, 0o666)
        except FileNotFoundError:  # the first write below this experiment
            os.makedirs(os.path.dirname(path), exist_ok=True)
            descriptor = os.open(path, _NEW, 0o666)
        try:
            write_all(descriptor, content)
            if sync and self.durable:
                os.fsync(descriptor)
            return signature_of(os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def make_dir(self, uri: str) -> None:
        self._sync_directories(make_dirs(uri))

    def _sync_directories(self, directories: Iterable[str]) -> None:
        if self.durable:
            for directory in dict.fromkeys(directories):
                sync_directory(directory or ".")

    def take_in(self, source: str, temp: str, mode: str) -> Incoming:
        path, is_dir = self._temporary(temp), False
        try:
            try:
                stored = self._take_file(source, path, mode)
            except IsADirectoryError:
                is_dir = True
                stored = self._take_dir(source, path, mode)
        except BaseException:
            self.remove(path)
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
            return self.digest(path)
        import hashlib  # takes long to load, and who only reads needs none

        reader, size = open_regular(source)
        try:
            if size <= _SMALL:
                content = os.read(reader, size + 1)
                if len(content) == size:
                    self._write_file(path, content, sync=False)
                    return Stored(size, hashlib.sha256(content).hexdigest())
                os.lseek(reader, 0, os.SEEK_SET)
            self._write_file(path, b"", sync=False)
            with open(path, "wb", buffering=0) as writer:
                if self._cloned(reader, writer.fileno()):
                    return digest_path(path)
                return copy_and_digest(reader, writer.fileno())
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

    def holds(self, uri: str, source: str) -> bool:
        return same_content(uri, source)

    def digest(self, uri: str) -> Stored:
        return digest_path(uri)

    def staging(self, directory: str) -> str:
        os.makedirs(directory, exist_ok=True)
        return directory

    def staged(self, path: str) -> Incoming:
        return Incoming(path, digest_path(path), os.path.isdir(path), os.path.dirname(path))

    def is_staged(self, path: str, directory: str) -> bool:
        return path.startswith(directory + "/")

    def fetch(self, uri: str, destination: str) -> None:
        if os.path.isdir(uri):
            shutil.copytree(uri, destination, dirs_exist_ok=True)
        else:
            shutil.copyfile(uri, destination)

    def move(self, uri: str, destination: str, *, sync: bool = True) -> None:
        made = make_dirs(os.path.dirname(destination))
        os.rename(uri, destination)
        if sync:
            self._sync_directories([os.path.dirname(destination), *made, os.path.dirname(uri)])

    def remove(self, uri: str) -> None:
        if os.path.isdir(uri) and not os.path.islink(uri):
            shutil.rmtree(uri)
        else:
            unlink(uri)

    def lock(self, directory: str) -> AbstractContextManager[None]:
        with self._guard:
            lock = self._locks.setdefault(directory, ExperimentLock(directory))
        return lock.held()

    def sync_together(self, uris: Sequence[str], *, entries: bool = True) -> None:
        if not self.durable:
            return
        if len(uris) > _FEW:
            sync_filesystem(os.path.dirname(uris[0]))
            return
        for uri in uris:
            for path in tree(uri) if os.path.isdir(uri) else [uri]:
                sync_file(path)
        if entries:
            self._sync_directories(os.path.dirname(uri) for uri in uris)

    def sync(self, uri: str) -> None:
        if self.durable:
            sync_filesystem(uri)


def _keep_mode(path: str, uri: str) -> None:
    """Give a file the rights of the one that it is to replace: what people made private stays so."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        mode = stat.S_IMODE(os.stat(uri).st_mode)
        if mode != stat.S_IMODE(os.stat(path).st_mode):
            os.chmod(path, mode)


def _moved(written: Signature, uri: str) -> Signature | None:
    """Return the signature of a file after it was moved, which is a change; None if another took its place."""
    try:
        signature = signature_of(os.stat(uri))
    except OSError:
        return None
    return signature if signature[:3] == written[:3] else None
