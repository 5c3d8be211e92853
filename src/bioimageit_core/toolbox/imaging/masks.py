"""Thresholds, and mathematical morphology on masks and grey values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .filters import _ball
from .image import Array, Image, ImageError, map_spatial, spatial_axes

__all__ = [
    "LOCAL_METHODS",
    "MORPHOLOGY_METHODS",
    "THRESHOLD_METHODS",
    "local_threshold",
    "morphology",
    "threshold",
    "threshold_value",
]

THRESHOLD_METHODS = ("otsu", "li", "triangle", "yen", "isodata", "mean", "manual")
LOCAL_METHODS = ("gaussian", "median", "niblack", "sauvola")
MORPHOLOGY_METHODS = ("erode", "dilate", "open", "close", "gradient", "fill_holes")


def threshold_value(block: Array, method: str, manual: float = 0.0) -> float:
    """Find the value that parts background and objects; a block of one value has no objects.

    Otsu 1979; Li and Tam 1998; Zack, Rogers and Latt 1977 (triangle); Yen, Chang and Chang 1995; Ridler and Calvard
    1978.
    """
    from skimage import filters

    if method == "manual":
        return manual
    finders: dict[str, Callable[[Array], float]] = {
        "otsu": filters.threshold_otsu,
        "li": filters.threshold_li,
        "triangle": filters.threshold_triangle,
        "yen": filters.threshold_yen,
        "isodata": filters.threshold_isodata,
        "mean": filters.threshold_mean,
    }
    if method not in finders:
        raise ImageError(f"unknown method {method!r} (known: {', '.join(THRESHOLD_METHODS)})")
    if block.min() == block.max():
        return float(block.max())
    return float(finders[method](block))


def threshold(
    image: Image, method: str = "otsu", *, manual: float = 0.0, dark: bool = False, by: str = "volume"
) -> Image:
    """Make a mask (0 and 255) of what is brighter than a threshold, found for each volume or plane by itself.

    Parameters
    ----------
    image
        Grey values.
    method
        One of `THRESHOLD_METHODS`; ``manual`` takes the value of `manual`.
    manual
        The value for ``manual``; pixels above it are objects.
    dark
        Objects are darker than their surroundings.
    by
        ``volume`` (ZYX where there is a Z) or ``plane`` (YX).
    """

    def mask(block: Array) -> Array:
        value = threshold_value(block, method, manual)
        return _as_mask(block <= value if dark and block.min() < block.max() else (block > value) & (not dark))

    return map_spatial(image, mask, by)


def local_threshold(
    image: Image, method: str = "gaussian", *, window: int = 51, offset: float = 0.0, k: float = 0.2
) -> Image:
    """Make a mask of what is brighter than its surroundings, plane by plane (YX).

    Parameters
    ----------
    image
        Grey values.
    method
        ``gaussian`` or ``median``: weighted mean or median of the window, minus `offset`; ``niblack`` (1986) and
        ``sauvola`` (2000): mean and standard deviation of the window, weighted by `k`.
    window
        Side of the window in pixels, odd.
    offset
        Subtracted from the threshold.
    k
        The weight of the standard deviation.
    """
    from skimage import filters

    if window < 3 or window % 2 == 0:
        raise ImageError(f"window {window}: expected an odd number of at least 3")
    if method not in LOCAL_METHODS:
        raise ImageError(f"unknown method {method!r} (known: {', '.join(LOCAL_METHODS)})")

    def mask(plane: Array) -> Array:
        grey = plane.astype(np.float64)
        if method == "niblack":
            local = filters.threshold_niblack(grey, window_size=window, k=k) - offset
        elif method == "sauvola":
            local = filters.threshold_sauvola(grey, window_size=window, k=k) - offset
        else:
            local = filters.threshold_local(grey, block_size=window, method=method, offset=offset)
        return _as_mask(grey > local)

    return map_spatial(image, mask, "plane")


def morphology(image: Image, method: str, *, radius: int = 1, by: str = "plane") -> Image:
    """Erode, dilate, open, close, take the gradient, or fill holes, with a disk or ball of a radius in pixels.

    Works on grey values and so on masks; ``fill_holes`` takes all that is not 0 as object.
    """
    from scipy import ndimage

    functions = {
        "erode": ndimage.grey_erosion,
        "dilate": ndimage.grey_dilation,
        "open": ndimage.grey_opening,
        "close": ndimage.grey_closing,
        "gradient": ndimage.morphological_gradient,
    }
    if method == "fill_holes":
        return map_spatial(image, lambda block: _as_mask(ndimage.binary_fill_holes(block > 0)), by)
    if method not in functions:
        raise ImageError(f"unknown method {method!r} (known: {', '.join(MORPHOLOGY_METHODS)})")
    footprint = _ball(radius, len(spatial_axes(image, by)))
    return map_spatial(image, lambda block: np.asarray(functions[method](block, footprint=footprint)), by)


def _as_mask(truth: Array) -> Array:
    return np.asarray(truth).astype(np.uint8) * np.uint8(255)
