"""Annotations that stand in the names of the data."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bioimageit_core.core.exceptions import DataServiceError

__all__ = ["NamePositionError", "stem_of", "value_from_name", "value_using_separator"]

_EXTENSION = re.compile(r"(\.ome)?\.[A-Za-z][A-Za-z0-9]{0,7}(\.(gz|bz2|xz|zip))?", re.IGNORECASE)


class NamePositionError(DataServiceError, ValueError):
    """A name that has no part at a position."""

    def __init__(self, name: str, separator: str, position: int, parts: int) -> None:
        super().__init__(name, separator, position, parts)
        self.name = name
        self.separator = separator
        self.position = position
        self.parts = parts

    def __str__(self) -> str:
        has = "1 part" if self.parts == 1 else f"{self.parts} parts"
        return f"{self.name!r} has {has} between {self.separator!r}, counted from 0: none at {self.position}"


def value_from_name(name: str, values: Iterable[str]) -> str | None:
    """Return which of some values occurs in a name, or None.

    A value that stands there by itself, between other characters than letters and digits, goes before one that is part
    of a word; a longer one before a shorter; then the first of `values`.

    Examples
    --------
    >>> value_from_name("population_p10_3.tif", ["p1", "p10", "p"])
    'p10'
    >>> value_from_name("p1_p10x.tif", ["p1", "p10"])
    'p1'
    """
    inside = [value for value in values if value and value in name]
    alone = [value for value in inside if _stands_alone(name, value)]
    return max(alone or inside, key=len, default=None)


def value_using_separator(name: str, separator: str, position: int) -> str:
    """Return one of the parts that a separator makes of a name without its extension.

    Parameters
    ----------
    position
        Which part, from 0; negative counts from the end, -1 is the last.

    Raises
    ------
    NamePositionError
        The name has no part there.
    DataServiceError
        The separator is empty.

    Examples
    --------
    >>> value_using_separator("01_POS002_D.TIF", "_", 1)
    'POS002'
    >>> value_using_separator("01_POS002_D.TIF", "_", -1)
    'D'
    """
    if not separator:
        raise DataServiceError("the separator is empty: say what stands between the parts of the names, such as '_'")
    parts = stem_of(name).split(separator)
    if not -len(parts) <= position < len(parts):
        raise NamePositionError(name, separator, position, len(parts))
    return parts[position]


def stem_of(name: str) -> str:
    """Return a name without its extension, ``.ome.tif`` and ``.tif.gz`` being one; ``v1.5`` has none.

    Examples
    --------
    >>> stem_of("a.b.ome.tif"), stem_of("plate 1.5"), stem_of("x.nii.gz")
    ('a.b', 'plate 1.5', 'x')
    """
    for start, character in enumerate(name):
        if character == "." and start > 0 and _EXTENSION.fullmatch(name, start):
            return name[:start]
    return name


def _stands_alone(name: str, value: str) -> bool:
    before = "(?<![^\\W_])" if value[0].isalnum() else ""
    after = "(?![^\\W_])" if value[-1].isalnum() else ""
    return re.search(f"{before}{re.escape(value)}{after}", name) is not None
