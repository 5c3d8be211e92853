"""Write images as OME-TIFF, plain TIFF, PNG or OME-Zarr, all or nothing."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .image import Array, Image, ImageError

__all__ = ["FORMATS", "storable", "write_atomically", "write_image"]

FORMATS = ("ome.tiff", "tiff", "png", "ome_zarr", "ome_zarr_0.4")
_PLANE_AXES = 2


def write_image(path: str | Path, image: Image, format_: str = "ome.tiff") -> Path:
    """Write an image; the format is chosen by name, never by the file's suffix.

    Parameters
    ----------
    path
        Where to; what is there is replaced once the new file is complete.
    image
        What to write. OME-TIFF keeps axes, pixel sizes, units and channel names; see the notes for the others.
    format_
        One of `FORMATS`.

    Raises
    ------
    ImageError
        The format is not known, or cannot hold the image.

    Notes
    -----
    ``tiff`` is the dialect of ImageJ, which has one unit for all lengths; ``png`` holds one plane (YX) or three
    channels (CYX) of integers of 8 or 16 bits, and neither pixel sizes nor names.
    The same image gives the same bytes: the UUID in an OME-TIFF is derived from its content.
    """
    path = Path(path)
    image = image.with_data(storable(image.data))
    writers: dict[str, Callable[[Path], None]] = {
        "ome.tiff": lambda target: _write_ome_tiff(target, image),
        "tiff": lambda target: _write_imagej_tiff(target, image),
        "png": lambda target: _write_png(target, image),
    }
    if format_.startswith("ome_zarr") and format_ in FORMATS:
        from .zarr_store import write_zarr

        return write_zarr(path, image, "0.4" if format_.endswith("0.4") else "0.5")
    if format_ not in writers:
        raise ImageError(f"unknown format {format_!r} (known: {', '.join(FORMATS)})")
    return write_atomically(path, writers[format_])


def write_atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Write a temporary sibling, then rename it: a file at `path` is always complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def storable(data: Array) -> Array:
    """Return pixels of a type that programs read: truth values as 0 and 255, no 64 bits, no half precision."""
    kind, size = data.dtype.kind, data.dtype.itemsize
    if kind == "b":
        return data.astype(np.uint8) * np.uint8(255)
    if kind == "f" and size != np.dtype(np.float32).itemsize:
        return data.astype(np.float32)
    if kind in "iu" and size > np.dtype(np.int32).itemsize:
        low, high = int(data.min()), int(data.max())
        for dtype in (np.uint16, np.int32, np.uint32):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return data.astype(dtype)
        raise ImageError(f"values up to {high} do not fit 32 bits")
    return data


def _write_ome_tiff(path: Path, image: Image) -> None:
    import tifffile

    facts = repr(
        (image.axes, image.data.shape, image.data.dtype.str, sorted(image.pixel_sizes.items()), image.channels)
    )
    digest = hashlib.sha256(np.ascontiguousarray(image.data).tobytes() + facts.encode()).hexdigest()
    metadata: dict[str, Any] = {"axes": image.axes, "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, digest))}
    if image.name:
        metadata["Name"] = image.name
    for axis, key in (("Z", "PhysicalSizeZ"), ("Y", "PhysicalSizeY"), ("X", "PhysicalSizeX"), ("T", "TimeIncrement")):
        if axis in image.pixel_sizes:
            metadata[key] = image.pixel_sizes[axis]
            metadata[f"{key}Unit"] = image.units.get(axis, "s" if axis == "T" else "µm")
    if image.channels:
        metadata["Channel"] = {"Name": list(image.channels)}
    large = image.data.nbytes > 2**32 - 2**25
    tifffile.imwrite(
        path,
        image.data,
        ome=True,
        bigtiff=large,
        photometric="minisblack",
        compression="zlib",
        metadata=metadata,
    )


def _write_imagej_tiff(path: Path, image: Image) -> None:
    import tifffile

    if image.data.dtype not in (np.uint8, np.uint16, np.float32):
        if image.data.dtype.kind not in "iu" or image.data.min() < 0 or image.data.max() > np.iinfo(np.uint16).max:
            raise ImageError(f"a plain TIFF for ImageJ cannot hold pixels of type {image.data.dtype}")
        image = image.with_data(image.data.astype(np.uint16))
    # ImageJ orders TZCYX
    order = [axis for axis in "TZCYX" if axis in image.axes]
    data = np.transpose(image.data, [image.axes.index(axis) for axis in order])
    metadata: dict[str, Any] = {"axes": "".join(order)}
    arguments: dict[str, Any] = {}
    if {"Y", "X"} <= set(image.pixel_sizes):
        metadata["unit"] = {"µm": "um"}.get(image.units.get("X", "µm"), image.units.get("X", "um"))
        arguments["resolution"] = (1 / image.pixel_sizes["X"], 1 / image.pixel_sizes["Y"])
        if "Z" in image.pixel_sizes:
            metadata["spacing"] = image.pixel_sizes["Z"]
    if "T" in image.pixel_sizes:
        metadata["finterval"] = image.pixel_sizes["T"]
        metadata["tunit"] = image.units.get("T", "s")
    if image.channels and image.data.ndim == len("CYX") and "C" in image.axes:
        metadata["Labels"] = list(image.channels)
    tifffile.imwrite(path, data, imagej=True, metadata=metadata, **arguments)


def _write_png(path: Path, image: Image) -> None:
    from PIL import Image as Picture

    data = image.data
    while data.ndim > _PLANE_AXES and data.shape[0] == 1:
        data = data[0]
    colours = image.axes == "CYX" and data.ndim == len("CYX") and data.shape[0] == len("RGB")
    if colours and data.dtype == np.uint8:
        data = np.ascontiguousarray(np.moveaxis(data, 0, -1))
    elif data.ndim != _PLANE_AXES or data.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"a PNG holds one plane of 8 or 16 bits or three channels of 8 bits, not axes {image.axes} of {data.dtype}"
        )
    Picture.fromarray(data).save(path, format="PNG")
