"""Local copies of remote content, kept once by what they are, up to a limit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable

from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.plugins.store.content import copy_and_digest, digest_path
from bioimageit_core.plugins.store.files import Stored

__all__ = ["ContentCache", "cache_bytes", "default_cache_dir"]

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_LEFT_OVER_AFTER = 24 * 3600.0  # seconds after which a download that is not finished never will be


def cache_bytes(size: int | str) -> int:
    """Read a size, ``10 GB`` for example.

    Raises
    ------
    ConfigError
        It is no size.

    Examples
    --------
    >>> cache_bytes("1.5 GiB")
    1610612736
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(size).lower())
    if isinstance(size, bool) or not match or match[2] not in _UNITS:
        raise ConfigError(
            f"configuration, field 'metadata.cache_size': expected a size such as \"10 GB\", got {size!r}"
        )
    return int(float(match[1]) * _UNITS[match[2]])


def default_cache_dir() -> str:
    """Say where local copies are kept for the user who runs this."""
    import platformdirs

    return os.path.join(platformdirs.user_cache_dir("bioimageit", appauthor=False), "content")


class ContentCache:
    """Files known by the SHA-256 of their content; the least recently used go first.

    Several processes may share a directory: files in it are complete or not there, and who copies one out compares
    its content on the way.

    Parameters
    ----------
    directory
        Where they are kept; made when it is first needed.
    limit
        How many bytes are kept; what is larger than that alone is not kept at all.
    """

    def __init__(self, directory: str, limit: int) -> None:
        self.directory = directory
        self.limit = limit

    def fetch(self, key: str, download: Callable[[str], None], destination: str) -> None:
        """Put the content of `key` into the file `destination`, by way of `download` if it is not here.

        Parameters
        ----------
        key
            Where the content comes from, and which version of it.
        download
            Writes the content into the file that it is given.
        """
        if self._copy_out(key, destination):
            return
        part = f"{destination}.{uuid.uuid4().hex[:8]}.part"
        try:
            download(part)
            if self.limit > 0:
                self.keep(key, part, digest_path(part), move=False)
            os.replace(part, destination)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    def keep(self, key: str, path: str, stored: Stored, *, move: bool) -> None:
        """Remember the content of a local file; a cache that cannot be written is no trouble."""
        if stored.size > self.limit:
            return
        kept = self._kept(stored.sha256)
        try:
            if not os.path.exists(kept):
                part = self._room("parts", uuid.uuid4().hex)
                (shutil.move if move else shutil.copyfile)(path, part)
                os.makedirs(os.path.dirname(kept), exist_ok=True)
                os.replace(part, kept)
            alias = self._room("known", _digest(key))
            with open(f"{alias}.{uuid.uuid4().hex[:8]}", "w", encoding="ascii") as file:
                file.write(f"{stored.size} {stored.sha256}")
            os.replace(file.name, alias)
            self._evict(but=kept)
        except OSError:
            return

    def _copy_out(self, key: str, destination: str) -> bool:
        try:
            with open(self._room("known", _digest(key)), encoding="ascii") as file:
                size, sha256 = file.read(200).split()
            known, kept = Stored(int(size), sha256), self._kept(sha256)
            with open(kept, "rb", buffering=0) as source:
                os.utime(kept)
                part = f"{destination}.{uuid.uuid4().hex[:8]}.part"
                with open(part, "xb", buffering=0) as target:
                    copied = copy_and_digest(source.fileno(), target.fileno(), kept)
        except (OSError, ValueError):
            return False
        if copied == known:
            os.replace(part, destination)
            return True
        for path in (part, kept):  # somebody touched it
            os.unlink(path)
        return False

    def _kept(self, sha256: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ValueError(sha256)
        return os.path.join(self.directory, "sha256", sha256[:2], sha256)

    def _room(self, place: str, name: str) -> str:
        os.makedirs(os.path.join(self.directory, place), mode=0o700, exist_ok=True)
        return os.path.join(self.directory, place, name)

    def _evict(self, but: str) -> None:
        """Remove the least recently used until the rest is within the limit, and what interrupted downloads left."""
        files = []
        for folder, _folders, names in os.walk(os.path.join(self.directory, "sha256")):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(os.path.join(folder, name))
                    files.append((status.st_mtime, status.st_size, os.path.join(folder, name)))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.limit:
                break
            if path != but:
                _unlink(path)
                total -= size
        for name in os.listdir(os.path.join(self.directory, "parts")):
            path = os.path.join(self.directory, "parts", name)
            with contextlib.suppress(FileNotFoundError):
                if time.time() - os.stat(path).st_mtime > _LEFT_OVER_AFTER:
                    _unlink(path)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
