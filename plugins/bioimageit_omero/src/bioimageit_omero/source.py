"""Image files as five-dimensional arrays: shape, pixel type, sizes, channels; planes are read one by one."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET  # nosec B405
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AXES", "Channel", "ImageSource", "PixelSize", "open_image"]

AXES = "TCZYX"

PIXEL_TYPES = {
    "int8": "int8",
    "uint8": "uint8",
    "int16": "int16",
    "uint16": "uint16",
    "int32": "int32",
    "uint32": "uint32",
    "float32": "float",
    "float64": "double",
    "complex64": "complex",
    "complex128": "double-complex",
}
"""The pixel type of OMERO for each of numpy's."""

_CLOSEST = {"bool": "uint8", "float16": "float32"}
_LONGEST_XML = 64 * 2**20


@dataclass(frozen=True)
class PixelSize:
    """A length with the symbol of its unit, as OME writes it (``µm``)."""

    value: float
    unit: str = "µm"


@dataclass(frozen=True)
class Channel:
    """A channel; `colour` is red, green, blue and alpha, each from 0 to 255."""

    name: str = ""
    colour: tuple[int, int, int, int] | None = None


@dataclass
class ImageSource:
    """An image that can be read plane by plane.

    Attributes
    ----------
    shape
        Lengths of the axes TCZYX.
    dtype
        Pixel type, one that OMERO has.
    plane
        Reads the plane (Y, X) of a T, C and Z.
    sizes
        Physical size of a pixel along X, Y, Z.
    """

    shape: tuple[int, int, int, int, int]
    dtype: str
    plane: Callable[[int, int, int], NDArray[Any]]
    sizes: dict[str, PixelSize] = field(default_factory=dict)
    channels: list[Channel] = field(default_factory=list)
    close: Callable[[], None] = lambda: None

    @property
    def pixel_type(self) -> str:
        """OMERO's name of the pixel type."""
        return PIXEL_TYPES[self.dtype]

    def planes(self) -> Iterator[NDArray[Any]]:
        """Give the planes in the order that ``createImageFromNumpySeq`` wants: T runs fastest, then C, then Z."""
        for z in range(self.shape[2]):
            for c in range(self.shape[1]):
                for t in range(self.shape[0]):
                    yield self.plane(t, c, z)


def open_image(path: Path) -> ImageSource | None:
    """Open a TIFF file or a Zarr directory as an image; None where it is none that can be read here."""
    try:
        if path.is_dir():
            return _open_zarr(path)
        with path.open("rb") as file:
            if file.read(2) not in (b"II", b"MM"):
                return None
        return _open_tiff(path)
    except Exception:  # noqa: BLE001 - readers raise anything on a damaged file; it is then kept as the file it is
        return None


def _source(
    array: Any, axes: str, sizes: dict[str, PixelSize], channels: list[Channel], close: Callable[[], None]
) -> ImageSource | None:
    """Arrange an array as TCZYX; it is sliced, not read."""
    if "Y" not in axes or "X" not in axes or any(length == 0 for length in array.shape):
        return None
    names = _five(axes)
    if names is None:
        return None
    lengths = dict(zip(names, array.shape, strict=True))
    shape = tuple(lengths.get(axis, 1) for axis in AXES)
    rest = [axis for axis in names if axis not in "YX"]

    def read(t: int, c: int, z: int) -> NDArray[Any]:
        import numpy as np

        wanted = {"T": t, "C": c, "Z": z}
        index = tuple(wanted[axis] if axis in rest else slice(None) for axis in names)
        plane = np.asarray(array[index])
        return plane if names.index("Y") < names.index("X") else plane.T

    dtype = _pixel_dtype(str(array.dtype.newbyteorder("=")), read, shape)
    if dtype is None:
        return None

    def converted(t: int, c: int, z: int) -> NDArray[Any]:
        import numpy as np

        return np.ascontiguousarray(read(t, c, z)).astype(dtype)

    named = channels if len(channels) == shape[1] else []
    return ImageSource(shape, dtype, converted, sizes, named, close)


def _five(axes: str) -> str | None:
    """Rename the axes of a file to some of TCZYX, each once; as Bio-Formats does, unnamed pages are time."""
    names = axes
    for other, choices in (("S", "C"), ("Q", "TZC"), ("I", "TZC"), ("R", "TZC"), ("H", "TZC")):
        while other in names:
            free = next((axis for axis in choices if axis not in names), None)
            if free is None:
                return None
            names = names.replace(other, free, 1)
    return names if set(names) <= set(AXES) and len(set(names)) == len(names) else None


def _pixel_dtype(dtype: str, read: Callable[[int, int, int], NDArray[Any]], shape: tuple[int, ...]) -> str | None:
    if dtype in PIXEL_TYPES:
        return dtype
    if dtype in _CLOSEST:
        return _CLOSEST[dtype]
    if dtype not in ("int64", "uint64"):
        return None
    low, high = 0, 0
    for t in range(shape[0]):
        for c in range(shape[1]):
            for z in range(shape[2]):
                plane = read(t, c, z)
                low, high = min(low, int(plane.min())), max(high, int(plane.max()))
    if low >= 0 and high < 2**32:
        return "uint32"
    return "int32" if low >= -(2**31) and high < 2**31 else None


