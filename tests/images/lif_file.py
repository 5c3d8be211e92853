"""A minimal LIF file, written by us from what its reader (liffile) parses of the format; not by Leica's program.

Blocks begin with 0x70, a length, and 0x2A with a count of UTF-16 characters: first the XML that describes all images,
then one block of memory for the pixels of each.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

__all__ = ["LifScene", "write_lif"]

_DIMENSIONS = {"X": 1, "Y": 2, "Z": 3, "T": 4, "M": 10}
_ORDER = "MTZCYXS"  # outermost first: the channels of a plane follow each other, the colours of a pixel too
_BEFORE_1970 = 116444736000000000  # the times of Leica are counts of 100 ns since 1601


@dataclass(frozen=True)
class LifScene:
    """One image: `sizes` of pixels in metres, of frames in seconds; what is left out is not said.

    `luts` has one name for each channel (or colour), and so has `dyes`. `settings` are attributes of the microscope's.
    """

    name: str
    pixels: NDArray[np.generic]
    sizes: dict[str, float]
    luts: Sequence[str]
    axes: str = "TCZYX"
    dyes: Sequence[str] = ()
    taken: datetime | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def stored(self) -> NDArray[np.generic]:
        """The pixels in the order of the file."""
        order = [axis for axis in _ORDER if axis in self.axes]
        return np.ascontiguousarray(self.pixels.transpose([self.axes.index(axis) for axis in order]))


def write_lif(path: Path, scenes: Sequence[LifScene], name: str = "project") -> str:
    """Write the scenes and return the path as text."""
    elements = "".join(_element(scene, f"MemBlock_{number}") for number, scene in enumerate(scenes))
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name={quoteattr(name)} Visibility="1" UniqueID="u">'
        f'<Data><Experiment Path="" IsSavedFlag="1"/></Data><Memory Size="0" MemoryBlockID="MemBlock_P"/>'
        f"<Children>{elements}</Children></Element></LMSDataContainerHeader>"
    )
    with open(path, "wb") as file:
        file.write(struct.pack("<IIBI", 0x70, 2 * len(xml) + 5, 0x2A, len(xml)) + xml.encode("utf-16-le"))
        for number, scene in enumerate(scenes):
            block = f"MemBlock_{number}"
            header = struct.pack("<IIBQBI", 0x70, 2 * len(block) + 14, 0x2A, scene.pixels.nbytes, 0x2A, len(block))
            file.write(header + block.encode("utf-16-le") + scene.stored.tobytes())
    return str(path)


def _element(scene: LifScene, block: str) -> str:
    stored, item = scene.stored, scene.pixels.itemsize
    order = [axis for axis in _ORDER if axis in scene.axes]
    lengths, steps = dict(zip(order, stored.shape, strict=True)), dict(zip(order, stored.strides, strict=True))
    dimensions = "".join(
        f'<DimensionDescription DimID="{_DIMENSIONS[axis]}" NumberOfElements="{lengths[axis]}" Origin="0" '
        f'Length="{scene.sizes.get(axis, 0) * (lengths[axis] - 1):.12e}" Unit="{"s" if axis == "T" else "m"}" '
        f'BitInc="0" BytesInc="{steps[axis]}"/>'
        for axis in reversed(order)
        if axis in _DIMENSIONS and lengths[axis] > 1
    )
    colors, step = "S" in order, steps.get("S", steps.get("C", 0))
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="{place + 1 if colors else 0}" Resolution="{item * 8}" '
        f'NameOfMeasuredQuantity="" Min="0" Max="{2 ** (item * 8) - 1}" Unit="" LUTName={quoteattr(lut)} '
        f'IsLUTInverted="0" BytesInc="{place * step}" BitInc="0">{_dye(scene.dyes, place)}</ChannelDescription>'
        for place, lut in enumerate(scene.luts)
    )
    said = "".join(f" {key}={quoteattr(value)}" for key, value in scene.settings.items())
    settings = f'<Attachment Name="HardwareSetting"><ATLConfocalSettingDefinition{said}/></Attachment>' if said else ""
    times = f'<TimeStampList NumberOfTimeStamps="1">{_filetime(scene.taken)} </TimeStampList>' if scene.taken else ""
    return (
        f'<Element Name={quoteattr(scene.name)} Visibility="1" UniqueID="u-{block}"><Data><Image><ImageDescription>'
        f"<Channels>{channels}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription>{settings}{times}"
        f'</Image></Data><Memory Size="{scene.pixels.nbytes}" MemoryBlockID="{block}"/><Children/></Element>'
    )


def _dye(dyes: Sequence[str], place: int) -> str:
    if not dyes:
        return ""
    said = {"ChannelGroup": "0", "DyeName": dyes[place]}
    return "".join(f"<ChannelProperty><Key>{k}</Key><Value>{v}</Value></ChannelProperty>" for k, v in said.items())


def _filetime(taken: datetime) -> str:
    return f"{int(taken.timestamp()) * 10**7 + _BEFORE_1970:x}"
