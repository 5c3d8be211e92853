"""IPixels and IRoi: what describes images, and what is drawn on them."""

from __future__ import annotations

from typing import Any

import omero
from omero import rtypes

from .graph import Loader
from .hql import Interpreter, Page
from .raw_pixels import BITS
from .servants import Service
from .store import Caller, Row, Store, StoreError

__all__ = ["Pixels", "Rois", "described_pixels"]

_COLOURS = ("red", "green", "blue", "alpha")


def described_pixels(store: Store, caller: Caller, id_: int) -> Any:
    """Read pixels with what describes them."""
    text = (
        "select p from Pixels p join fetch p.pixelsType join fetch p.dimensionOrder join fetch p.image "
        "left outer join fetch p.channels c left outer join fetch c.logicalChannel "
        "left outer join fetch c.statsInfo where p.id = :id"
    )
    found = Interpreter(store, caller, {"id": id_}).objects(text, Page())
    return found[0] if found else None


class Pixels(Service):
    """Makes images."""

    interface = omero.api.IPixels
    writes = frozenset({"createImage", "copyAndResizeImage", "setChannelGlobalMinMax"})

    def createImage(
        self, x: int, y: int, z: int, t: int, channels: list[int], kind: Any, name: str, description: str | None
    ) -> Any:
        """Create an image without pixel data; channels have no names."""
        if min(x, y, z, t, len(channels)) < 1:
            raise StoreError("ValidationException", "every dimension must be 1 or more")
        sizes = {"sizeX": x, "sizeY": y, "sizeZ": z, "sizeT": t}
        with self.store.transaction(self.caller):
            about = {"name": name, "description": description or None, "series": 0}
            return self._create(about, {**sizes, "pixelsType": ("PixelsType", kind.id.val)}, [{} for _ in channels])

    def copyAndResizeImage(
        self, id_: int, x: Any, y: Any, z: Any, t: Any, channels: list[int], method: str | None, _stats: bool
    ) -> Any:
        """Create an image without pixel data that is described as another is."""
        source = self.store.find("Image", id_)
        if source is None or not self.store.is_visible(self.caller, source):
            raise StoreError("ValidationException", f"no Image:{id_} for this user and group")
        old = self.store.referring(source.reference, "Pixels", "image")[0]
        known = sorted(self.store.referring(old.reference, "Channel", "pixels"), key=lambda row: row.id)
        given = {"sizeX": x, "sizeY": y, "sizeZ": z, "sizeT": t}
        sizes = {name: old.values[name] if size is None else size.val for name, size in given.items()}
        copied = ("pixelsType", "physicalSizeX", "physicalSizeY", "physicalSizeZ", "timeIncrement", "methodology")
        values = {name: old.values[name] for name in copied if old.values.get(name) is not None}
        about = {name: source.values.get(name) for name in ("name", "description", "series", "acquisitionDate")}
        with self.store.transaction(self.caller):
            described = [self._described(known[number]) for number in channels]
            return self._create(about, {**values, **sizes, **({"methodology": method} if method else {})}, described)

    def _described(self, channel: Row) -> dict[str, Any]:
        logical = self.store.get(channel.values["logicalChannel"])
        colours = {name: channel.values[name] for name in _COLOURS if channel.values.get(name) is not None}
        made = self.store.add(self.caller, "LogicalChannel", dict(logical.values))
        return {**colours, "logicalChannel": made.reference}

    def _create(self, about: dict[str, Any], values: dict[str, Any], channels: list[dict[str, Any]]) -> Any:
        add = self.store.add
        image = add(self.caller, "Image", about)
        order = next(r for r in self.store.all("DimensionOrder") if r.values["value"] == "XYZCT")
        values |= {"image": image.reference, "dimensionOrder": order.reference, "sha1": "Pending..."}
        pixels = add(self.caller, "Pixels", {**values, "sizeC": len(channels)})
        for channel in channels:
            if "logicalChannel" not in channel:
                channel["logicalChannel"] = add(self.caller, "LogicalChannel", {}).reference
            add(self.caller, "Channel", {**channel, "pixels": pixels.reference})
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
        return described_pixels(self.store, self.caller, id_)

    def getAllEnumerations(self, cls: str) -> list[Any]:
        """Read all entries of an enumeration."""
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in self.store.all(cls.rsplit(".", 1)[-1])]

    def getEnumeration(self, cls: str, value: str) -> Any:
        """Read one entry of an enumeration."""
        return next((made for made in self.getAllEnumerations(cls) if made.value.val == value), None)

    def getBitDepth(self, kind: Any) -> int:
        """Say how many bits a pixel has."""
        return BITS[kind.value.val]


class Rois(Service):
    """Regions of images."""

    interface = omero.api.IRoi

    def findByImage(self, id_: int, _options: Any) -> Any:
        """Read the regions of an image with their shapes."""
        return self._found("r.image.id = :id", id_)

    def findByRoi(self, id_: int, _options: Any) -> Any:
        """Read one region with its shapes."""
        return self._found("r.id = :id", id_)

    def _found(self, condition: str, id_: int) -> Any:
        text = f"select distinct r from Roi r left outer join fetch r.shapes where {condition} order by r.id"
        made = omero.api.RoiResult()
        made.rois = Interpreter(self.store, self.caller, {"id": id_}).objects(text, Page())
        return made
