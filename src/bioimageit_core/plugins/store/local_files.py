"""The disk of this machine: atomic writes, one pass for copy and checksum, locks between processes."""

from __future__ import annotations

import contextlib
import errno
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
    digest_path,
    is_path,
    same_content,
    write_all,
)
from bioimageit_core.plugins.store.disk import (
    Signature,
    make_dirs,
    move_new,
    remove,
    signature_of,
    sync_directory,
    sync_file,
    sync_filesystem,
    tree,
    unlink,
)
from bioimageit_core.plugins.store.files import Changed, Entry, Files, Stored, Write
from bioimageit_core.plugins.store.local_incoming import LocalIncoming
from bioimageit_core.plugins.store.local_logs import LocalLogs
from bioimageit_core.plugins.store.locks import ExperimentLock

__all__ = ["LocalFiles"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_FEW = 4  # files that are synced one by one; more of them cost more than the whole filesystem does


class LocalFiles(LocalLogs, LocalIncoming, Files):
    """Files on a disk of this machine.

    Parameters
    ----------
    durable
        Wait until what is written is on the disk (fsync of file and directory) before saying that it is done.
    """

    def __init__(self, durable: bool = True) -> None:
        super().__init__()
        self.durable = durable
        self._locks: dict[tuple[int, str], ExperimentLock] = {}
        self._guard = threading.Lock()
        self._real: dict[str, str] = {}  # what directories are without links, each looked at once

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

    def _write_file(self, path: str, content: bytes, sync: bool) -> Signature:
        descriptor = self._create(path)
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

    def holds(self, uri: str, source: str) -> bool:
        return same_content(uri, source)

    def digest(self, uri: str) -> Stored:
        return digest_path(uri)

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
        remove(uri)

    def lock(self, directory: str) -> AbstractContextManager[None]:
        with self._guard:
            lock = self._locks.setdefault((os.getpid(), directory), ExperimentLock(directory))  # none outlives a fork
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
