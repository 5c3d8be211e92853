"""OME-Zarr 0.4 and 0.5 (images, labels, plates, collections of converted files) and plain Zarr arrays, by zarr."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bioimageit_core.images.lazy import axis_order, canonical, lengths_of
from bioimageit_core.images.model import Channel, ImageFacts, ImageReadError, OpenImage, stated

__all__ = ["facts", "is_zarr", "open_"]

_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def is_zarr(path: str) -> bool:
    """Say whether a directory is a Zarr group or array, of format 2 or 3."""
    return os.path.isdir(path) and any(os.path.isfile(os.path.join(path, mark)) for mark in _MARKS)


def facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what an OME-Zarr says of one of its images; those of a plate are its fields, well by well.

    Raises
    ------
    ImageReadError
        It is no image that can be read, or has no such scene.
    """
    return _Store(path, scene).facts()


def open_(path: str, scene: int = 0) -> OpenImage:
    """Open one of the images of an OME-Zarr, with all its resolutions."""
    return _Store(path, scene).open()


class _Store:
    """One image of a store: its group, arrays and attributes."""

    def __init__(self, path: str, scene: int) -> None:
        import zarr

        self.path, self.scene = path, scene
        try:
            root: Any = zarr.open(path, mode="r")
            self.scenes = list(_scenes(root)) if isinstance(root, zarr.Group) else [""]
            if not 0 <= scene < len(self.scenes):
                raise ImageReadError(path, f"no scene {scene}: it has {len(self.scenes)} (counted from 0)")
            inner = self.scenes[scene]
            node: Any = root[inner] if inner else root
            self.said = _ome(node) if isinstance(node, zarr.Group) else {}
            scale = (self.said.get("multiscales") or [{}])[0]
            levels = [level["path"] for level in scale.get("datasets", ())]
            is_group = isinstance(node, zarr.Group)
            self.arrays: list[Any] = [node[name] for name in levels or ["0"]] if is_group else [node]
        except ImageReadError:
            raise
        except Exception as error:  # of stores that are damaged zarr says so in many ways
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise ImageReadError(path, f"not an OME-Zarr image that can be read: {reason}") from error
        self.scale = scale
        shape = self.arrays[0].shape
        given = "".join(_axis_name(axis) for axis in scale.get("axes", ()))
        default = "TCZYX"[-len(shape) :] if len(shape) <= 5 else "?" * len(shape)
        self.names = axis_order(path, given if len(given) == len(shape) else default, shape)

    def facts(self) -> ImageFacts:
        import zarr

        array = self.arrays[0]
        axes, lengths = lengths_of(self.names, array.shape)
        sizes, units = stated(*self._pixel_sizes(), axes)
        said = (self.said.get("omero") or {}).get("channels") or ()
        channels = tuple(Channel(str(each.get("label", "")), _color(each.get("color"))) for each in said)
        return ImageFacts(
            axes,
            lengths,
            str(array.dtype),
            sizes,
            units,
            channels if len(channels) == lengths["C"] else (),
            str(self.scale.get("name", "")),
            scenes=tuple(self.scenes),
            scene=self.scene,
            is_labels="image-label" in self.said,
            reader="zarr",
            version=zarr.__version__,
        )

    def open(self) -> OpenImage:
        return OpenImage(self.facts(), [canonical(self.path, each, self.names, each.chunks) for each in self.arrays])

    def _pixel_sizes(self) -> tuple[dict[str, float], dict[str, str]]:
        from bioimageit_core.toolbox.imaging.zarr_store import SHORT_UNITS

        axes = self.scale.get("axes", ())
        first = (self.scale.get("datasets") or [{}])[0]
        factors = [1.0] * len(axes)
        for transform in (
            *first.get("coordinateTransformations", ()),
            *self.scale.get("coordinateTransformations", ()),
        ):
            if transform.get("type") == "scale" and len(transform.get("scale", ())) == len(axes):
                factors = [a * float(b) for a, b in zip(factors, transform["scale"], strict=True)]
        sizes, units = {}, {}
        for axis, factor in zip(axes, factors, strict=True):
            if isinstance(axis, Mapping) and axis.get("unit"):
                name = str(axis["name"]).upper()
                sizes[name], units[name] = factor, SHORT_UNITS.get(str(axis["unit"]), str(axis["unit"]))
        return sizes, units


def _ome(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    said = attributes.get("ome", attributes)
    return dict(said) if isinstance(said, Mapping) else {}


def _scenes(root: Any) -> Iterator[str]:
    """Give the paths of the images in a group: itself, the fields of a plate, or the parts of a converted file."""
    said = _ome(root)
    if "multiscales" in said:
        yield ""
    elif "plate" in said:
        for well in said["plate"].get("wells", ()):
            inner = _safe(well["path"])
            for image in _ome(root[inner]).get("well", {}).get("images", ()):
                yield f"{inner}/{_safe(image['path'])}"
    elif "bioformats2raw.layout" in said:
        series = _ome(root["OME"]).get("series") if "OME" in root else None
        yield from map(_safe, series or sorted((name for name, _ in root.groups() if name.isdecimal()), key=int))
    else:
        yield ""


def _safe(path: Any) -> str:
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", str(path)) or ".." in str(path).split("/"):
        raise ValueError(f"the path {path!r} leaves the store")
    return str(path)


def _axis_name(axis: Any) -> str:
    name = str(axis["name"] if isinstance(axis, Mapping) else axis)
    return name if len(name) == 1 else "?"


def _color(text: Any) -> str:
    found = re.fullmatch(r"#?([0-9A-Fa-f]{6})(?:[0-9A-Fa-f]{2})?", str(text))
    return found[1].upper() if found else ""
