"""IPixels, RawPixelsStore, RawFileStore: pixels and files, kept in files of the double's directory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import omero
from omero import rtypes

from .graph import Loader
from .servants import Service
from .store import Row, StoreError

__all__ = ["Files", "PixelData", "Pixels"]

BITS = {"bit": 1, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "float": 32}
BITS |= {"double": 64, "complex": 64, "double-complex": 128}


class Pixels(Service):
    """Makes images."""

    interface = omero.api.IPixels
    writes = frozenset({"createImage", "setChannelGlobalMinMax"})

    def createImage(
        self, x: int, y: int, z: int, t: int, channels: list[int], kind: Any, name: str, description: str | None
    ) -> Any:
        """Create an image without pixel data; channels have no names."""
        if min(x, y, z, t, len(channels)) < 1:
            raise StoreError("ValidationException", "every dimension must be 1 or more")
        add = self.store.add
        with self.store.transaction(self.caller):
            image = add(self.caller, "Image", {"name": name, "description": description or None, "series": 0})
            order = next(r for r in self.store.all("DimensionOrder") if r.values["value"] == "XYZCT")
            values = {"image": image.reference, "pixelsType": ("PixelsType", kind.id.val), "sha1": "Pending..."}
            values |= {"dimensionOrder": order.reference, "sizeX": x, "sizeY": y, "sizeZ": z, "sizeT": t}
            pixels = add(self.caller, "Pixels", values | {"sizeC": len(channels)})
            for _ in channels:
                logical = add(self.caller, "LogicalChannel", {})
                add(self.caller, "Channel", {"pixels": pixels.reference, "logicalChannel": logical.reference})
        return rtypes.rlong(image.id)

    def setChannelGlobalMinMax(self, pixels: int, index: int, low: float, high: float) -> None:
        """Say between which values a channel lies."""
        with self.store.transaction(self.caller):
            channels = sorted(self.store.referring(("Pixels", pixels), "Channel", "pixels"), key=lambda r: r.id)
            values = {"globalMin": low, "globalMax": high}
            stats = self.store.add(self.caller, "StatsInfo", values)
            self.store.set(channels[index], "statsInfo", stats.reference)
            self.store.touch(channels[index])

    def retrievePixDescription(self, id_: int) -> Any:
        """Read pixels with what describes them."""
        text = (
            "select p from Pixels p join fetch p.pixelsType join fetch p.dimensionOrder join fetch p.image "
            "left outer join fetch p.channels c left outer join fetch c.logicalChannel where p.id = :id"
        )
        from .hql import Interpreter, Page

        found = Interpreter(self.store, self.caller, {"id": id_}).objects(text, Page())
        return found[0] if found else None

    def getAllEnumerations(self, cls: str) -> list[Any]:
        """Read all entries of an enumeration."""
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in self.store.all(cls.rsplit(".", 1)[-1])]

    def getBitDepth(self, kind: Any) -> int:
        """Say how many bits a pixel has."""
        return BITS[kind.value.val]


class PixelData(Service):
    """Reads and writes pixel data: big-endian, in the order XYZCT."""

    interface = omero.api.RawPixelsStore
    writes = frozenset({"setPlane", "setTile", "setRegion"})
    is_stateful = True

    row: Row | None = None

    def setPixelsId(self, id_: int, _bypass: bool) -> None:
        """Choose the pixels."""
        row = self.store.find("Pixels", id_)
        if row is None or not self.store.is_visible(self.caller, row):
            raise StoreError("ValidationException", f"no Pixels:{id_} for this user and group")
        self.row = row

    @property
    def pixels(self) -> Row:
        """The pixels that were chosen."""
        if self.row is None:
            raise StoreError("ApiUsageException", "setPixelsId() was not called")
        return self.row

    @property
    def path(self) -> Path:
        """Where they are kept."""
        return self.store.directory / "Pixels" / str(self.pixels.id)

    def size(self, axis: str) -> int:
        """Say how long an axis is."""
        return int(self.pixels.values[f"size{axis}"])

    def getByteWidth(self) -> int:
        """Say how many bytes a pixel has."""
        return max(1, BITS[self.store.get(self.pixels.values["pixelsType"]).values["value"]] // 8)

    def getRowSize(self) -> int:
        """Say how many bytes a row has."""
        return self.size("X") * self.getByteWidth()

    def getPlaneSize(self) -> int:
        """Say how many bytes a plane has."""
        return self.getRowSize() * self.size("Y")

    def getPlaneOffset(self, z: int, c: int, t: int) -> int:
        """Say where a plane begins."""
        for axis, value in (("Z", z), ("C", c), ("T", t)):
            if not 0 <= value < self.size(axis):
                raise StoreError("ValidationException", f"{axis} is {value}, of {self.size(axis)}")
        return ((t * self.size("C") + c) * self.size("Z") + z) * self.getPlaneSize()

    def _tile_rows(self, z: int, c: int, t: int, x: int, y: int, w: int, h: int) -> list[int]:
        if min(x, y) < 0 or min(w, h) < 1 or x + w > self.size("X") or y + h > self.size("Y"):
            raise StoreError("ValidationException", f"the tile {x},{y} {w}x{h} is not in the plane")
        start = self.getPlaneOffset(z, c, t) + x * self.getByteWidth()
        return [start + row * self.getRowSize() for row in range(y, y + h)]

    def getPlane(self, z: int, c: int, t: int) -> bytes:
        """Read a plane."""
        return self._read(self.getPlaneOffset(z, c, t), self.getPlaneSize())

    def getTile(self, z: int, c: int, t: int, x: int, y: int, w: int, h: int) -> bytes:
        """Read a part of a plane."""
        width = w * self.getByteWidth()
        return b"".join(self._read(start, width) for start in self._tile_rows(z, c, t, x, y, w, h))

    def setPlane(self, data: Any, z: int, c: int, t: int) -> None:
        """Write a plane."""
        if len(data) != self.getPlaneSize():
            raise StoreError("ValidationException", f"a plane has {self.getPlaneSize()} bytes, not {len(data)}")
        self._write(self.getPlaneOffset(z, c, t), bytes(data))

    def setTile(self, data: Any, z: int, c: int, t: int, x: int, y: int, w: int, h: int) -> None:
        """Write a part of a plane."""
        width, data = w * self.getByteWidth(), bytes(data)
        if len(data) != width * h:
            raise StoreError("ValidationException", f"this tile has {width * h} bytes, not {len(data)}")
        for number, start in enumerate(self._tile_rows(z, c, t, x, y, w, h)):
            self._write(start, data[number * width : (number + 1) * width])

    def save(self) -> Any:
        """Compute the checksum, and return the pixels."""
        if self.path.exists():
            with self.store.transaction(self.caller):
                self.store.set(self.pixels, "sha1", hashlib.sha1(self.path.read_bytes()).hexdigest())
                self.store.touch(self.pixels)
        return Loader(self.store, self.caller).load(self.pixels)

    def _read(self, offset: int, size: int) -> bytes:
        if not self.path.exists():
            raise StoreError("ResourceError", f"Pixels:{self.pixels.id} have no data")
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(size).ljust(size, b"\0")

    def _write(self, offset: int, data: bytes) -> None:
        if not self.store.can_edit(self.caller, self.pixels):
            raise StoreError("SecurityViolation", f"user {self.caller.user} may not write Pixels:{self.pixels.id}")
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.seek(offset)
            file.write(data)


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
