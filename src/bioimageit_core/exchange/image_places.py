"""Where each image of an experiment goes in an export: beside each other, or on a plate by their annotations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.paths import storable_name

__all__ = ["Plate", "Well", "free_name", "plate_of", "well_of"]

_WELL = re.compile(r"\s*([A-Za-z]{1,2})\s*[-_ ]?\s*0*(\d{1,3})\s*")


@dataclass(frozen=True, order=True)
class Well:
    """A well of a plate: a row such as ``B``, and a column from 1."""

    row: str
    column: int

    @property
    def path(self) -> str:
        """Its group in a plate of OME-Zarr."""
        return f"{self.row}/{self.column}"


@dataclass
class Plate:
    """The wells that an experiment has images of, and the names of the fields of each."""

    fields: dict[Well, list[str]] = field(default_factory=dict)

    def add(self, well: Well) -> str:
        """Return the path of the next field of a well."""
        fields = self.fields.setdefault(well, [])
        fields.append(str(len(fields)))
        return f"{well.path}/{fields[-1]}"

    def keep(self, is_there: Callable[[str], bool]) -> None:
        """Forget fields, and wells, that could not be written."""
        kept = {
            well: [each for each in names if is_there(f"{well.path}/{each}")] for well, names in self.fields.items()
        }
        self.fields = {well: names for well, names in kept.items() if names}

    def metadata(self, name: str, version: str) -> dict[str, Any]:
        """Return what the group of the plate says (OME-Zarr, ``plate``)."""
        rows = sorted({well.row for well in self.fields}, key=lambda row: (len(row), row))
        columns = sorted({well.column for well in self.fields})
        wells = [
            {"path": well.path, "rowIndex": rows.index(well.row), "columnIndex": columns.index(well.column)}
            for well in sorted(self.fields)
        ]
        said: dict[str, Any] = {
            "name": name,
            "rows": [{"name": row} for row in rows],
            "columns": [{"name": str(column)} for column in columns],
            "wells": wells,
            "field_count": max(map(len, self.fields.values())),
        }
        return {"plate": said | {"version": version}}

    def well_metadata(self, well: Well, version: str) -> dict[str, Any]:
        """Return what the group of a well says."""
        said: dict[str, Any] = {"images": [{"path": name} for name in self.fields[well]]}
        return {"well": said | {"version": version}}


def well_of(pairs: Mapping[str, Any]) -> Well | None:
    """Find the well that annotations tell of: keys ``row`` and ``column`` (or ``col``), or ``well``, in any case.

    Examples
    --------
    >>> well_of({"Row": "b", "Column": "03"}), well_of({"Well": "H12"}), well_of({"row": "2", "col": 4})
    (Well(row='B', column=3), Well(row='H', column=12), Well(row='B', column=4))
    >>> well_of({"row": "b"}) is None
    True
    """
    found = {key.strip().lower(): str(value).strip() for key, value in pairs.items()}
    row, column = found.get("row", ""), found.get("column", "") or found.get("col", "")
    if row.isdecimal() and 1 <= int(row) <= 26:
        row = chr(ord("A") + int(row) - 1)
    text = f"{row}{column}" if row and column else found.get("well", "")
    match = _WELL.fullmatch(text)
    return Well(match[1].upper(), int(match[2])) if match and int(match[2]) else None


def plate_of(wells: Sequence[Well | None]) -> Plate | None:
    """Return an empty plate if there are wells to put on it."""
    return Plate() if any(wells) else None


def free_name(name: str, suffix: str, taken: set[str]) -> str:
    """Return a file name that is storable everywhere, ends with `suffix` and is not taken yet; then it is."""
    stem = storable_name(name)
    for ending in (".ome.zarr", ".zarr", ".ome.tiff", ".ome.tif", ".tiff", ".tif"):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
            break
    else:
        stem = stem.rpartition(".")[0] or stem
    number, found = 1, f"{stem}{suffix}"
    while found.lower() in taken:
        number += 1
        found = f"{stem}_{number}{suffix}"
    taken.add(found.lower())
    return found