# TIFF


def _open_tiff(path: Path) -> ImageSource | None:
    import tifffile

    file = tifffile.TiffFile(path)
    try:
        series = file.series[0]
        sizes, channels = _ome(file.ome_metadata) if file.ome_metadata else (_imagej(file), [])
        pages = _Pages(series)
        source = _source(pages, series.axes, sizes, channels, file.close)
    except Exception:
        file.close()
        raise
    if source is None:
        file.close()
    return source


class _Pages:
    """A series of a TIFF as an array of which a plane is read when it is asked for."""

    def __init__(self, series: Any) -> None:
        self.shape: tuple[int, ...] = tuple(series.shape)
        self.dtype: np.dtype[Any] = series.dtype
        self._series = series
        self._whole: Any = None

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        import numpy as np

        pages = self._series.pages
        page_shape = tuple(getattr(self._series.keyframe, "shape", ()))
        leading = len(self.shape) - len(page_shape)
        is_paged = (
            leading >= 0
            and self.shape[leading:] == page_shape
            and len(pages) == int(np.prod(self.shape[:leading], dtype=int))
        )
        if not is_paged or not all(isinstance(i, int) for i in index[:leading]):
            if self._whole is None:
                self._whole = self._series.asarray()
            return self._whole[index]
        number = int(np.ravel_multi_index(index[:leading], self.shape[:leading])) if leading else 0
        page = pages[number]
        if page is None:  # a plane that an OME-TIFF names but does not have
            return np.zeros(page_shape, self.dtype)[index[leading:]]
        return page.asarray()[index[leading:]]


def _ome(text: str) -> tuple[dict[str, PixelSize], list[Channel]]:
    """Read sizes and channels of an OME-XML; entities are not resolved."""
    if len(text) > _LONGEST_XML or "<!DOCTYPE" in text[:4096] or "<!ENTITY" in text:
        return {}, []
    root = ET.fromstring(text)  # nosec B314 # noqa: S314 - without a document type there are no entities to expand
    pixels = next((node for node in root.iter() if node.tag.endswith("}Pixels")), None)
    if pixels is None:
        return {}, []
    sizes = {}
    for axis in "XYZ":
        with contextlib.suppress(KeyError, ValueError):
            value = float(pixels.attrib[f"PhysicalSize{axis}"])
            sizes[axis] = PixelSize(value, pixels.attrib.get(f"PhysicalSize{axis}Unit", "µm"))
    nodes = [node for node in pixels if node.tag.endswith("}Channel")]
    return sizes, [Channel(node.attrib.get("Name", ""), _colour(node.attrib)) for node in nodes]


def _colour(attributes: Mapping[str, str]) -> tuple[int, int, int, int] | None:
    try:
        value = int(attributes["Color"]) & 0xFFFFFFFF  # signed, RGBA
    except (KeyError, ValueError):
        return None
    return value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255


def _imagej(file: Any) -> dict[str, PixelSize]:
    about = file.imagej_metadata
    if not about:
        return {}  # the resolution of a plain TIFF is that of a printer
    unit = {"micron": "µm", "um": "µm", "\\u00B5m": "µm", "µm": "µm", "nm": "nm", "mm": "mm", "cm": "cm"}.get(
        str(about.get("unit", "")).strip()
    )
    if unit is None:
        return {}
    sizes = {}
    for axis, name in (("X", "XResolution"), ("Y", "YResolution")):
        tag = file.pages[0].tags.get(name)
        if tag is not None and tag.value[0]:
            sizes[axis] = PixelSize(tag.value[1] / tag.value[0], unit)
    if about.get("spacing"):
        sizes["Z"] = PixelSize(float(about["spacing"]), unit)
    return sizes


# OME-Zarr

_UNITS = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m", "angstrom": "Å"}


def _open_zarr(path: Path) -> ImageSource | None:
    try:
        import zarr
    except ImportError:
        return None
    group: Any = zarr.open_group(str(path), mode="r")
    attributes = dict(group.attrs)
    about = attributes.get("ome", attributes)
    scales = about["multiscales"][0]
    array = group[scales["datasets"][0]["path"]]
    axes = [a["name"] if isinstance(a, dict) else a for a in scales.get("axes", list(AXES.lower()))]
    factors: list[float] = next(
        (s["scale"] for s in scales["datasets"][0].get("coordinateTransformations", []) if s["type"] == "scale"), []
    )
    sizes = {}
    for number, (axis, factor) in enumerate(zip(axes, factors, strict=False)):
        entry = scales["axes"][number]
        unit = _UNITS.get(entry.get("unit", "")) if isinstance(entry, dict) else None
        if axis.upper() in "XYZ" and unit:
            sizes[axis.upper()] = PixelSize(float(factor), unit)
    channels = [_zarr_channel(c) for c in about.get("omero", {}).get("channels", [])]
    return _source(array, "".join(axes).upper(), sizes, channels, lambda: None)


def _zarr_channel(about: Mapping[str, Any]) -> Channel:
    colour = str(about.get("color", ""))
    try:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (0, 2, 4))
    except ValueError:
        return Channel(str(about.get("label", "")))
    return Channel(str(about.get("label", "")), (red, green, blue, 255))
