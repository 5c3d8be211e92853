"""Local files of data, for services that neither download nor show them."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bioimageit_core.core.exceptions import DataServiceError, NotFoundError, UnsupportedError

if TYPE_CHECKING:
    from bioimageit_core.containers import Data
    from bioimageit_core.core.formats import Format

__all__ = ["copy_data", "local_path", "read_data"]


def local_path(uri: str) -> str:
    """Return the local path that a URI means; empty where it means something else.

    Examples
    --------
    >>> local_path("file:///a/b%20c.tif"), local_path("s3://bucket/x.tif")
    ('/a/b c.tif', '')
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return unquote(parts.path)
    return "" if "://" in uri else uri


def copy_data(data: Data, destination: str, plugin: str) -> str:
    """Copy a data that is a local file, or directory, to `destination`; return where it is then.

    Raises
    ------
    UnsupportedError
        The data is no local file.
    NotFoundError
        The file is not there.
    DataServiceError
        It cannot be copied, or something is at `destination` already.
    """
    source = local_path(data.uri)
    if not source:
        raise UnsupportedError(plugin, f"download {data.name!r} from {data.uri!r}")
    if not os.path.exists(source):
        raise NotFoundError("file", source)
    target = os.path.join(destination, os.path.basename(source)) if os.path.isdir(destination) else destination
    if os.path.lexists(target):
        raise DataServiceError(f"{target!r} is there already; choose another destination")
    partial = f"{target}.part"
    try:
        (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, partial)
        os.replace(partial, target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True) if os.path.isdir(partial) else _remove(partial)
        raise DataServiceError(f"{data.name!r} cannot be copied to {target!r}: {error.strerror or error}") from error
    return target


def read_data(uri: str, format_: Format) -> Any:
    """Read a local file by the reader that its format names: a lazy array, or a table as a pandas DataFrame.

    An image is an `xarray.DataArray` of dask with those of the axes TCZYX that it has.

    Raises
    ------
    UnsupportedError
        Nothing here reads that format, or the library for it is not installed.
    DataServiceError
        The file cannot be read.
    """
    path = local_path(uri)
    if not path:
        raise UnsupportedError("this machine", f"read {uri!r}: it is no local file")
    if not os.path.exists(path):
        raise NotFoundError("file", path)
    readers = {
        **dict.fromkeys(("imagetiff", "imagezarr", "imagepng", "imagejpeg", "bioformat"), _read_image),
        "tablecsv": _read_csv,
        "tabletsv": _read_tsv,
        "arraycsv": _read_csv,
        "numbercsv": _read_csv,
    }
    reader = readers.get(format_.reader)
    if reader is None:
        raise UnsupportedError("this machine", f"read the format {format_.name!r} (reader {format_.reader!r})")
    try:
        return reader(path)
    except UnsupportedError:
        raise
    except ImportError as error:
        hint = "pip install 'bioimageit-core[toolbox]'"
        raise UnsupportedError("this machine", f"read {path!r}: {error.name} is not installed ({hint})") from error
    except Exception as error:
        raise DataServiceError(f"{path!r} cannot be read as {format_.name}: {error}") from error


def _read_image(path: str) -> Any:
    from bioimageit_core.images.reading import open_image

    image = open_image(path)
    missing = [axis for axis in "TCZ" if axis not in image.facts.axes]
    return image.data.squeeze(missing, drop=True)


def _read_csv(path: str) -> Any:
    import pandas

    return pandas.read_csv(path)


def _read_tsv(path: str) -> Any:
    import pandas

    return pandas.read_csv(path, sep="\t")


def _remove(path: str) -> None:
    if os.path.lexists(path):
        os.remove(path)
