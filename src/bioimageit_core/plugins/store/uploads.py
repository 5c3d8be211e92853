"""Local content to a remote filesystem: whole, checked after its arrival, in parts where it is large."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.paths import join, name_of, parent
from bioimageit_core.plugins.store.content import CHUNK, digest_path, files_below
from bioimageit_core.plugins.store.files import Incoming, Progress, Stored
from bioimageit_core.plugins.store.remote import MEMORY, OBJECT_STORES, Systems, is_taken, make_dirs, protocol_of
from bioimageit_core.plugins.store.writing import create, move_new

if TYPE_CHECKING:
    from bioimageit_core.plugins.store.fsspec_files import FsspecFiles

__all__ = ["upload"]

_PART = 32 * 1024 * 1024  # bytes; S3 takes at most 10,000 parts of at least 5 MiB
_MOST_PARTS = 9_000


def upload(files: FsspecFiles, incoming: Incoming, uri: str, temp: str, progress: Progress | None = None) -> None:
    """Put a local file or directory where nothing is yet, and compare what arrived.

    Raises
    ------
    FileExistsError
        Something is there.
    OSError
        What arrived is not what was sent; it is removed.
    """
    _Upload(files, incoming, uri, temp, progress).run()


class _Upload:
    def __init__(self, files: FsspecFiles, incoming: Incoming, uri: str, temp: str, progress: Progress | None) -> None:
        self._files = files
        self._systems: Systems = files.systems
        self._incoming = incoming
        self._uri = uri
        self._temp = temp
        self._progress = progress
        self._sent = 0

    def run(self) -> None:
        if protocol_of(self._uri) not in OBJECT_STORES:
            self._by_rename()
        elif self._incoming.is_dir:
            self._claim()
            for part in files_below(self._incoming.path):
                self._put(f"{self._incoming.path}/{part}", f"{self._uri}/{part}", "overwrite")
        else:
            self._put(self._incoming.path, self._uri, "create")

    def _claim(self) -> None:
        """Take the name of a directory, of which an object store knows nothing."""
        claim = join(parent(self._temp), "claims", f"{name_of(parent(self._uri))}-{name_of(self._uri)}")
        create(self._systems, claim, uuid.uuid4().hex.encode(), self._temp)
        if self._files.exists(self._uri):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._uri)

    def _by_rename(self) -> None:
        sibling = join(self._temp, uuid.uuid4().hex)
        try:
            parts = list(files_below(self._incoming.path)) if self._incoming.is_dir else [""]
            for part in parts:
                inner = f"/{part}" if part else ""
                self._put(self._incoming.path + inner, sibling + inner, "overwrite")
            self._systems.call(self._uri, lambda: move_new(self._systems, sibling, self._uri, self._temp))
        except BaseException:
            with contextlib.suppress(OSError):
                self._files.remove(sibling)
            raise

    def _put(self, path: str, uri: str, mode: str) -> None:
        size = os.path.getsize(path)
        part = max(_PART, -(-size // _MOST_PARTS))
        before = self._sent
        try:
            self._systems.call(uri, lambda: self._send(path, uri, mode, part, before))
        except OSError as error:
            known = error.__cause__ if isinstance(error.__cause__, OSError) else error
            if is_taken(known):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), uri) from error
            raise
        self._sent = before + size
        self._tell(self._sent)
        if not self._has_arrived(path, uri, part):
            self._files.remove(uri)
            raise OSError(errno.EIO, "what arrived is not what was sent; try again", uri)

    def _send(self, path: str, uri: str, mode: str, part: int, before: int) -> None:
        system, target = self._systems.at(uri)
        protocol = protocol_of(uri)
        if protocol in {"s3", "s3a"}:
            callback = _callback(lambda done: self._tell(before + done))
            system.put_file(path, target, callback=callback, chunksize=part, mode=mode)
        elif protocol in {"sftp", "ssh"}:
            make_dirs(system, parent(target))
            system.ftp.put(path, target, callback=lambda done, _total: self._tell(before + done))
        elif protocol == "memory":
            with MEMORY:
                system.put_file(path, target, callback=_callback(lambda done: self._tell(before + done)), mode=mode)
        else:
            make_dirs(system, parent(target))
            system.put_file(path, target, callback=_callback(lambda done: self._tell(before + done)))

    def _tell(self, done: int) -> None:
        if self._progress:
            self._progress(done, self._incoming.stored.size)

    def _has_arrived(self, path: str, uri: str, part: int) -> bool:
        """Compare by the store's own checksum where it says one that is known, else by reading again."""
        system, target = self._systems.at(uri)
        etag = str(self._systems.call(uri, lambda: system.info(target)).get("ETag", "")).strip('"')
        if etag and etag == _etag_of(path, part):
            return True
        return self._files.digest(uri) == self._stored(path)

    def _stored(self, path: str) -> Stored:
        if not self._incoming.is_dir:
            return self._incoming.stored
        return digest_path(path)


def _etag_of(path: str, part: int) -> str:
    """Return what S3 calls an object that was sent in parts of this size: the MD5, or the MD5 of those of its parts.

    See https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html, ``ETag``; with encryption it is another, and
    then the content is read again.
    """
    size = os.path.getsize(path)
    if size < 2 * part:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    parts = [hashlib.md5(content, usedforsecurity=False).digest() for content in _pieces(path, part)]
    return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def _pieces(path: str, size: int) -> Iterator[bytes]:
    with open(path, "rb", buffering=CHUNK) as file:
        while content := file.read(size):
            yield content


def _callback(hear: Any) -> Any:
    from fsspec.callbacks import Callback

    class Heard(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            hear(self.value)

    return Heard()
