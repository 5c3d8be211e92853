"""What results are called: ``{output}_{what it was made from}``, such as ``labels_cell01``."""

from __future__ import annotations

import re
from collections.abc import Collection

from bioimageit_core.containers import Data, ProcessedData

__all__ = ["sort_key", "stem_of", "unique_name"]

# an extension begins with a letter: the ".5um" of "depth_1.5um" is none
_EXTENSION = re.compile(r"(?i)(?:\.ome)?\.(?:[a-z][a-z0-9]{0,5}|7z)$")
_LONGEST = 150  # characters; names that a file system can hold, with a prefix, a number and an extension


def stem_of(data: Data) -> str:
    """Name a data without its extension and without the output's name that was put before it.

    Examples
    --------
    >>> stem_of(Data(name="cell 01.ome.tif")), stem_of(Data(name="depth_1.5um"))
    ('cell 01', 'depth_1.5um')
    >>> stem_of(ProcessedData(name="labels_cell01", output={"name": "labels", "label": "Labels"}))
    'cell01'
    """
    name = _EXTENSION.sub("", data.name) or data.name
    if isinstance(data, ProcessedData):
        made_as = data.output.get("name", "")
        if made_as and name.startswith(f"{made_as}_") and len(name) > len(made_as) + 1:
            name = name[len(made_as) + 1 :]
    return name[:_LONGEST]


def sort_key(data: Data) -> tuple[list[tuple[int, str]], str, str]:
    """Order data as people count: by stem, its numbers by their value.

    Examples
    --------
    >>> [data.name for data in sorted([Data(name="t10.tif"), Data(name="t9.tif")], key=sort_key)]
    ['t9.tif', 't10.tif']
    """
    parts = re.split(r"([0-9]+)", stem_of(data).lower())
    return [(int(part) if part.isdecimal() else -1, part) for part in parts], data.name, data.uuid


def unique_name(name: str, taken: Collection[str]) -> str:
    """Give `name`, or the first of ``name_2``, ``name_3`` … that is not taken, whatever the case.

    `taken` holds lower-case names: names that differ in their case alone share a file on some systems.

    Examples
    --------
    >>> unique_name("Labels_a", {"labels_a", "labels_a_2"})
    'Labels_a_3'
    """
    if name.lower() not in taken:
        return name
    number = 2
    while f"{name}_{number}".lower() in taken:
        number += 1
    return f"{name}_{number}"
