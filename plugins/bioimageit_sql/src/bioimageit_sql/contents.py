"""Files and directories, stored once by content in a directory or behind a URL of fsspec.

A content's key is made of its SHA-256 and its extension, which tools choose their reader by: ``ab/ab12….tif``. A
directory (Zarr) has the digest of the list of its files; that list is stored last, beside it (``ab/ab12….zarr.json``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from bioimageit_core.core.exceptions import ConfigError, DataServiceError, NotFoundError
from bioimageit_core.plugins.store.disk import sync_filesystem
from bioimageit_core.plugins.store.files import Incoming, Stored
from bioimageit_core.plugins.store.fsspec_files import FsspecFiles
from bioimageit_core.plugins.store.remote import OBJECT_STORES, protocol_of
from bioimageit_core.plugins.store.uploads import upload
from bioimageit_sql.scanning import Scanned, files_in, is_key, manifest_of, scan, scan_copy, stamp_of

__all__ = ["Contents"]

_SHARED = 0o444  # the mode of a content: all data that have it share the file


class Contents:
    """Where the contents are.

    Parameters
    ----------
    url
        A directory, or a URL of fsspec.
    options
        What fsspec gets to reach it; credentials are best left to the environment.
    cache_dir, cache_size
        Where copies of remote contents are kept for tools, and how many bytes of them.
    """

    def __init__(self, url: str, options: dict[str, Any], cache_dir: str, cache_size: int) -> None:
        if not url:
            raise ConfigError("the SQL service needs 'files': a directory, or a URL such as s3://bucket/files")
        self._url = url
        self._options = options
        self._cache_dir = cache_dir
        self._cache_size = cache_size
        self._found: tuple[Any, str] | None = None
        self._remote: FsspecFiles | None = None

    @property
    def _filesystem(self) -> Any:
        return self._opened()[0]

    def _opened(self) -> tuple[Any, str]:
        if self._found is None:
            import fsspec

            # what other programs store or take away meanwhile is to be seen
            fresh = {"use_listings_cache": False} if protocol_of(self._url) in OBJECT_STORES else {}
            try:
                filesystem, root = fsspec.core.url_to_fs(self._url, **{**fresh, **self._options})
            except (ImportError, ValueError) as error:
                raise ConfigError(f"the files at {self._url!r} cannot be reached: {error}") from error
            except Exception as error:  # clients of servers raise what they like
                raise DataServiceError(f"the files at {self._url!r} cannot be reached: {error}") from error
            self._found = (filesystem, root.rstrip("/") or "/")
        return self._found

    @property
    def is_local(self) -> bool:
        """Whether tools can read the contents where they are."""
        protocol = self._filesystem.protocol
        return "file" in (protocol if isinstance(protocol, tuple) else (protocol,))

    def uri(self, key: str) -> str:
        """Give the URI of a content."""
        _, root = self._opened()
        return f"{root}/{key}" if self.is_local else f"{self._url.rstrip('/')}/{key}"

    def key(self, uri: str) -> str:
        """Give the key of a content from its URI; the URI itself if it is none of ours."""
        key = "/".join(uri.rsplit("/", 2)[-2:])
        return key if is_key(key) and self.uri(key) == uri else uri

    def has(self, key: str, *, is_directory: bool) -> bool:
        """Say whether a content is stored, whole."""
        return bool(self._guard("look for", key, self._filesystem.exists, self._place(key, is_directory)))

    def put(self, scanned: Scanned) -> None:
        """Store a content, unless it is stored already.

        Raises
        ------
        DataServiceError
            It cannot be stored, or the source changed meanwhile.
        """
        if not self.has(scanned.key, is_directory=scanned.parts is not None):
            self._guard("store", scanned.path, self._put, scanned)

    def put_all(self, paths: Sequence[str]) -> list[Scanned]:
        """Store the contents of many local files and directories, and say what they are.

        Where contents are on this machine, they are made durable together.

        Raises
        ------
        NotFoundError
            One is not there.
        DataServiceError
            One cannot be read or stored.
        """
        if self.is_local and all(map(os.path.isfile, paths)):
            together: list[Scanned] = self._guard("store", f"{len(paths)} files", self._put_together, paths)
            return together
        found = []
        for path in paths:
            found.append(scan(path))
            self.put(found[-1])
        return found

    def _put_together(self, paths: Sequence[str]) -> list[Scanned]:
        """Copy files while they are digested, wait for the disk once, and only then give them their places."""
        room, root = self.staging(), self._opened()[1]
        try:
            found = [scan_copy(path, os.path.join(room, str(number))) for number, path in enumerate(paths)]
            sync_filesystem(room)
            for number, scanned in enumerate(found):
                target = f"{root}/{scanned.key}"
                if not os.path.exists(target):
                    copy = os.path.join(room, str(number))
                    os.chmod(copy, _SHARED)
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    os.replace(copy, target)
        finally:
            shutil.rmtree(room, ignore_errors=True)
        return found

    def staging(self) -> str:
        """Make a local directory that a tool can write to, from which `put` is cheap where it can be."""
        if not self.is_local:
            return tempfile.mkdtemp(prefix="bioimageit-sql-")
        directory = os.path.join(self._opened()[1], "staging", uuid.uuid4().hex)
        self._guard("make", directory, lambda: os.makedirs(directory))
        return directory

    def discard_staging(self, path: str) -> None:
        """Remove what `staging` made for this file; any other path is left alone."""
        if self._is_staged(path):
            shutil.rmtree(os.path.dirname(os.path.abspath(path)), ignore_errors=True)

    def _is_staged(self, path: str) -> bool:
        folder, name = os.path.split(os.path.dirname(os.path.abspath(path)))
        if self.is_local:
            return folder == os.path.join(os.path.abspath(self._opened()[1]), "staging")
        return name.startswith("bioimageit-sql-") and folder == os.path.abspath(tempfile.gettempdir())

    def local_path(self, key: str) -> str:
        """Give a local path of a content: its own, or that of a copy in the cache."""
        if self.is_local:
            path = self.uri(key)
            if not os.path.exists(path):
                raise NotFoundError("content", path)
            return path
        path = os.path.join(self._cache_dir, *key.split("/"))
        if os.path.exists(path):
            os.utime(path)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.get(key, path)
            self._shrink_cache(path)
        return path

    def get(self, key: str, destination: str) -> None:
        """Write a content to a local path, whole or not at all, and make sure that it is the one.

        Raises
        ------
        NotFoundError
            It is not stored.
        DataServiceError
            It cannot be written, or is not what was stored once.
        """
        partial = f"{destination}.{uuid.uuid4().hex[:8]}.part"
        try:
            self._guard("read", key, self._get, key, partial)
            found = scan(partial)
            if found.key.partition(".")[0] != key.partition(".")[0]:
                raise DataServiceError(f"the content {key} at {self._url} is damaged: its SHA-256 is another")
            self._guard("write", destination, os.replace, partial, destination)
        finally:
            _remove(partial)

    # what is stored

    def is_there(self, key: str) -> bool:
        """Say whether a content is stored, a file or a directory."""
        return self.has(key, is_directory=False) or self.has(key, is_directory=True)

    def verify(self, key: str) -> None:
        """Read a content, and compare it with its key.

        Raises
        ------
        NotFoundError
            It is not stored.
        DataServiceError
            It is another.
        """
        with tempfile.TemporaryDirectory(prefix="bioimageit-sql-") as room:
            self.get(key, os.path.join(room, "content"))

    def keys(self, before: float) -> Iterator[str]:
        """Give the keys of contents stored before a time, in seconds since 1970; none whose age is unknown."""
        root = self._opened()[1]
        for folder in self._guard("list", root, self._listed, root):
            if not re.fullmatch("[0-9a-f]{2}", folder["name"].rstrip("/").rpartition("/")[2]):
                continue
            listed = {info["name"].rstrip("/").rpartition("/")[2]: info for info in self._listed(folder["name"])}
            for name, info in listed.items():
                key = f"{name[:2]}/{name}"
                about = listed.get(f"{name}.json", info)  # of a directory its list, which was stored last
                if is_key(key) and name.removesuffix(".json") not in listed.keys() - {name} and _is_old(about, before):
                    yield key

    def _listed(self, place: str) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._filesystem.ls(place, detail=True)
        except FileNotFoundError:
            return []
        return found

    def set_aside(self, key: str) -> str:
        """Take a content away so that it can be put back; give what it is called meanwhile."""
        aside = f"aside/{key.rpartition('/')[2]}"
        self._guard("set aside", key, self._move, key, aside)
        return aside

    def put_back(self, aside: str) -> None:
        """Undo `set_aside`."""
        name = aside.rpartition("/")[2]
        self._guard("put back", name, self._move, aside, f"{name[:2]}/{name}")

    def put_all_back(self) -> None:
        """Undo every `set_aside` that was interrupted."""
        place = f"{self._opened()[1]}/aside"
        names = {
            info["name"].rstrip("/").rpartition("/")[2] for info in self._guard("list", place, self._listed, place)
        }
        for name in sorted(names):
            if name.removesuffix(".json") not in names - {name}:
                self.put_back(f"aside/{name}")

    def remove(self, aside: str) -> None:
        """Remove what was set aside."""
        filesystem, root = self._opened()
        for suffix in (".json", ""):
            if filesystem.exists(f"{root}/{aside}{suffix}"):
                self._guard("remove", aside, filesystem.rm, f"{root}/{aside}{suffix}", True)

    def _move(self, key: str, new: str) -> None:
        filesystem, root = self._opened()
        filesystem.makedirs(f"{root}/{new.rpartition('/')[0]}", exist_ok=True)
        for suffix in (".json", ""):  # without its list a directory is not there
            if filesystem.exists(f"{root}/{key}{suffix}"):
                old = f"{root}/{key}{suffix}"
                filesystem.mv(old, f"{root}/{new}{suffix}", recursive=bool(filesystem.isdir(old)))

    # writing and reading

    def _put(self, scanned: Scanned) -> None:
        if scanned.parts is None:
            sha256 = scanned.key.rpartition("/")[2].partition(".")[0]
            self._put_file(scanned.path, scanned.key, scanned.stamps[scanned.path], sha256)
            return
        for name, (_, sha256) in scanned.parts.items():
            full = os.path.join(scanned.path, *name.split("/"))
            self._put_file(full, f"{scanned.key}/{name}", scanned.stamps[full], sha256)
        manifest = manifest_of(scanned.parts)
        with tempfile.NamedTemporaryFile(suffix=".json", delete=False) as file:
            file.write(manifest)
        try:
            sha256 = hashlib.sha256(manifest).hexdigest()
            self._put_file(file.name, f"{scanned.key}.json", stamp_of(file.name), sha256)
        finally:
            os.unlink(file.name)

    def _put_file(self, path: str, key: str, stamp: tuple[int, int], sha256: str) -> None:
        target = f"{self._opened()[1]}/{key}"
        if self.is_local:
            _copy_atomically(path, target, may_link=self._is_staged(path))
        elif not self._upload(path, key, Stored(stamp[0], sha256)):
            return
        if self._filesystem.size(target) != stamp[0] or stamp_of(path) != stamp:
            self._filesystem.rm_file(target)
            raise OSError(f"{path!r} changed while it was read")

    def _upload(self, path: str, key: str, stored: Stored) -> bool:
        """Send a file, in parts where it is large, again where a connection was lost; compare what arrived.

        Returns whether it was sent: somebody else may have been faster with the same content.
        """
        if self._remote is None:
            self._remote = FsspecFiles(self._options)
        root = self._remote.absolute(self._url)
        try:
            upload(self._remote, Incoming(path, stored, False), f"{root}/{key}", f"{root}/staging")
        except FileExistsError:
            return False
        return True

    def _get(self, key: str, partial: str) -> None:
        source = f"{self._opened()[1]}/{key}"
        # what has a list is a directory; but a file can have the name of a list, with the content of another
        if not self._filesystem.exists(f"{source}.json") or self._filesystem.isfile(source):
            self._filesystem.get_file(source, partial)
            return
        for name in json.loads(self._filesystem.cat_file(f"{source}.json")):
            if name.startswith("/") or ".." in name.split("/"):
                raise DataServiceError(f"the content {key} names a file outside of it: {name!r}")
            place = os.path.join(partial, *name.split("/"))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            self._filesystem.get_file(f"{source}/{name}", place)

    def _place(self, key: str, is_directory: bool) -> str:
        return f"{self._opened()[1]}/{key}{'.json' if is_directory else ''}"

    def _shrink_cache(self, keep: str) -> None:
        folders = [folder.path for folder in os.scandir(self._cache_dir) if folder.is_dir()]
        items = [item for folder in folders for item in os.scandir(folder)]
        found = [(item.stat().st_mtime, _size(item.path), item.path) for item in items]
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._cache_size:
                return
            if path != keep:
                _remove(path)
                total -= size

    def _guard(self, action: str, what: str, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except (DataServiceError, ConfigError):
            raise
        except FileNotFoundError as error:
            raise NotFoundError("content", what) from error
        except Exception as error:
            raise DataServiceError(f"cannot {action} {what!r} ({self._url}): {error}") from error


def _copy_atomically(path: str, target: str, *, may_link: bool) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    partial = f"{target}.{uuid.uuid4().hex[:8]}.part"
    try:
        if not (may_link and _link(path, partial)):
            shutil.copyfile(path, partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(partial, _SHARED)
        os.replace(partial, target)
    finally:
        _remove(partial)


def _link(path: str, target: str) -> bool:
    try:
        os.link(path, target)
    except OSError:
        return False
    return True


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def _size(path: str) -> int:
    if os.path.isdir(path):
        return sum(os.path.getsize(full) for _, full in files_in(path))
    return os.path.getsize(path)


def _is_old(info: dict[str, Any], before: float) -> bool:
    when: Any = next((info[key] for key in ("mtime", "LastModified", "created") if info.get(key)), None)
    seconds = when.timestamp() if hasattr(when, "timestamp") else when
    return isinstance(seconds, int | float) and seconds < before
