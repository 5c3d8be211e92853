"""Metadata of OME-Zarr, versions 0.4 and 0.5 (https://ngff.openmicroscopy.org), checked by ome-zarr-models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.images.model import AXES, ImageFacts, ImageReadError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["VERSIONS", "attributes", "check", "image_metadata", "labels_metadata", "zarr_format"]

VERSIONS = ("0.5", "0.4")
_KINDS = {"T": "time", "C": "channel"}


def zarr_format(version: str) -> Any:
    """Return the Zarr format that a version of OME-Zarr is written in.

    Raises
    ------
    ImageReadError
        There is no such version here.
    """
    if version not in VERSIONS:
        raise ImageReadError("OME-Zarr", f"version {version!r}: expected {' or '.join(VERSIONS)}")
    return 3 if version == "0.5" else 2


def attributes(version: str, said: Mapping[str, Any], ours: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the attributes of a group; what is ours alone stands under ``bioimageit``."""
    ome = {"ome": {"version": version, **said}} if version == "0.5" else dict(said)
    return ome | ({"bioimageit": dict(ours)} if ours else {})


def image_metadata(
    facts: ImageFacts,
    count: int,
    version: str,
    windows: Sequence[tuple[float, float]] = (),
    colors: Sequence[str] = (),
) -> dict[str, Any]:
    """Return ``multiscales``, and ``omero`` where there are channels to draw; ``image-label`` for labels.

    Parameters
    ----------
    count
        How many resolutions there are; each halves Y and X.
    windows
        Of each channel the values that are drawn black and full.
    colors
        Of each channel, as ``RRGGBB``.
    """
    from bioimageit_core.toolbox.imaging.zarr_store import LONG_UNITS

    axes: list[dict[str, str]] = []
    for axis in AXES:
        entry = {"name": axis.lower(), "type": _KINDS.get(axis, "space")}
        if axis in facts.units:
            entry["unit"] = LONG_UNITS.get(facts.units[axis], facts.units[axis])
        axes.append(entry)
    datasets = [
        {"path": str(level), "coordinateTransformations": _transformations(facts, level)} for level in range(count)
    ]
    scale: dict[str, Any] = {"name": facts.name, "axes": axes, "datasets": datasets}
    scale["type"] = "decimation" if facts.is_labels else "mean"
    if version == "0.4":
        scale["version"] = version
    said: dict[str, Any] = {"multiscales": [scale]}
    if facts.is_labels:
        said["image-label"] = {"source": {"image": "../../"}}
        if version == "0.4":
            said["image-label"]["version"] = version
    elif windows:
        said["omero"] = {"channels": _channels(facts, windows, colors), "rdefs": _drawing(facts)}
        if version == "0.4":
            said["omero"]["version"] = version
    return said


def labels_metadata(names: Sequence[str]) -> dict[str, Any]:
    """Return what the group of label images says."""
    return {"labels": sorted(names)}


def _transformations(facts: ImageFacts, level: int) -> list[dict[str, Any]]:
    step = 2.0**level
    sizes = [facts.pixel_sizes.get(axis, 1.0) for axis in AXES]
    scale = [size * (step if axis in "YX" else 1.0) for axis, size in zip(AXES, sizes, strict=True)]
    found: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if level and not facts.is_labels:  # the mean of pixels lies between them
        shift = [size * (step - 1) / 2 if axis in "YX" else 0.0 for axis, size in zip(AXES, sizes, strict=True)]
        found.append({"type": "translation", "translation": shift})
    return found


def _channels(facts: ImageFacts, windows: Sequence[tuple[float, float]], colors: Sequence[str]) -> list[dict[str, Any]]:
    import numpy as np

    dtype = np.dtype(facts.dtype)
    limits = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else None
    channels = []
    for number, ((low, high), color) in enumerate(zip(windows, colors, strict=True)):
        name = facts.channels[number].name if facts.channels else ""
        least, most = limits or (low, high)
        window = {"start": low, "end": high, "min": float(least), "max": float(most)}
        entry = {"label": name or f"Channel {number}", "color": color, "window": window, "active": number < 8}
        channels.append(entry | {"coefficient": 1, "family": "linear", "inverted": False})
    return channels


def _drawing(facts: ImageFacts) -> dict[str, Any]:
    model = "greyscale" if facts.sizes["C"] == 1 else "color"
    return {"defaultT": facts.sizes["T"] // 2, "defaultZ": facts.sizes["Z"] // 2, "model": model}


def check(path: Path) -> None:
    """Check a group by ome-zarr-models: its metadata, and the arrays that they name.

    Raises
    ------
    ImageReadError
        It does not follow the specification.
    """
    import zarr
    from ome_zarr_models import open_ome_zarr

    try:
        open_ome_zarr(zarr.open_group(str(path), mode="r"))
    except Exception as error:
        raise ImageReadError(str(path), f"not as OME-Zarr is specified: {error}") from error
