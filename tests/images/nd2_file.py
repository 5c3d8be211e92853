"""A minimal ND2 file, written by us from what its reader (nd2) parses of the format; not by Nikon's program.

Named chunks follow each other and a map at the end says where they are. What describes the images is stored as
variants: a byte for the type, the length of the name, the name in UTF-16, the value.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Nd2Image", "write_nd2"]

_MAGIC = 0x0ABECEDA
_BLOCK = 4096  # chunks begin at multiples of it, and the pixels of a frame one block after the chunk does
_TIME, _POSITIONS, _STACK = 1, 2, 4  # types of loops
_FIRST_DAY = 2440587.5  # 1970-01-01 as a Julian date


@dataclass(frozen=True)
class Nd2Image:
    """What is in a file: `pixels` are PTCZYX, P for the positions of the stage, or YXS for colours.

    `sizes` of pixels are in micrometres, of frames in seconds; without X nothing is calibrated. `channels` have a name
    and a colour, ``RRGGBB``.
    """

    pixels: NDArray[np.generic]
    sizes: dict[str, float]
    channels: Sequence[tuple[str, str]]
    positions: Sequence[str] = ()
    taken: datetime | None = None
    objective: dict[str, Any] = field(default_factory=dict)


def write_nd2(path: Path, image: Nd2Image) -> str:
    """Write the file and return its path as text."""
    frames, components = _frames(image)
    height, width = frames.shape[1:3]
    item = image.pixels.itemsize
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": width * item * components,
        "uiHeight": height,
        "uiComp": components,
        "uiBpcInMemory": item * 8,
        "uiBpcSignificant": item * 8,
        "uiSequenceCount": len(frames),
        "eCompression": 2,
    }
    chunks = {
        "ImageAttributesLV!": _variant("SLxImageAttributes", attributes),
        "ImageMetadataSeqLV|0!": _variant("SLxPictureMetadata", _metadata(image)),
    }
    if loops := _loops(image):
        chunks["ImageMetadataLV!"] = _variant("SLxExperiment", _experiment(loops))
    chunks["CustomData|AcqTimesCache!"] = np.arange(len(frames), dtype=np.float64).tobytes()
    for number, frame in enumerate(frames):
        chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", 0) + frame.tobytes()
    _write(path, chunks)
    return str(path)


def _frames(image: Nd2Image) -> tuple[NDArray[np.generic], int]:
    """Return the pixels as they are stored, frame by frame with all channels of a pixel together."""
    if image.pixels.ndim == 3:
        return image.pixels[None], image.pixels.shape[2]
    p, t, c, z, y, x = image.pixels.shape
    return image.pixels.transpose(1, 0, 3, 4, 5, 2).reshape(t * p * z, y, x, c), c


def _loops(image: Nd2Image) -> list[tuple[int, dict[str, Any]]]:
    """Return the loops of the experiment, outermost first: times, positions, stack."""
    if image.pixels.ndim == 3:
        return []
    p, t, _, z, _, _ = image.pixels.shape
    found: list[tuple[int, dict[str, Any]]] = []
    if t > 1:
        period = image.sizes.get("T", 0.0) * 1000
        averages = {f"d{name}PeriodDiff": period for name in ("Avg", "Max", "Min")}
        found.append((_TIME, {"uiCount": t, "dStart": 0.0, "dPeriod": period, "dDuration": period * t} | averages))
    if p > 1:
        points = [
            {"dPosX": 100.0 * place, "dPosY": 0.0, "dPosName": name} for place, name in enumerate(image.positions)
        ]
        found.append((_POSITIONS, {"uiCount": p, "Points": points}))
    if z > 1:
        step = image.sizes.get("Z", 0.0)
        found.append((_STACK, {"uiCount": z, "dZLow": 0.0, "dZHigh": step * (z - 1), "dZStep": step}))
    return found


def _experiment(loops: Sequence[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    (kind, parameters), *inner = loops
    found: dict[str, Any] = {"eType": kind, "uLoopPars": parameters}
    return found | ({"ppNextLevelEx": [_experiment(inner)]} if inner else {})


def _metadata(image: Nd2Image) -> dict[str, Any]:
    planes = {
        f"a{place}": {
            "sDescription": name,
            "uiColor": int(color[4:] + color[2:4] + color[:2], 16),
            "uiCompCount": image.pixels.shape[2] if image.pixels.ndim == 3 else 1,
            "uiSampleIndex": place,
            "pFluorescentProbe": {"m_sName": name},
        }
        for place, (name, color) in enumerate(image.channels)
    }
    return {
        "dTimeAbsolute": _FIRST_DAY + image.taken.timestamp() / 86400 if image.taken else -1.0,
        "bCalibrated": "X" in image.sizes,
        "dCalibration": image.sizes.get("X", 0.0),
        "sPicturePlanes": {"uiCount": len(planes), "sPlaneNew": planes},
    } | image.objective


def _variant(name: str, value: Any) -> bytes:
    """Return a named value as Nikon's programs store it (CLX lite): of a list, the items have no names."""
    text = (name + "\0").encode("utf-16-le")
    kinds: list[tuple[type, int, Any]] = [
        (bool, 1, lambda it: struct.pack("<B", it)),
        (int, 3, lambda it: struct.pack("<I", it)),
        (float, 6, lambda it: struct.pack("<d", it)),
        (str, 8, lambda it: (it + "\0").encode("utf-16-le")),
    ]
    for kind, number, pack in kinds:
        if isinstance(value, kind):
            return struct.pack("<BB", number, len(name) + 1) + text + bytes(pack(value))
    items = list(value.items()) if isinstance(value, dict) else [("", each) for each in value]
    content = b"".join(_variant(key, each) for key, each in items)
    length = 2 + len(text) + 12 + len(content)
    return (
        struct.pack("<BB", 11, len(name) + 1)
        + text
        + struct.pack("<IQ", len(items), length)
        + content
        + bytes(8 * len(items))
    )


def _write(path: Path, chunks: dict[str, bytes]) -> None:
    places = {}
    with open(path, "wb") as file:
        file.write(struct.pack("<IIQ32s64s", _MAGIC, 32, 64, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0"))
        for name, content in chunks.items():
            file.write(bytes(-file.tell() % _BLOCK))
            # the timestamp of a frame ends the block
            places[name], reserved = file.tell(), _BLOCK - 16 - (8 if name.startswith("ImageDataSeq") else 0)
            file.write(
                struct.pack("<IIQ", _MAGIC, reserved, len(content)) + name.encode().ljust(reserved, b"\0") + content
            )
        file.write(bytes(-file.tell() % _BLOCK))
        place = file.tell()
        entries = b"".join(name.encode() + struct.pack("<QQ", at, len(chunks[name])) for name, at in places.items())
        end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", place)
        file.write(
            struct.pack("<IIQ", _MAGIC, 32, len(entries + end)) + b"ND2 FILEMAP SIGNATURE NAME 0001!" + entries + end
        )
