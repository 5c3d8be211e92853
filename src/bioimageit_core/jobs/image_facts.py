"""What wrappers may ask of an image before they take it: its axes, its size, its type; read from the header alone."""

from __future__ import annotations

import json
import os
from typing import Any

from bioimageit_core.containers import Tool

__all__ = ["asks_for_facts", "image_facts"]

_TIFF = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
_PICTURES = (".png", ".jpg", ".jpeg")
_NAMES = {"X": "width", "Y": "height", "C": "channels", "S": "channels", "Z": "depth", "T": "frames"}


def asks_for_facts(tool: Tool) -> bool:
    """Say whether a wrapper checks its inputs, or tells its command what they are."""
    from bioimageit_core.core.wrappers.containers import definition_of
    from bioimageit_core.core.wrappers.model import walk_params

    definition = definition_of(tool)
    if any(param.is_data and param.validators for _, param in walk_params(definition.members)):
        return True
    texts = [definition.command, *(config.text for config in definition.config_files)]
    return any(".metadata." in text for text in texts)


def image_facts(path: str) -> dict[str, str]:
    """Read what Galaxy calls the metadata of an image: ``axes``, ``dtype`` and the lengths of its axes.

    TIFF, PNG, JPEG and OME-Zarr are known; empty for others, and where the file or its reader is not there.
    An axis that the image lacks has length 1; lengths of several series are those of the first.

    Notes
    -----
    The names are those of Galaxy's datatype ``image`` (``width height channels depth frames axes dtype``).
    """
    if path.lower().endswith(_PICTURES) and os.path.isfile(path):
        from bioimageit_core.core.wrappers.probe import probe

        return {name: str(value) for name, value in probe(path)[0].items()}
    if os.path.isdir(path):
        return _zarr_facts(path)
    if not path.lower().endswith(_TIFF) or not os.path.isfile(path):
        return {}
    try:
        import tifffile

        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            facts = {"axes": str(series.axes), "dtype": str(series.dtype)}
            lengths = dict.fromkeys(_NAMES.values(), 1)
            for axis, length in zip(series.axes, series.shape, strict=True):
                if axis in _NAMES:
                    lengths[_NAMES[axis]] *= int(length)
    except Exception:  # noqa: BLE001 - readers of broken files raise anything; the tool will say what it thinks of it
        return {}
    return facts | {name: str(length) for name, length in lengths.items()}


def _zarr_facts(path: str) -> dict[str, str]:
    """Read the facts of an OME-Zarr image (0.4 or 0.5): axes, and the finest level's shape and type."""
    try:
        group = _document(path, "zarr.json", ".zattrs")
        attributes = group.get("attributes", group)
        pyramid = attributes.get("ome", attributes)["multiscales"][0]
        array = _document(os.path.join(path, pyramid["datasets"][0]["path"]), "zarr.json", ".zarray")
        axes = "".join(axis["name"].upper() for axis in pyramid["axes"])
        lengths = dict.fromkeys(_NAMES.values(), 1)
        lengths |= {_NAMES[a]: int(n) for a, n in zip(axes, array["shape"], strict=True) if a in _NAMES}
        kind = str(array["data_type"] if "data_type" in array else _name_of_type(array["dtype"]))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return {}
    return {"axes": axes, "dtype": kind, **{name: str(length) for name, length in lengths.items()}}


def _name_of_type(code: str) -> str:
    """Give the name of a type that Zarr 2 writes as ``<u2``."""
    kind = {"u": "uint", "i": "int", "f": "float", "c": "complex", "b": "bool"}[code[1]]
    return kind if kind == "bool" else f"{kind}{8 * int(code[2:])}"


def _document(folder: str, *names: str) -> dict[str, Any]:
    name = next((name for name in names if os.path.isfile(os.path.join(folder, name))), names[0])
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        found = json.load(file)
    if not isinstance(found, dict):
        raise TypeError(name)
    return found
