"""Images that are read where they are looked at: arrays with their facts, kept open for a while."""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import DataServiceError, UnsupportedError
from bioimageit_core.web.viewing.facts import ImageFacts, unit_of

if TYPE_CHECKING:
    from bioimageit_core.containers import Data
    from bioimageit_core.web.site import Site

__all__ = ["ImageSource", "Sources", "is_zarr"]

_OPEN = 8
_LABELS = ("label", "mask", "segment")


@dataclass(frozen=True)
class ImageSource:
    """An image, and how to read a part of it.

    Attributes
    ----------
    read
        Gives the part that slices, one an axis of ``facts.axes``, select.
    """

    facts: ImageFacts
    read: Callable[[tuple[slice, ...]], Any]


class Sources:
    """The images that were looked at last."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: OrderedDict[tuple[str, int, int], ImageSource] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, data: Data, path: str) -> ImageSource:
        """Open the image of a data at a local path.

        Raises
        ------
        UnsupportedError
            Nothing here reads it.
        DataServiceError
            It cannot be read.
        """
        status = os.stat(path)
        key = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
        source = self._make(data, path)
        with self._lock:
            self._open[key] = source
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        return source

    def _make(self, data: Data, path: str) -> ImageSource:
        facts, read = _open_tiff(path) if path.lower().endswith((".tif", ".tiff")) else self._viewed(data)
        facts.is_labels = _says_labels(data) and facts.dtype.lstrip("<>|=")[0] in "iu" and facts.count_of_channels == 1
        return ImageSource(facts.complete(), read)

    def _viewed(self, data: Data) -> tuple[ImageFacts, Callable[[tuple[slice, ...]], Any]]:
        import numpy

        viewed = self._site.request.view_data(data)
        axes = "".join(map(str, getattr(viewed, "dims", ())))
        if not hasattr(viewed, "ndim") or hasattr(viewed, "columns"):
            raise UnsupportedError("this server", f"show {data.name!r}: it is no image")
        array = viewed if not hasattr(viewed, "data") or isinstance(viewed, numpy.ndarray) else viewed.data
        if not axes:
            is_colour = array.ndim == 3 and array.shape[-1] in (3, 4)
            axes = "YXC" if is_colour else "TCZYX"[-array.ndim :]
        if array.ndim > 5 or len(axes) != array.ndim:
            raise UnsupportedError("this server", f"show {data.name!r}: it has {array.ndim} axes")
        return _in_order(axes.upper(), array.shape, array.dtype, lambda where: numpy.asarray(array[where]))


def is_zarr(path: str) -> bool:
    """Say whether a path is a Zarr directory."""
    return os.path.isdir(path) and any(
        os.path.exists(os.path.join(path, name)) for name in (".zgroup", ".zarray", "zarr.json")
    )


def _says_labels(data: Data) -> bool:
    output = getattr(data, "output", None) or {}
    said = f"{output.get('name', '')} {output.get('label', '')} {data.format}".lower()
    return any(word in said for word in _LABELS)


def _in_order(
    axes: str, shape: tuple[int, ...], dtype: Any, read: Callable[[tuple[slice, ...]], Any]
) -> tuple[ImageFacts, Callable[[tuple[slice, ...]], Any]]:
    """Put axes into the order of OME-Zarr."""
    import numpy

    order = [axes.index(axis) for axis in "TCZYX" if axis in axes]
    facts = ImageFacts(
        "".join(axes[place] for place in order), tuple(int(shape[place]) for place in order), numpy.dtype(dtype).str
    )

    def part(where: tuple[slice, ...]) -> Any:
        slices: list[slice] = [slice(None)] * len(axes)
        for place, one in zip(order, where, strict=True):
            slices[place] = one
        return numpy.transpose(read(tuple(slices)), order)

    return facts, part


def _open_tiff(path: str) -> tuple[ImageFacts, Callable[[tuple[slice, ...]], Any]]:
    """Open a TIFF; planes are read when they are asked for."""
    import tifffile
    import zarr

    try:
        tif = tifffile.TiffFile(path)
        series = tif.series[0]
        store = series.aszarr()
    except Exception as error:
        raise DataServiceError(f"{os.path.basename(path)!r} cannot be read as a TIFF: {error}") from error
    found: Any = zarr.open(store, mode="r")
    array: Any = found["0"] if isinstance(found, zarr.Group) else found
    axes, shape = _named_axes(series.axes, array.shape)
    kept = [place for place, axis in enumerate(axes) if axis != "-"]
    lock = threading.Lock()  # one file handle

    def read(where: tuple[slice, ...]) -> Any:
        full: list[Any] = [0] * len(axes)
        for place, one in zip(kept, where, strict=True):
            full[place] = one
        with lock:
            return array[tuple(full)]

    facts, part = _in_order("".join(axes[place] for place in kept), tuple(shape[p] for p in kept), series.dtype, read)
    facts.is_ome_tiff = bool(tif.is_ome) and len(facts.axes) >= 2
    _tiff_facts(tif, facts)
    return facts, part


def _named_axes(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Give every axis one letter of TCZYX; what has length 1 and no place is left out (``-``)."""
    named = ""
    for axis, length in zip(axes, shape, strict=True):
        known = {"S": "C", "I": "Z", "Q": "Z"}.get(axis, axis)
        if known in "TCZYX" and known not in named:
            named += known
        elif length == 1:
            named += "-"
        else:
            named += next((free for free in "CTZ" if free not in named and free not in axes), "-")
    if named.count("-") and any(length > 1 for axis, length in zip(named, shape, strict=True) if axis == "-"):
        raise UnsupportedError("this server", f"show an image with the axes {axes}")
    return named, shape


