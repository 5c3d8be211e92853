"""TIFF: OME-TIFF, the dialect of ImageJ, and plain, by tifffile."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bioimageit_core.images.lazy import FileArray, axis_order, canonical, lengths_of
from bioimageit_core.images.model import AXES, RGB, Channel, ImageFacts, ImageReadError, OpenImage, stated
from bioimageit_core.images.omexml import image_statements

__all__ = ["MAGIC", "facts", "open_"]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ALPHA = {2: 1, 4: 1}  # samples of a pixel: how many of them are opacity


def facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what a TIFF says of one of its images; resolution alone is no pixel size: printers' programs write it.

    Raises
    ------
    ImageReadError
        The file is cut off, damaged, or has no such scene.
    """
    with _opened(path) as tif:
        return _facts(path, tif, scene)


def open_(path: str, scene: int = 0) -> OpenImage:
    """Open one of the images of a TIFF, with all its resolutions."""
    with _opened(path) as tif:
        found = _facts(path, tif, scene)
        series = tif.series[scene]
        names = axis_order(path, _axes(tif, scene), series.shape)
        levels = []
        for number, level in enumerate(series.levels):
            page = level.keyframe
            array = FileArray(_pixels, (path, scene, number), level.shape, level.dtype)
            levels.append(canonical(path, array, names, _chunks(level, page), _opacity(names, level.shape)))
    return OpenImage(found, levels)


def _opacity(names: str, shape: tuple[int, ...]) -> int:
    return _ALPHA.get(shape[names.index("S")], 0) if "S" in names else 0


def _chunks(level: Any, page: Any) -> list[int]:
    """Return what is read at once: a page, or of a page with tiles several of them."""
    chunks = [1] * len(level.shape)
    inner = page.shape
    chunks[len(level.shape) - len(inner) :] = list(inner)
    if page.is_tiled:
        for axis, length in (("Y", page.tilelength), ("X", page.tilewidth)):
            if axis in level.axes:
                chunks[level.axes.index(axis)] = length * max(1, 1024 // length)
    return chunks


def _pixels(path: str, scene: int, level: int) -> tuple[Any, Callable[[], None]]:
    import tifffile
    import zarr

    tif = tifffile.TiffFile(path)
    try:
        series = tif.series[scene]
        is_tiled = series.levels[level].keyframe.is_tiled
        store = series.aszarr(level=level, chunkmode=0 if is_tiled else 2)
        return zarr.open_array(store, mode="r"), tif.close
    except BaseException:
        tif.close()
        raise


def _facts(path: str, tif: Any, scene: int) -> ImageFacts:
    import tifffile

    if not 0 <= scene < len(tif.series):
        raise ImageReadError(path, f"no scene {scene}: it has {len(tif.series)} (counted from 0)")
    series = tif.series[scene]
    _refuse_truncated(path, tif, series)
    axes, lengths = lengths_of(axis_order(path, _axes(tif, scene), series.shape), series.shape)
    samples = int(series.shape[series.axes.upper().index("S")]) if "S" in series.axes.upper() else 1
    said, names = _statements(path, tif, scene)
    lengths["C"] -= _ALPHA.get(samples, 0) * (lengths["C"] // samples)
    sizes, units = stated(said.pop("pixel_sizes", {}), said.pop("units", {}), axes)
    channels = said.pop("channels", ())
    is_rgb = samples >= 3 and lengths["C"] == 3
    if is_rgb and len(channels) != 3:  # OME counts the samples as one channel
        channels = RGB
    return ImageFacts(
        axes if lengths["C"] > 1 or samples == 1 else axes.replace("C", ""),
        lengths,
        str(series.dtype),
        sizes,
        units,
        channels if len(channels) == lengths["C"] else (),
        scenes=names,
        scene=scene,
        is_rgb=is_rgb,
        reader="tifffile",
        version=tifffile.__version__,
        **said,
    )


def _axes(tif: Any, scene: int) -> str:
    """Return the axes of a series; one that OME calls a part of another (as phases along T) is that one."""
    series = tif.series[scene]
    axes = str(series.axes).upper()
    if not tif.is_ome or set(axes) <= {*AXES, "S"}:
        return axes
    with contextlib.suppress(ValueError, IndexError, KeyError):
        lengths = image_statements(tif.ome_metadata or "")[scene]["lengths"]
        for name, length in zip(axes, series.shape, strict=True):
            whole = [axis for axis in "TZC" if axis not in axes and lengths[axis] == length]
            if name not in (*AXES, "S") and whole:
                axes = axes.replace(name, whole[0])
    return axes


def _statements(path: str, tif: Any, scene: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what the file says of a scene, and the names of all."""
    names = tuple(series.name or f"{number}" for number, series in enumerate(tif.series))
    if tif.is_ome:
        try:
            images = image_statements(tif.ome_metadata or "")
        except ValueError as error:
            raise ImageReadError(path, f"damaged: {error}") from error
        said = images[scene] if scene < len(images) and len(images) == len(tif.series) else {}
        return {key: value for key, value in said.items() if key not in ("lengths", "dtype")}, names
    return (_imagej(tif) if tif.is_imagej and not scene else {}), names


def _imagej(tif: Any) -> dict[str, Any]:
    from bioimageit_core.toolbox.imaging.reading import imagej_facts

    said = imagej_facts(tif)
    channels = tuple(Channel(name) for name in said.get("channels", ()))
    return {"pixel_sizes": said["sizes"], "units": said["units"], "channels": channels}


def _refuse_truncated(path: str, tif: Any, series: Any) -> None:
    """Refuse a file that ends before its pixels do: some readers fill what is missing with zeros."""
    if tif.is_imagej:
        from bioimageit_core.toolbox.imaging.image import ImageError
        from bioimageit_core.toolbox.imaging.reading import refuse_truncated

        try:
            refuse_truncated(Path(path), tif)
        except ImageError as error:
            raise ImageReadError(path, str(error).partition(": ")[2]) from error
        return
    size = os.path.getsize(path)
    last = series.pages[len(series.pages) - 1]  # the others are looked at when they are read
    if last is None:
        raise ImageReadError(path, "truncated: planes that its metadata announce are missing")
    for page in (series.keyframe, last):
        parent = page.parent if hasattr(page, "parent") else tif
        limit = size if parent is tif else parent.filehandle.size
        end = max((o + c for o, c in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
        if end > limit:
            raise ImageReadError(path, f"truncated: the file has {limit} bytes, its pixels end at {end}")


@contextlib.contextmanager
def _opened(path: str) -> Any:
    import tifffile

    logging.getLogger("tifffile").addFilter(_quiet)
    try:
        with tifffile.TiffFile(path) as tif:
            if not tif.series:
                raise ImageReadError(path, "the TIFF holds no image")
            yield tif
    except ImageReadError:
        raise
    except OSError as error:
        raise ImageReadError(path, error.strerror or str(error)) from error
    except Exception as error:  # readers of broken files raise anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ImageReadError(path, f"damaged or not a TIFF that can be read: {reason}") from error
    finally:
        logging.getLogger("tifffile").removeFilter(_quiet)


def _quiet(record: logging.LogRecord) -> bool:
    return record.levelno > logging.ERROR  # what is wrong is raised; the library's log is for its developers
