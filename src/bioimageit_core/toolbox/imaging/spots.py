"""Detection of bright spots of about one size."""

from __future__ import annotations

import numpy as np

from .image import Array, Image, ImageError, blocks, relative_spacing, spatial_axes
from .tables import Row, Table

__all__ = ["SPOT_METHODS", "detect_spots"]

SPOT_METHODS = ("log", "dog")


def detect_spots(
    image: Image,
    *,
    radius: float = 2.0,
    threshold: float = 0.0,
    method: str = "log",
    channel: str | int = 0,
    by: str = "volume",
) -> tuple[Table, Image]:
    """Find bright spots of a radius, by the Laplacian or a difference of Gaussians.

    Parameters
    ----------
    image
        Grey values.
    radius
        Of a spot, in pixels along X.
    threshold
        Least contrast of a spot, in grey values; 0 chooses it: five standard deviations of the noise of the filtered
        image, estimated by the median absolute deviation.
    method
        ``log`` (Laplacian of Gaussian) or ``dog`` (difference of Gaussians, ratio 1.6, Marr and Hildreth 1980).
    channel
        Name or number, from 0.
    by
        ``volume`` (ZYX where there is a Z) or ``plane`` (YX).

    Returns
    -------
    tuple
        A table with a row per spot, brightest first in each volume (``spot t z y_px x_px contrast intensity`` and
        physical coordinates where the pixel size is known), and a label image with the number of each spot in one
        pixel.

    Notes
    -----
    A Gaussian of standard deviation ``radius / sqrt(n)`` in n dimensions answers most to a ball of that radius
    (Lindeberg, Int. J. Computer Vision 30, 79, 1998). Positions are refined by a parabola through three pixels along
    each axis.
    """
    if method not in SPOT_METHODS:
        raise ImageError(f"unknown method {method!r} (known: {', '.join(SPOT_METHODS)})")
    if radius <= 0:
        raise ImageError(f"radius {radius}: expected more than 0")
    grey = image.channel(channel)
    spatial = spatial_axes(grey, by)
    scale = relative_spacing(grey, spatial)
    lead = grey.axes[: len(grey.axes) - len(spatial)]
    marks = np.zeros(grey.data.shape, dtype=np.int32)
    rows: list[Row] = []
    for index, block in blocks(grey, spatial):
        where = {axis.lower(): number for axis, number in zip(lead, index, strict=True)}
        answer = _answer(block.astype(np.float32), radius, scale, method)
        places, centres = _peaks(answer, threshold, radius, scale)
        for number, (place, centre) in enumerate(zip(places, centres, strict=True), start=1):
            marks[(*index, *place)] = number
            row = _row(centre, grey, spatial)
            facts = {"contrast": float(answer[tuple(place)]), "intensity": block[tuple(place)].item()}
            rows.append({"spot": number, **where, **row, **facts})
    columns = ["spot", *lead.lower(), *_row(np.zeros(len(spatial)), grey, spatial), "contrast", "intensity"]
    small = marks.max(initial=0) <= np.iinfo(np.uint16).max
    return Table(columns, rows), grey.replace(data=marks.astype(np.uint16 if small else np.int32), channels=())


def _answer(block: Array, radius: float, scale: tuple[float, ...], method: str) -> Array:
    """Filter so that a spot of the radius on an even background answers with about its contrast."""
    from scipy import ndimage

    sigma = radius / np.sqrt(block.ndim)
    sigmas = [sigma / step for step in scale]
    if method == "dog":
        inner = ndimage.gaussian_filter(block, sigmas)
        return np.asarray(inner - ndimage.gaussian_filter(block, [1.6 * value for value in sigmas]))
    total = np.zeros_like(block)
    for axis, value in enumerate(sigmas):  # the Laplacian in units of the spot, whatever the voxels
        order = [0] * block.ndim
        order[axis] = 2
        total -= value**2 * ndimage.gaussian_filter(block, sigmas, order=order)
    return total


def _peaks(answer: Array, threshold: float, radius: float, scale: tuple[float, ...]) -> tuple[Array, Array]:
    from skimage import feature

    if threshold <= 0:
        noise = 1.4826 * float(np.median(np.abs(answer - np.median(answer))))
        threshold = max(5 * noise, 1e-6 * max(float(answer.max()), 1e-12))
    distance = max(1, round(radius / max(scale)))
    places = feature.peak_local_max(answer, min_distance=distance, threshold_abs=threshold, exclude_border=False)
    if not len(places):
        return places, places.astype(float)
    order = np.argsort(-answer[tuple(places.T)], kind="stable")
    places = places[order]
    return places, np.stack([_refine(answer, place) for place in places])


def _refine(answer: Array, place: Array) -> Array:
    centre = place.astype(float)
    for axis in range(answer.ndim):
        if not 0 < place[axis] < answer.shape[axis] - 1:
            continue
        step = np.zeros(answer.ndim, dtype=int)
        step[axis] = 1
        low, middle, high = (float(answer[tuple(place + move * step)]) for move in (-1, 0, 1))
        bend = low - 2 * middle + high
        if bend < 0:
            centre[axis] += float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5))
    return centre


def _row(centre: Array, image: Image, spatial: str) -> Row:
    from .measure import _unit

    row: Row = {f"{axis.lower()}_px": float(value) for axis, value in zip(spatial, centre, strict=True)}
    unit = _unit(image, spatial)
    if unit:
        steps = image.spacing(spatial)
        row |= {f"{a.lower()}_{unit}": float(v * s) for a, v, s in zip(spatial, centre, steps, strict=True)}
    return row
