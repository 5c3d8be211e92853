"""Which format the files have that nobody names one for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from bioimageit_core.core.exceptions import ConfigError, FormatError
from bioimageit_core.core.formats import FormatTable

__all__ = ["AUTO", "common_format", "format_of"]

AUTO = "auto"
_BY_KIND = {"TIFF": "imagetiff", "Zarr": "imagezarr", "PNG": "imagepng", "JPEG": "imagejpeg"}


def format_of(formats: FormatTable, path: str, format_: str = AUTO) -> str:
    """Return the format that was asked for; for ``auto`` what the name of a file suggests, else its first bytes.

    Raises
    ------
    FormatError
        There is no such format, or nothing suggests one.
    """
    if format_ not in ("", AUTO):
        return formats.get(format_).name
    found = _detected(formats, path)
    if not found:
        what = f"the name {os.path.basename(path)!r} does not tell a format; say which with format_"
        raise FormatError(f"{what} (known: {', '.join(formats.names())})")
    return found


def common_format(formats: FormatTable, paths: Sequence[str]) -> str:
    """Return the format that all files have.

    Raises
    ------
    ConfigError
        There are several, or none.
    """
    found = {path: _detected(formats, path) for path in paths}
    counts = Counter(found.values())
    if len(counts) == 1:
        return format_of(formats, paths[0])
    told = ", ".join(f"{count} {name or 'unknown'}" for name, count in counts.most_common())
    most = next(name for name, _ in counts.most_common() if name)
    suffix = os.path.splitext(next(path for path in paths if found[path] == most))[1].lstrip(".")
    what = f"the files are of several formats ({told}): choose some with the filter, such as '[.]{suffix}$'"
    raise ConfigError(f"{what}, or give each its own with the format 'auto' (known: {', '.join(formats.names())})")


def _detected(formats: FormatTable, path: str) -> str:
    if known := formats.detect(path):
        return known.name
    from bioimageit_core.images.reading import kind_of

    name = _BY_KIND.get(kind_of(os.path.expanduser(path)), "")
    return name if name in formats else ""
