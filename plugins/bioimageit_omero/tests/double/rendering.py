"""RenderingEngine: what clients ask of channels (colours, windows); nothing is rendered."""

from __future__ import annotations

from typing import Any

import omero

from .graph import Loader
from .images import described_pixels
from .servants import Service
from .store import Row, StoreError

__all__ = ["Rendering"]

_DEFAULTS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
_BOUNDS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}
_BOUNDS |= {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}


class Rendering(Service):
    """Default settings of pixels; they are not kept."""

    interface = omero.api.RenderingEngine
    is_stateful = True

    row: Row | None = None

    def lookupPixels(self, id_: int) -> None:
        """Choose the pixels."""
        row = self.store.find("Pixels", id_)
        if row is None or not self.store.is_visible(self.caller, row):
            raise StoreError("ValidationException", f"no Pixels:{id_} for this user and group")
        self.row = row

    @property
    def pixels(self) -> Row:
        """The pixels that were chosen."""
        if self.row is None:
            raise StoreError("ApiUsageException", "lookupPixels() was not called")
        return self.row

    def lookupRenderingDef(self, id_: int) -> bool:
        """Find settings: the defaults are always there."""
        return id_ == self.pixels.id

    def getRenderingDefId(self) -> int:
        """Say which settings are used."""
        return self.pixels.id

    def load(self) -> None:
        """Begin to use the settings."""

    def getPixels(self) -> Any:
        """Read the pixels with what describes them."""
        return described_pixels(self.store, self.caller, self.pixels.id)

    def getModel(self) -> Any:
        """Say how channels are put together: in colour, if there are several."""
        wanted = "rgb" if len(self._channels) > 1 else "greyscale"
        return next(made for made in self.getAvailableModels() if made.value.val == wanted)

    def getAvailableModels(self) -> list[Any]:
        """List the ways to put channels together."""
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in self.store.all("RenderingModel")]

    def getDefaultZ(self) -> int:
        """Say which section is shown first."""
        return int(self.pixels.values["sizeZ"]) // 2

    def getDefaultT(self) -> int:
        """Say which timepoint is shown first."""
        return 0

    def isActive(self, index: int) -> bool:
        """Say whether a channel is shown: the first three are."""
        return index < len(_DEFAULTS)

    def getRGBA(self, index: int) -> list[int]:
        """Give the colour of a channel: its own, else red, green, blue in turn; of a single one, white."""
        values = self._channels[index].values
        own = [values.get(name) for name in ("red", "green", "blue", "alpha")]
        if None not in own:
            return [int(value) for value in own if value is not None]
        return [*((255, 255, 255) if len(self._channels) == 1 else _DEFAULTS[index % 3]), 255]

    def getChannelLookupTable(self, _index: int) -> str:
        """Give the lookup table of a channel: none has one."""
        return ""

    def getChannelWindowStart(self, index: int) -> float:
        """Give the value that is shown black: the smallest."""
        return self._window(index)[0]

    def getChannelWindowEnd(self, index: int) -> float:
        """Give the value that is shown white: the largest."""
        return self._window(index)[1]

    def getPixelsTypeLowerBound(self, index: int) -> float:
        """Give the smallest value that the pixels can have."""
        return self._bounds(index)[0]

    def getPixelsTypeUpperBound(self, index: int) -> float:
        """Give the largest value that the pixels can have."""
        return self._bounds(index)[1]

    @property
    def _channels(self) -> list[Row]:
        return sorted(self.store.referring(self.pixels.reference, "Channel", "pixels"), key=lambda row: row.id)

    def _bounds(self, index: int) -> tuple[float, float]:
        kind = self.store.get(self.pixels.values["pixelsType"]).values["value"]
        low, high = _BOUNDS.get(kind) or self._window(index)
        return float(low), float(high)

    def _window(self, index: int) -> tuple[float, float]:
        stats = self._channels[index].values.get("statsInfo")
        values = {"globalMin": 0.0, "globalMax": 1.0} if stats is None else self.store.get(stats).values
        return float(values["globalMin"]), float(values["globalMax"])
