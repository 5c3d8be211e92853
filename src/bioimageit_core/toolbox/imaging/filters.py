"""Filters that smooth, sharpen, remove background or find edges."""

from __future__ import annotations

import numpy as np

from .image import Array, Image, ImageError, map_spatial, spatial_axes, widths

__all__ = ["EDGE_METHODS", "edges", "gaussian", "median", "top_hat", "unsharp_mask"]

EDGE_METHODS = ("sobel", "scharr", "laplacian_of_gaussian")


def gaussian(image: Image, sigma: float, *, unit: str = "pixel", by: str = "volume") -> Image:
    """Smooth with a Gaussian.

    Parameters
    ----------
    image
        What to smooth; float32 comes out.
    sigma
        Standard deviation, > 0.
    unit
        ``pixel`` or ``physical``; the latter respects voxels that are not cubes.
    by
        ``volume`` (ZYX where there is a Z) or ``plane`` (YX).
    """
    from scipy import ndimage

    sigmas = widths(image, sigma, unit, spatial_axes(image, by))
    return map_spatial(image, lambda block: ndimage.gaussian_filter(block.astype(np.float32), sigmas), by)


def median(image: Image, radius: int, *, by: str = "plane") -> Image:
    """Replace each pixel by the median of its neighbourhood, a disk or ball of a radius in pixels; keeps the type."""
    from scipy import ndimage

    footprint = _ball(radius, len(spatial_axes(image, by)))
    return map_spatial(image, lambda block: ndimage.median_filter(block, footprint=footprint), by)


def top_hat(image: Image, radius: int, *, dark: bool = False, by: str = "plane") -> Image:
    """Subtract the background: keep what is smaller than a disk or ball of a radius in pixels.

    The white top-hat, image minus its opening, keeps bright objects; with `dark`, the black top-hat keeps dark ones.
    """
    from scipy import ndimage

    footprint = _ball(radius, len(spatial_axes(image, by)))
    transform = ndimage.black_tophat if dark else ndimage.white_tophat
    return map_spatial(image, lambda block: transform(block, footprint=footprint), by)


def unsharp_mask(image: Image, sigma: float, amount: float, *, by: str = "plane") -> Image:
    """Sharpen: add `amount` times the difference of the image and its Gaussian smoothing; float32, never below 0."""
    from scipy import ndimage

    def sharpen(block: Array) -> Array:
        block = block.astype(np.float32)
        sharp: Array = block + np.float32(amount) * (block - ndimage.gaussian_filter(block, sigma))
        return np.maximum(sharp, min(0.0, float(block.min())))

    return map_spatial(image, sharpen, by)


def edges(image: Image, method: str = "sobel", *, sigma: float = 1.0, by: str = "plane") -> Image:
    """Show edges: the magnitude of the gradient, or the Laplacian of a Gaussian (bright blobs are positive)."""
    from scipy import ndimage
    from skimage import filters

    def find(block: Array) -> Array:
        block = block.astype(np.float32)
        if method == "laplacian_of_gaussian":
            result: Array = -(sigma**2) * ndimage.gaussian_laplace(block, sigma)
        else:
            result = filters.sobel(block) if method == "sobel" else filters.scharr(block)
        return result.astype(np.float32)

    if method not in EDGE_METHODS:
        raise ImageError(f"unknown method {method!r} (known: {', '.join(EDGE_METHODS)})")
    return map_spatial(image, find, by)


def _ball(radius: int, dimensions: int) -> Array:
    """Return a disk or ball as an array of truth values."""
    if radius < 1:
        raise ImageError(f"radius {radius}: expected at least 1 pixel")
    grid = np.ogrid[tuple(slice(-radius, radius + 1) for _ in range(dimensions))]
    return np.asarray(sum(axis**2 for axis in grid) <= radius**2)
