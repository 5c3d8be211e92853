"""Galaxy's datatypes beside the names of the format table: one small table, and what is a kind of what."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "KNOWN_DATATYPES",
    "Datatype",
    "accepts",
    "datatype",
    "datatype_of_file",
    "extension_of",
    "format_of",
    "is_kind_of",
]


@dataclass(frozen=True)
class Datatype:
    """A datatype of Galaxy.

    Attributes
    ----------
    name
        What wrappers call it; `InputFile` may carry this name instead of a format's.
    format
        Name in the format table.
    extension
        Of files of it, without a dot.
    parent
        The datatype that it is a kind of; empty for the top.
    """

    name: str
    format: str
    extension: str
    parent: str = "data"


def _rows() -> Iterable[Datatype]:
    yield Datatype("data", "raw", "dat", "")
    yield Datatype("binary", "raw", "bin")
    yield Datatype("text", "raw", "txt")
    yield Datatype("txt", "raw", "txt", "text")
    yield Datatype("image", "imagetiff", "tif", "binary")
    yield Datatype("tiff", "imagetiff", "tif", "image")
    yield Datatype("ome.tiff", "imagetiff", "ome.tif", "tiff")
    yield Datatype("tf2", "imagetiff", "tf2", "tiff")
    yield Datatype("tf8", "imagetiff", "tf8", "tiff")
    yield Datatype("qptiff", "imagetiff", "qptiff", "tiff")
    yield Datatype("png", "imagepng", "png", "image")
    yield Datatype("jpg", "imagejpeg", "jpg", "image")
    yield Datatype("jpeg", "imagejpeg", "jpg", "jpg")
    for name in ("bmp", "gif", "im", "pcd", "pcx", "ppm", "psd", "xbm", "xpm", "rgb", "pbm", "pgm", "eps", "rast"):
        yield Datatype(name, "bioformat", name, "image")
    for name in ("czi", "nd2", "lif", "mrc", "dm3", "dm4", "vms", "svs", "ndpi", "scn", "bif", "mirax", "hamamatsu"):
        yield Datatype(name, "bioformat", name, "image")
    for name in ("dv", "ims", "lsm", "mrcs", "oib", "oif", "oir", "r3d", "sld", "stk", "vsi"):  # unknown to Galaxy
        yield Datatype(name, "bioformat", name, "image")
    yield Datatype("nrrd", "raw", "nrrd", "image")
    yield Datatype("nii1", "raw", "nii", "image")
    yield Datatype("nii1.gz", "raw", "nii.gz", "image")
    yield Datatype("dicom", "raw", "dcm", "image")
    yield Datatype("dcm", "raw", "dcm", "dicom")
    yield Datatype("star", "raw", "star", "txt")
    yield Datatype("zarr", "imagezarr", "zarr", "directory")
    yield Datatype("ome_zarr", "imagezarr", "ome.zarr", "zarr")
    yield Datatype("directory", "raw", "", "data")
    yield Datatype("tabular", "tabletsv", "tsv", "text")
    yield Datatype("tsv", "tabletsv", "tsv", "tabular")
    yield Datatype("csv", "tablecsv", "csv", "tabular")
    yield Datatype("bed", "tabletsv", "bed", "tabular")
    yield Datatype("interval", "tabletsv", "interval", "tabular")
    yield Datatype("json", "json", "json", "txt")
    yield Datatype("geojson", "json", "geojson", "json")
    yield Datatype("xml", "raw", "xml", "text")
    yield Datatype("trackmatemodel", "trackmatemodel", "xml", "xml")
    yield Datatype("html", "raw", "html", "text")
    yield Datatype("markdown", "raw", "md", "txt")
    yield Datatype("md", "raw", "md", "markdown")
    yield Datatype("yaml", "raw", "yaml", "txt")
    yield Datatype("yml", "raw", "yml", "yaml")
    yield Datatype("ini", "raw", "ini", "txt")
    yield Datatype("toml", "raw", "toml", "txt")
    yield Datatype("ijm", "raw", "ijm", "txt")
    yield Datatype("cellprofiler", "raw", "cppipe", "txt")
    yield Datatype("pdf", "raw", "pdf", "image")
    yield Datatype("svg", "raw", "svg", "xml")
    yield Datatype("h5", "raw", "h5", "binary")
    yield Datatype("hdf5", "raw", "h5", "h5")
    yield Datatype("h5ad", "raw", "h5ad", "h5")
    yield Datatype("ilp", "raw", "ilp", "h5")
    yield Datatype("keras", "raw", "keras", "h5")
    yield Datatype("h5mlm", "raw", "h5", "h5")
    yield Datatype("npy", "raw", "npy", "binary")
    yield Datatype("npz", "raw", "npz", "binary")
    yield Datatype("zip", "raw", "zip", "binary")
    yield Datatype("tar", "raw", "tar", "binary")
    yield Datatype("tgz", "raw", "tar.gz", "binary")
    yield Datatype("gz", "raw", "gz", "binary")
    yield Datatype("mp4", "raw", "mp4", "binary")
    yield Datatype("avi", "raw", "avi", "binary")
    yield Datatype("xlsx", "raw", "xlsx", "binary")
    yield Datatype("parquet", "raw", "parquet", "binary")
    yield Datatype("sqlite", "raw", "sqlite", "binary")
    yield Datatype("obj", "raw", "obj", "data")
    yield Datatype("stl", "raw", "stl", "data")
    yield Datatype("ply", "raw", "ply", "data")
    yield Datatype("vtk", "raw", "vtk", "data")
    yield Datatype("swc", "raw", "swc", "txt")
    yield Datatype("onnx", "raw", "onnx", "binary")
    yield Datatype("fasta", "raw", "fasta", "text")
    yield Datatype("bioformats", "bioformat", "", "image")


_TABLE = {row.name: row for row in _rows()}

# what a format of the table is for a wrapper of Galaxy's, where the file's name does not say it more exactly
_BY_FORMAT = {
    "imagetiff": "tiff",
    "imagezarr": "zarr",
    "imagepng": "png",
    "imagejpeg": "jpg",
    "tablecsv": "csv",
    "tabletsv": "tabular",
    "arraycsv": "csv",
    "numbercsv": "csv",
    "trackmatemodel": "xml",
    "movietxt": "txt",
    "json": "json",
    "bioformat": "image",
    "raw": "data",
}
_OWN_EXTENSIONS = {
    "imagetiff": "tif",
    "imagezarr": "zarr",
    "imagepng": "png",
    "imagejpeg": "jpg",
    "tablecsv": "csv",
    "tabletsv": "tsv",
    "arraycsv": "csv",
    "numbercsv": "csv",
    "trackmatemodel": "xml",
    "movietxt": "txt",
    "json": "json",
    "raw": "raw",
}
_SUFFIXES = {
    "tif": "tiff",
    "tiff": "tiff",
    "ome.tif": "ome.tiff",
    "ome.tiff": "ome.tiff",
    "jpeg": "jpg",
    "tsv": "tabular",
    "txt": "txt",
    "htm": "html",
    "hdf5": "h5",
    "nii": "nii1",
    "nii.gz": "nii1.gz",
    "tar.gz": "tgz",
    "ome.zarr": "zarr",
    "dat": "data",
}


KNOWN_DATATYPES = frozenset(_TABLE) | frozenset(_BY_FORMAT)


def datatype(name: str) -> Datatype:
    """Give a datatype by its name, in any case; an unknown one is a kind of ``data`` named so.

    Examples
    --------
    >>> datatype("ome.tiff").format, datatype("imagezarr").name
    ('imagetiff', 'zarr')
    """
    key = name.strip().lower()
    found = _TABLE.get(_BY_FORMAT.get(key, key)) or _TABLE.get(_SUFFIXES.get(key, ""))
    return found or Datatype(key, "raw", key, "data")


def format_of(name: str) -> str:
    """Give the name in the format table of a datatype or format.

    Examples
    --------
    >>> format_of("tabular"), format_of("arraycsv")
    ('tabletsv', 'arraycsv')
    """
    key = name.strip().lower()
    return key if key in _BY_FORMAT else datatype(key).format


def extension_of(name: str) -> str:
    """Give the file extension of a datatype or format, without a dot."""
    key = name.strip().lower()
    return _OWN_EXTENSIONS[key] if key in _OWN_EXTENSIONS else datatype(key).extension


def datatype_of_file(path: str, format_: str = "") -> Datatype:
    """Say what a file is for a wrapper: its declared datatype, made exact by the suffix of its name where that agrees.

    Examples
    --------
    >>> datatype_of_file("a.ome.tif", "imagetiff").name
    'ome.tiff'
    """
    by_name = _by_suffix(os.path.basename(path.rstrip("/")))
    if not format_:
        return by_name
    declared = datatype(format_)
    if format_.lower() not in _BY_FORMAT:
        return declared
    if declared.name == "data" or (by_name.name != declared.name and is_kind_of(by_name.name, declared.name)):
        return by_name
    return declared


def _by_suffix(name: str) -> Datatype:
    parts = name.lower().split(".")
    for size in (2, 1):
        suffix = ".".join(parts[-size:])
        if len(parts) > size and (suffix in _SUFFIXES or suffix in _TABLE):
            return datatype(_SUFFIXES.get(suffix, suffix))
    return _TABLE["data"]


def is_kind_of(name: str, other: str) -> bool:
    """Say whether one datatype is another, or a kind of it.

    Examples
    --------
    >>> is_kind_of("ome.tiff", "image"), is_kind_of("csv", "tiff")
    (True, False)
    """
    wanted = datatype(other).name
    current: Datatype | None = datatype(name)
    while current is not None:
        if current.name == wanted:
            return True
        current = _TABLE.get(current.parent) if current.parent else None
    return False


def accepts(formats: Iterable[str], path: str, format_: str = "") -> bool:
    """Say whether an input that accepts `formats` takes a file.

    Examples
    --------
    >>> accepts(["tiff", "png"], "a.ome.tif", "imagetiff"), accepts(["tiff", "bmp"], "a.lif", "bioformat")
    (True, False)
    """
    found = datatype_of_file(path, format_)
    # a format that many kinds of files have says less than a suffix
    is_exact = format_ == "bioformat" and found.name != "image"

    def takes(name: str) -> bool:
        if is_kind_of(found.name, name):
            return True
        return format_of(name) == format_ and not (is_exact and datatype(name).extension)

    wanted = [name for name in formats if name.strip()]
    return not wanted or any(map(takes, wanted))
