"""What a viewer must know of an image before it reads a pixel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["ImageFacts", "unit_of"]

_COLOURS = ("FFFFFF",), ("00FF00", "FF00FF"), ("0000FF", "00FF00", "FF0000"), ("0000FF", "00FF00", "FF0000", "FFFFFF")
_UNITS = {
    "µm": "micrometer",
    "μm": "micrometer",
    "um": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "Å": "angstrom",
    "pm": "picometer",
    "s": "second",
    "ms": "millisecond",
    "min": "minute",
    "h": "hour",
}


@dataclass
class ImageFacts:
    """What is known of an image.

    Attributes
    ----------
    axes
        One letter an axis, some of ``TCZYX``, in the order of `shape`.
    pixel_sizes
        By axis: value and unit (a name of UDUNITS-2, as OME-Zarr has them).
    channels
        Name, colour (``RRGGBB``) and contrast window of each.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: str
    pixel_sizes: dict[str, tuple[float, str]] = field(default_factory=dict)
    channels: list[dict[str, Any]] = field(default_factory=list)
    is_labels: bool = False
    is_ome_tiff: bool = False

    @property
    def count_of_channels(self) -> int:
        """How many channels there are."""
        return self.shape[self.axes.index("C")] if "C" in self.axes else 1

    def complete(self) -> ImageFacts:
        """Give every channel a name and a colour."""
        count = self.count_of_channels
        default = _COLOURS[min(count, len(_COLOURS)) - 1]
        for number in range(len(self.channels), count):
            self.channels.append({"name": f"Channel {number + 1}"})
        for number, channel in enumerate(self.channels):
            channel.setdefault("color", default[number % len(default)])
            channel.setdefault("window", None)
        return self


def unit_of(text: str) -> str:
    """Return the name of a unit in UDUNITS-2, of its symbol in the OME data model.

    Examples
    --------
    >>> unit_of("µm"), unit_of("micrometer")
    ('micrometer', 'micrometer')
    """
    return _UNITS.get(text, text)
