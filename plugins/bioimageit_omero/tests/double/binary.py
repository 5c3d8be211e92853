"""RawFileStore: original files, kept in files of the double's directory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import omero
from omero import rtypes

from .graph import Loader
from .servants import Service
from .store import Row, StoreError

__all__ = ["Files"]


class Files(Service):
    """Reads and writes original files."""

    interface = omero.api.RawFileStore
    writes = frozenset({"write", "truncate"})
    is_stateful = True

    row: Row | None = None
    is_changed = False

    def setFileId(self, id_: int) -> None:
        """Choose the file."""
        row = self.store.find("OriginalFile", id_)
        if row is None or not self.store.is_visible(self.caller, row):
            raise StoreError("ValidationException", f"no OriginalFile:{id_} for this user and group")
        self.row = row

    @property
    def file(self) -> Row:
        """The file that was chosen."""
        if self.row is None:
            raise StoreError("ApiUsageException", "setFileId() was not called")
        return self.row

    def getFileId(self) -> Any:
        """Say which file was chosen."""
        return rtypes.rlong(self.file.id)

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self.store.directory / "Files" / str(self.file.id)

    def exists(self) -> bool:
        """Say whether the file has content."""
        return self.path.exists()

    def size(self) -> int:
        """Say how many bytes the file has."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read(self, offset: int, length: int) -> bytes:
        """Read a part of the file."""
        if not self.path.exists():
            raise StoreError("ResourceError", f"OriginalFile:{self.file.id} has no content")
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def write(self, data: Any, offset: int, length: int) -> None:
        """Write a part of the file."""
        self._check()
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.seek(offset)
            file.write(bytes(data[:length]))

    def truncate(self, length: int) -> bool:
        """Cut the file off."""
        self._check()
        if not self.path.exists() or self.path.stat().st_size <= length:
            return False
        with self.path.open("r+b") as file:
            file.truncate(length)
        return True

    def save(self) -> Any:
        """Note size and checksum, and return the file."""
        if not self.is_changed:
            return None
        content = self.path.read_bytes() if self.path.exists() else b""
        with self.store.transaction(self.caller):
            self.store.set(self.file, "size", len(content))
            self.store.set(self.file, "hash", hashlib.sha1(content).hexdigest())
            self.store.touch(self.file)
        self.is_changed = False
        return Loader(self.store, self.caller).load(self.file)

    def close(self) -> None:
        """Note size and checksum, and close."""
        if self.row is not None and self.is_changed:
            self.save()
        super().close()

    def _check(self) -> None:
        if not self.store.can_edit(self.caller, self.file):
            raise StoreError("SecurityViolation", f"user {self.caller.user} may not write OriginalFile:{self.file.id}")
        self.is_changed = True
