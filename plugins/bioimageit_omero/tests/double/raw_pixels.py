"""RawPixelsStore: pixels, kept in files of the double's directory; big-endian, in the order XYZCT."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import omero

from .graph import Loader
from .servants import Service
from .store import Row, StoreError

__all__ = ["BITS", "PixelData"]

BITS = {"bit": 1, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "float": 32}
BITS |= {"double": 64, "complex": 64, "double-complex": 128}


class PixelData(Service):
    """Reads and writes pixel data: big-endian, in the order XYZCT."""

    interface = omero.api.RawPixelsStore
    writes = frozenset({"setPlane", "setTile", "setRow", "setStack", "setTimepoint"})
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
        return max(1, BITS[self.kind] // 8)

    @property
    def kind(self) -> str:
        """Type of the pixels."""
        return str(self.store.get(self.pixels.values["pixelsType"]).values["value"])

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

    def getPixelsId(self) -> int:
        """Say which pixels were chosen."""
        return self.pixels.id

    def isSigned(self) -> bool:
        """Say whether values can be negative."""
        return self.kind in ("int8", "int16", "int32", "float", "double", "complex", "double-complex")

    def isFloat(self) -> bool:
        """Say whether values are floating-point numbers."""
        return self.kind in ("float", "double")

    def getStackSize(self) -> int:
        """Say how many bytes a stack has."""
        return self.getPlaneSize() * self.size("Z")

    def getTimepointSize(self) -> int:
        """Say how many bytes a timepoint has."""
        return self.getStackSize() * self.size("C")

    def getTotalSize(self) -> int:
        """Say how many bytes the pixels have."""
        return self.getTimepointSize() * self.size("T")

    def getRowOffset(self, y: int, z: int, c: int, t: int) -> int:
        """Say where a row begins."""
        return self._tile_rows(z, c, t, 0, y, 1, 1)[0]

    def getStackOffset(self, c: int, t: int) -> int:
        """Say where a stack begins."""
        return self.getPlaneOffset(0, c, t)

    def getTimepointOffset(self, t: int) -> int:
        """Say where a timepoint begins."""
        return self.getPlaneOffset(0, 0, t)

    def getRow(self, y: int, z: int, c: int, t: int) -> bytes:
        """Read a row."""
        return self.getTile(z, c, t, 0, y, self.size("X"), 1)

    def getCol(self, x: int, z: int, c: int, t: int) -> bytes:
        """Read a column."""
        return self.getTile(z, c, t, x, 0, 1, self.size("Y"))

    def getStack(self, c: int, t: int) -> bytes:
        """Read a stack."""
        return self._read(self.getStackOffset(c, t), self.getStackSize())

    def getTimepoint(self, t: int) -> bytes:
        """Read a timepoint."""
        return self._read(self.getTimepointOffset(t), self.getTimepointSize())

    def getHypercube(self, offset: list[int], size: list[int], step: list[int]) -> bytes:
        """Read a block, every so many pixels; axes are XYZCT."""
        for axis, start, length, stride in zip("XYZCT", offset, size, step, strict=True):
            if start < 0 or length < 1 or stride < 1 or start + length > self.size(axis):
                raise StoreError("ApiUsageException", f"{axis}: {start}+{length}, every {stride}, is not in the pixels")
        x, y, z, c, t = (range(o, o + n, s) for o, n, s in zip(offset, size, step, strict=True))
        width = self.getByteWidth()
        rows = (self.getRow(b, d, e, f) for f in t for e in c for d in z for b in y)
        return b"".join(row[a * width : (a + 1) * width] for row in rows for a in x)

    def findMinMax(self, channels: list[int]) -> dict[int, list[float]]:
        """Find the smallest and the largest value of the first plane of channels."""
        return {c: [float(v) for v in (self._values(c).min(), self._values(c).max())] for c in channels}

    def getHistogram(self, channels: list[int], bins: int, is_global: bool, plane: Any) -> dict[int, list[int]]:
        """Count the values of planes."""
        found = {}
        for c in channels:
            values = self._values(c, 0 if plane is None else plane.z, 0 if plane is None else plane.t)
            span = self._global_range(c) if is_global else None
            found[c] = [int(n) for n in np.histogram(values, bins, span or (values.min(), values.max()))[0]]
        return found

    def _global_range(self, channel: int) -> tuple[float, float] | None:
        known = sorted(self.store.referring(self.pixels.reference, "Channel", "pixels"), key=lambda row: row.id)
        stats = known[channel].values.get("statsInfo")
        values = None if stats is None else self.store.get(stats).values
        return None if values is None else (values["globalMin"], values["globalMax"])

    def _values(self, c: int, z: int = 0, t: int = 0) -> Any:
        names = {"float": "f4", "double": "f8", "complex": "c8", "double-complex": "c16"}
        kind = np.dtype(names.get(self.kind, self.kind)).newbyteorder(">")
        return np.frombuffer(self.getPlane(z, c, t), kind)

    def requiresPixelsPyramid(self) -> bool:
        """Say whether there is a pyramid: the double makes none."""
        return False

    def getTileSize(self) -> list[int]:
        """Say how large tiles are: as large as planes."""
        return [self.size("X"), self.size("Y")]

    def getResolutionLevels(self) -> int:
        """Say how many resolutions there are: one."""
        return 1

    def getResolutionLevel(self) -> int:
        """Say which resolution is read: the only one."""
        return 0

    def setResolutionLevel(self, level: int) -> None:
        """Choose a resolution, of which there is one."""
        if level != 0:
            raise StoreError("ApiUsageException", f"there is one resolution, not {level + 1}")

    def getResolutionDescriptions(self) -> list[Any]:
        """Say how large the resolutions are."""
        return [omero.api.ResolutionDescription(self.size("X"), self.size("Y"))]

    def calculateMessageDigest(self) -> bytes:
        """Compute the checksum."""
        return hashlib.sha1(self._read(0, self.getTotalSize())).digest()

    def getPlane(self, z: int, c: int, t: int) -> bytes:
        """Read a plane."""
        return self._read(self.getPlaneOffset(z, c, t), self.getPlaneSize())

    def getTile(self, z: int, c: int, t: int, x: int, y: int, w: int, h: int) -> bytes:
        """Read a part of a plane."""
        width = w * self.getByteWidth()
        return b"".join(self._read(start, width) for start in self._tile_rows(z, c, t, x, y, w, h))

    def setPlane(self, data: Any, z: int, c: int, t: int) -> None:
        """Write a plane."""
        self._write_whole(data, self.getPlaneOffset(z, c, t), self.getPlaneSize())

    def setTile(self, data: Any, z: int, c: int, t: int, x: int, y: int, w: int, h: int) -> None:
        """Write a part of a plane."""
        width, data = w * self.getByteWidth(), bytes(data)
        if len(data) != width * h:
            raise StoreError("ValidationException", f"this tile has {width * h} bytes, not {len(data)}")
        for number, start in enumerate(self._tile_rows(z, c, t, x, y, w, h)):
            self._write(start, data[number * width : (number + 1) * width])

    def setRow(self, data: Any, y: int, z: int, c: int, t: int) -> None:
        """Write a row."""
        self.setTile(data, z, c, t, 0, y, self.size("X"), 1)

    def setStack(self, data: Any, _z: int, c: int, t: int) -> None:
        """Write a stack."""
        self._write_whole(data, self.getStackOffset(c, t), self.getStackSize())

    def setTimepoint(self, data: Any, t: int) -> None:
        """Write a timepoint."""
        self._write_whole(data, self.getTimepointOffset(t), self.getTimepointSize())

    def _write_whole(self, data: Any, offset: int, size: int) -> None:
        if len(data) != size:
            raise StoreError("ValidationException", f"{size} bytes are to be written, not {len(data)}")
        self._write(offset, bytes(data))

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
