"""Any filesystem that fsspec reaches: object stores, SFTP, memory."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import shutil
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from bioimageit_core.core.paths import join, name_of, parent
from bioimageit_core.plugins.store.cache import ContentCache
from bioimageit_core.plugins.store.content import CHUNK, digest_of_parts, digest_path, is_path
from bioimageit_core.plugins.store.files import Entry, Files, Incoming, Progress, Stored
from bioimageit_core.plugins.store.local_files import LocalFiles
from bioimageit_core.plugins.store.remote import OBJECT_STORES, Systems, make_dirs, protocol_of, told
from bioimageit_core.plugins.store.uploads import upload
from bioimageit_core.plugins.store.writing import create, replace, swap, version_of

__all__ = ["FsspecFiles"]


class FsspecFiles(Files):
    """Files behind a URL, ``s3://bucket/...`` for example.

    A path without a scheme is one on this machine: it can be read, because data may be referenced there.

    Parameters
    ----------
    options
        What fsspec gets to make the filesystem (``key``, ``secret``, ``endpoint_url``, ``host``, ...).
    cache
        Where local copies are kept.
    """

    locks_work = False

    def __init__(self, options: Mapping[str, Any] | None = None, cache: ContentCache | None = None) -> None:
        self.systems = Systems(options or {})
        self._cache = cache
        self._here = LocalFiles()
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()
        self._logs: dict[str, bytes] = {}
        self._numbers = itertools.count()
        self._staging: set[str] = set()
        self._own = ""

    def absolute(self, uri: str) -> str:
        if not protocol_of(uri):
            return self._here.absolute(uri)
        if not is_path(uri):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), uri)
        return self.systems.absolute(uri)

    def local_copy(self, uri: str) -> str:
        if not protocol_of(uri):
            return uri
        # each call its own, because who asked removes it when it is no longer needed
        path = os.path.join(tempfile.mkdtemp(dir=self._room()), name_of(uri))
        self.fetch(uri, path)
        return path

    def _room(self) -> str:
        """Return a directory of this process, removed when it ends."""
        with self._guard:
            if not self._own:
                self._own = tempfile.mkdtemp(prefix="bioimageit-")
                weakref.finalize(self, shutil.rmtree, self._own, ignore_errors=True)
            return self._own

    def read(self, uri: str) -> bytes:
        return self._read(uri) if protocol_of(uri) else self._here.read(uri)

    @told
    def _read(self, uri: str) -> bytes:
        system, path = self.systems.at(uri)
        return bytes(system.cat_file(path))

    def read_version(self, uri: str) -> tuple[bytes, object]:
        if not protocol_of(uri):
            return self._here.read_version(uri)
        # the version first: what is written between is then taken for a change, not for what was read
        version = self._version(uri)
        content = self._read(uri)
        return content, version if version is not None else hashlib.sha256(content).hexdigest()

    @told
    def _version(self, uri: str) -> str | None:
        return version_of(*self.systems.at(uri))

    def signature(self, uri: str) -> object | None:
        return self._signature(uri) if protocol_of(uri) else self._here.signature(uri)

    @told
    def _signature(self, uri: str) -> object | None:
        system, path = self.systems.at(uri)
        try:
            info = system.info(path)
        except FileNotFoundError:
            return None
        return "-".join(str(info.get(key)) for key in ("ETag", "etag", "md5", "mtime", "created", "size"))

    def exists(self, uri: str) -> bool:
        return self._exists(uri) if protocol_of(uri) else self._here.exists(uri)

    @told
    def _exists(self, uri: str) -> bool:
        system, path = self.systems.at(uri)
        try:  # not by `exists`, which takes every trouble for an absence
            system.info(path)
        except FileNotFoundError:
            return False
        return True

    def entries(self, uri: str) -> Iterator[Entry]:
        if not protocol_of(uri):
            yield from self._here.entries(uri)
            return
        for info in self._listed(uri):
            is_dir = info["type"] == "directory"
            yield Entry(name_of(info["name"]), is_dir, 0 if is_dir else int(info.get("size") or 0))

    @told
    def _listed(self, uri: str) -> list[dict[str, Any]]:
        system, path = self.systems.at(uri)
        try:
            listed = system.ls(path, detail=True)
        except FileNotFoundError:
            # an object store has no empty directories; but there must be a bucket
            if protocol_of(uri) not in OBJECT_STORES or not self._has_root(system, path):
                raise
            listed = []
        return [info for info in listed if info["name"].strip("/") != path.strip("/")]

    def _has_root(self, system: Any, path: str) -> bool:
        root = path.lstrip("/").split("/")[0]
        return path.startswith("/") or bool(system.exists(root))

    def names(self, uri: str) -> list[str]:
        return [entry.name for entry in self.entries(uri)]

    def write(
        self, uri: str, content: bytes, temp: str, *, new: bool = False, expected: object = None, sync: bool = True
    ) -> None:
        self._must_be_remote(uri)
        if new:
            create(self.systems, uri, content, temp)
        elif expected is not None:
            swap(self.systems, uri, content, temp, str(expected))
        else:
            replace(self.systems, uri, content, temp)

    def _must_be_remote(self, uri: str) -> None:
        if not protocol_of(uri):
            reason = "FSSPEC keeps experiments behind a URL (s3://..., sftp://...); LOCAL keeps them in folders"
            raise OSError(errno.EPROTONOSUPPORT, reason, uri)

    def make_dir(self, uri: str) -> None:
        self._must_be_remote(uri)
        if protocol_of(uri) not in OBJECT_STORES:
            self._make_dir(uri)

    @told
    def _make_dir(self, uri: str) -> None:
        system, path = self.systems.at(uri)
        make_dirs(system, path)

    def take_in(self, source: str, temp: str, mode: str) -> Incoming:
        if mode == "link":
            raise OSError(errno.EXDEV, "a remote store cannot hard-link; copy or reference it", source)
        return Incoming(source, digest_path(source), os.path.isdir(source))

    def place(
        self, incoming: Incoming, uri: str, *, sync: bool = True, temp: str = "", progress: Progress | None = None
    ) -> None:
        self._must_be_remote(uri)
        upload(self, incoming, uri, temp or join(parent(uri), ".part"), progress)
        if self._cache and not incoming.is_dir:  # the next tool will want it
            key, is_ours = self._key(uri), bool(incoming.room)
            if is_ours and key:
                self._cache.keep(key, incoming.path, incoming.stored, move=False)

    def exchange(self, incoming: Incoming, uri: str, aside: str, *, temp: str = "") -> None:
        self.move(uri, aside)
        try:
            self.place(incoming, uri, temp=temp)
        except BaseException:
            self.move(aside, uri)
            raise

    def take_back(self, incoming: Incoming, uri: str) -> None:
        self.remove(uri)

    def discard(self, incoming: Incoming) -> None:
        if incoming.room in self._staging:
            self._staging.discard(incoming.room)
            shutil.rmtree(incoming.room, ignore_errors=True)

    def staging(self, directory: str) -> str:
        made = tempfile.mkdtemp(dir=self._room())
        self._staging.add(made)
        return made

    def staged(self, path: str) -> Incoming:
        return Incoming(path, digest_path(path), os.path.isdir(path), os.path.dirname(path))

    def is_staged(self, path: str, directory: str) -> bool:
        return os.path.dirname(path) in self._staging

    def holds(self, uri: str, source: str) -> bool:
        if not protocol_of(uri):
            return self._here.holds(uri, source)
        is_dir, size = self._kind(uri)
        if os.path.isdir(source) != is_dir or (not is_dir and size != os.path.getsize(source)):
            return False
        return self.digest(uri) == digest_path(source)

    @told
    def _kind(self, uri: str) -> tuple[bool, int]:
        system, path = self.systems.at(uri)
        info = system.info(path)
        return info["type"] == "directory", int(info.get("size") or 0)

    def digest(self, uri: str) -> Stored:
        return self._digest(uri) if protocol_of(uri) else self._here.digest(uri)

    @told
    def _digest(self, uri: str) -> Stored:
        system, path = self.systems.at(uri)
        if not system.isdir(path):
            return self._digest_file(system, path)
        start = path.rstrip("/") + "/"
        return digest_of_parts(
            {part.removeprefix(start): self._digest_file(system, part) for part in system.find(path)}
        )

    def _digest_file(self, system: Any, path: str) -> Stored:
        digest, size = hashlib.sha256(), 0
        with system.open(path, "rb", block_size=CHUNK) as file:
            while content := file.read(CHUNK):
                digest.update(content)
                size += len(content)
        return Stored(size, digest.hexdigest())

    def fetch(self, uri: str, destination: str) -> None:
        if not protocol_of(uri):
            self._here.fetch(uri, destination)
        elif self._kind(uri)[0]:
            self._fetch_dir(uri, destination)
        elif (key := self._key(uri)) and self._cache:
            self._cache.fetch(key, lambda path: self._fetch_file(uri, path), destination)
        else:
            self._fetch_file(uri, destination)

    def _key(self, uri: str) -> str:
        signature = self.signature(uri)
        return f"{uri} {signature}" if signature else ""

    @told
    def _fetch_file(self, uri: str, destination: str) -> None:
        system, path = self.systems.at(uri)
        system.get_file(path, destination)

    @told
    def _fetch_dir(self, uri: str, destination: str) -> None:
        system, path = self.systems.at(uri)
        for found in system.find(path):
            target = os.path.join(destination, found.removeprefix(path.rstrip("/") + "/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            system.get_file(found, target)

    @told
    def move(self, uri: str, destination: str, *, sync: bool = True) -> None:
        system, path = self.systems.at(uri)
        _, target = self.systems.at(destination)
        if protocol_of(uri) not in OBJECT_STORES:
            make_dirs(system, parent(target))
            system.mv(path, target)
            return
        # not by `mv`: it takes the characters *?[ in a name for a pattern
        parts = system.find(path) if system.isdir(path) else [path]
        for part in parts:
            system.cp_file(part, target + part.removeprefix(path))
        for part in parts:
            system.rm_file(part)

    @told
    def remove(self, uri: str) -> None:
        system, path = self.systems.at(uri)
        with contextlib.suppress(FileNotFoundError):
            if system.info(path)["type"] != "directory":
                system.rm_file(path)
                return
            for part in system.find(path):  # not by `rm`: see `move`
                system.rm_file(part)
            if protocol_of(uri) not in OBJECT_STORES:
                for folder in sorted(system.find(path, withdirs=True), reverse=True):
                    system.rmdir(folder)
                if system.exists(path):
                    system.rmdir(path)

    def append(self, log: str, content: bytes, *, sync: bool = True) -> None:
        # an object cannot grow: each addition is one of its own, and no two writers ever touch the same
        self._must_be_remote(log)
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}-{next(self._numbers)}.jsonl"
        replace(self.systems, join(log, name), content, "")

    def read_log(self, log: str, since: str = "") -> tuple[bytes, str]:
        try:
            names = sorted(self.names(log))
        except FileNotFoundError:
            return b"", ""
        seen, parts = set(since.split("\n")), []
        for name in names:
            uri = join(log, name)
            if name in seen:
                continue
            if uri not in self._logs:
                try:
                    self._logs[uri] = self.read(uri)
                except FileNotFoundError:  # moved to the list meanwhile
                    continue
            parts.append(self._logs[uri])
        # not only the last name: clocks differ, so what another machine adds may sort before what was seen
        return b"".join(parts), "\n".join(names)

    def clear_log(self, log: str, until: str) -> None:
        for name in until.split("\n") if until else []:
            self._logs.pop(join(log, name), None)
            self.remove(join(log, name))

    def lock(self, directory: str) -> AbstractContextManager[Any]:
        # between processes nothing is locked: additions are objects of their own, and documents are made only where
        # there is none and changed only from what they are
        with self._guard:
            return self._locks.setdefault(directory, threading.RLock())

    def sync_together(self, uris: Sequence[str], *, entries: bool = True) -> None:
        """Do nothing: what a server has acknowledged is kept."""

    def sync(self, uri: str) -> None:
        """Do nothing: what a server has acknowledged is kept."""