def _tiff_facts(tif: Any, facts: ImageFacts) -> None:
    import contextlib

    if tif.is_ome:
        with contextlib.suppress(Exception):  # what is wrong in the metadata leaves the pixels as they are
            _ome_facts(tif.ome_metadata, facts)
    elif tif.is_imagej:
        with contextlib.suppress(Exception):
            said = tif.imagej_metadata or {}
            unit = unit_of(str(said.get("unit", "")).replace("\\u00B5", "µ"))
            tags = tif.pages[0].tags
            for axis, tag in (("X", "XResolution"), ("Y", "YResolution")):
                if tag in tags and unit and unit != "pixel":
                    many, of = tags[tag].value
                    facts.pixel_sizes[axis] = (of / many, unit)
            if "spacing" in said and "Z" in facts.axes:
                facts.pixel_sizes["Z"] = (float(said["spacing"]), unit)


def _ome_facts(text: str, facts: ImageFacts) -> None:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    root = etree.fromstring(text.encode("utf-8"), parser)
    pixels = root.find(".//{*}Pixels")
    if pixels is None:
        return
    for axis in "XYZ":
        size = pixels.get(f"PhysicalSize{axis}")
        if size and axis in facts.axes:
            facts.pixel_sizes[axis] = (float(size), unit_of(pixels.get(f"PhysicalSize{axis}Unit", "µm")))
    if pixels.get("TimeIncrement") and "T" in facts.axes:
        facts.pixel_sizes["T"] = (
            float(pixels.get("TimeIncrement", "0")),
            unit_of(pixels.get("TimeIncrementUnit", "s")),
        )
    for number, channel in enumerate(pixels.findall("{*}Channel")[: facts.count_of_channels]):
        said: dict[str, Any] = {"name": channel.get("Name") or f"Channel {number + 1}"}
        colour = channel.get("Color")
        if colour not in (None, "-1"):
            said["color"] = f"{(int(colour) & 0xFFFFFFFF) >> 8:06X}"
        facts.channels.append(said)


def zarr_facts(path: str) -> ImageFacts:
    """Read the facts of an OME-Zarr (0.4 or 0.5), or of a bare Zarr array.

    Raises
    ------
    DataServiceError
        It is none.
    """
    import zarr

    try:
        found: Any = zarr.open(path, mode="r")
        said = json.loads(json.dumps(dict(found.attrs)))
        said = said.get("ome", said)
        multiscale: dict[str, Any] = said["multiscales"][0] if "multiscales" in said else {"datasets": [{"path": ""}]}
        array: Any = found[multiscale["datasets"][0]["path"]] if isinstance(found, zarr.Group) else found
        named = [axis if isinstance(axis, dict) else {"name": axis} for axis in multiscale.get("axes", [])]
        axes = "".join(axis["name"].upper() for axis in named) or "TCZYX"[-array.ndim :]
        facts = ImageFacts(axes, tuple(map(int, array.shape)), array.dtype.str)
        transforms = multiscale["datasets"][0].get("coordinateTransformations", [])
        scale: list[float] = next((each["scale"] for each in transforms if each.get("type") == "scale"), [])
        for axis, one, value in zip(axes, named, scale, strict=False):
            if axis in "TZYX" and one.get("unit"):
                facts.pixel_sizes[axis] = (float(value), str(one["unit"]))
        for channel in said.get("omero", {}).get("channels", [])[: facts.count_of_channels]:
            window = channel.get("window", {})
            limits = (float(window["start"]), float(window["end"])) if {"start", "end"} <= window.keys() else None
            facts.channels.append(
                {"name": str(channel.get("label", "")), "color": channel.get("color"), "window": limits}
            )
        facts.is_labels = "image-label" in said
    except Exception as error:
        raise DataServiceError(f"{os.path.basename(path)!r} cannot be read as a Zarr: {error}") from error
    return facts.complete()
