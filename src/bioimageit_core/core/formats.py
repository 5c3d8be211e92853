"""The formats of data: their names, their file extensions, and who reads and shows them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bioimageit_core.core.config import read_json
from bioimageit_core.core.exceptions import ConfigError, FormatError

__all__ = ["DEFAULT_FORMATS_FILE", "Format", "FormatTable", "load_formats"]

DEFAULT_FORMATS_FILE = os.path.join(os.path.dirname(__file__), "formats.json")

_FIELDS = ("name", "extension", "reader", "viewer")


@dataclass(frozen=True)
class Format:
    """A format of data.

    Attributes
    ----------
    extension
        What the name of a new file of this format ends with, without the dot; empty where that differs.
    reader, viewer
        Names of who reads and who shows it.
    extensions
        What names of files of this format may end with too.
    """

    name: str
    extension: str = ""
    reader: str = ""
    viewer: str = ""
    extensions: tuple[str, ...] = ()


class FormatTable:
    """The formats that are known, in the order of their table.

    Examples
    --------
    >>> table = FormatTable([Format("imagetiff", "tif", extensions=("ome.tif",)), Format("tablecsv", "csv")])
    >>> table.detect("a/cell_01.OME.TIF").name
    'imagetiff'
    """

    def __init__(self, formats: Iterable[Format]) -> None:
        self._formats = {format_.name: format_ for format_ in formats}

    def __iter__(self) -> Iterator[Format]:
        return iter(self._formats.values())

    def __contains__(self, name: object) -> bool:
        return name in self._formats

    def names(self) -> list[str]:
        """List the names of the formats."""
        return list(self._formats)

    def get(self, name: str) -> Format:
        """Return the format of a name.

        Raises
        ------
        FormatError
            There is no such format; the message lists those known.
        """
        try:
            return self._formats[name]
        except KeyError:
            similar = difflib.get_close_matches(name, self._formats, n=2, cutoff=0.5)
            guess = f": did you mean {' or '.join(similar)}?" if similar else ""
            message = f"unknown format {name!r}{guess} (known: {', '.join(self._formats)})"
            raise FormatError(message) from None

    def detect(self, path: str) -> Format | None:
        """Guess the format of a file from its name; of several the longest extension, then the first of the table.

        A directory may end with a separator. None where no format has the extension.
        """
        file_name = os.path.basename(path.replace("\\", "/").rstrip("/")).lower()
        best: tuple[int, Format | None] = (0, None)
        for format_ in self:
            for extension in (format_.extension, *format_.extensions):
                if extension and file_name.endswith(f".{extension.lower()}") and len(extension) > best[0]:
                    best = (len(extension), format_)
        return best[1]


def load_formats(path: str = "") -> FormatTable:
    """Read a table of formats; the one that comes with the package for ``''``.

    Raises
    ------
    ConfigError
        The file cannot be read, or an entry of it is wrong.
    """
    file = path or DEFAULT_FORMATS_FILE
    document = read_json(file, "formats file")
    entries = document.get("formats") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ConfigError(f"formats file {file}: expected an object with a list 'formats'")
    formats = [_read_format(entry, f"formats file {file}: formats[{index}]") for index, entry in enumerate(entries)]
    names = [format_.name for format_ in formats]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"formats file {file}: {', '.join(twice)} stands in it twice")
    return FormatTable(formats)


def _read_format(entry: Any, where: str) -> Format:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: expected an object with {', '.join(_FIELDS)}, got {entry!r}")
    values = {field: entry.get(field, "") for field in _FIELDS}
    for field, value in values.items():
        if not isinstance(value, str):
            raise ConfigError(f"{where}: field {field!r}: expected a string, got {value!r}")
    if not values["name"]:
        raise ConfigError(f"{where}: field 'name' is missing or empty")
    more = entry.get("extensions", [])
    if not isinstance(more, list) or not all(isinstance(extension, str) for extension in more):
        raise ConfigError(f"{where}: field 'extensions': expected a list of strings, got {more!r}")
    extensions = tuple(extension.lstrip(".") for extension in more)
    return Format(values["name"], values["extension"].lstrip("."), values["reader"], values["viewer"], extensions)
