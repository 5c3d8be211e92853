"""What wrappers may ask of an image before they take it: its axes, its size, its type; read from the header alone."""

from __future__ import annotations

import os

from bioimageit_core.containers import Tool

__all__ = ["asks_for_facts", "image_facts"]

_TIFF = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
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

    Empty where the file is no TIFF, cannot be read, or tifffile is not installed. An axis that the image lacks has
    length 1; lengths of several series are those of the first.

    Notes
    -----
    The names are those of Galaxy's datatype ``image`` (``width height channels depth frames axes dtype``).
    """
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
