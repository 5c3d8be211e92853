"""Operations on label images: number, clean, grow."""

from __future__ import annotations

import numpy as np

from .image import Array, Image, ImageError, blocks, relative_spacing, spatial_axes
from .segmentation import as_labels

__all__ = ["LABEL_METHODS", "edit_labels", "label_components"]

LABEL_METHODS = ("remove_small", "remove_large", "clear_border", "expand", "shrink", "fill_holes", "relabel", "to_mask")


def label_components(image: Image, *, connectivity: str = "full", by: str = "volume") -> Image:
    """Give each connected object of a mask (all that is not 0) a label of its own.

    Parameters
    ----------
    image
        The mask.
    connectivity
        ``full``: pixels that touch at a corner belong together; ``faces``: only those that share a side.
    by
        ``volume`` (ZYX where there is a Z) or ``plane`` (YX).
    """
    from scipy import ndimage

    if connectivity not in ("full", "faces"):
        raise ImageError(f"unknown connectivity {connectivity!r} (known: full, faces)")
    spatial = spatial_axes(image, by)
    structure = ndimage.generate_binary_structure(len(spatial), len(spatial) if connectivity == "full" else 1)
    labels = np.zeros(image.data.shape, dtype=np.int32)
    for index, block in blocks(image, spatial):
        labels[index], _ = ndimage.label(block != 0, structure=structure)
    return as_labels(image, labels).replace(channels=image.channels)


def edit_labels(image: Image, method: str, *, amount: float = 0, by: str = "volume") -> Image:
    """Change a label image.

    Parameters
    ----------
    image
        Labels; each volume or plane is treated by itself.
    method
        ``remove_small`` and ``remove_large``: labels of fewer, or of more, than `amount` pixels go; ``clear_border``:
        those that touch the border of the plane go (the first and last plane of a volume count as border); ``expand``
        and ``shrink``: by `amount` pixels, without merging; ``fill_holes``: holes within a label; ``relabel``: number
        from 1 without gaps; ``to_mask``: 255 where there is a label. All but ``relabel`` keep the numbers.
    amount
        Number of pixels, see `method`.
    by
        ``volume`` (ZYX where there is a Z) or ``plane`` (YX).
    """
    if method not in LABEL_METHODS:
        raise ImageError(f"unknown method {method!r} (known: {', '.join(LABEL_METHODS)})")
    if amount < 0:
        raise ImageError(f"amount {amount}: expected at least 0")
    spatial = spatial_axes(image, by)
    scale = relative_spacing(image, spatial)
    result = np.zeros(image.data.shape, dtype=np.int64)
    for index, block in blocks(image, spatial):
        result[index] = _edit(block, method, amount, scale)
    if method == "to_mask":
        return image.with_data(result.astype(np.uint8))
    return as_labels(image, result).replace(channels=image.channels)


def _edit(block: Array, method: str, amount: float, scale: tuple[float, ...]) -> Array:
    from skimage import segmentation

    if method in ("remove_small", "remove_large"):
        values, inverse, counts = np.unique(block, return_inverse=True, return_counts=True)
        goes = counts < amount if method == "remove_small" else counts > amount
        return np.where(goes, 0, values)[inverse].reshape(block.shape)
    if method == "clear_border":
        return np.asarray(segmentation.clear_border(block.astype(np.int64)))
    if method == "expand":
        return _expand(block, amount, scale)
    if method == "shrink":
        return _shrink(block, amount, scale)
    if method == "fill_holes":
        return _fill_holes(block)
    if method == "relabel":
        _, inverse = np.unique(np.append(block.ravel(), 0), return_inverse=True)
        return inverse[:-1].reshape(block.shape)
    return np.where(block > 0, 255, 0)


def _expand(block: Array, amount: float, scale: tuple[float, ...]) -> Array:
    from scipy import ndimage

    if not block.any():
        return block
    distance, nearest = ndimage.distance_transform_edt(block == 0, sampling=scale, return_indices=True)
    return np.where(distance <= amount, block[tuple(nearest)], 0)


def _shrink(block: Array, amount: float, scale: tuple[float, ...]) -> Array:
    """Remove what lies within `amount` of another label, or of the background."""
    from scipy import ndimage

    result = np.zeros_like(block)
    for number, window in enumerate(ndimage.find_objects(block.astype(np.int32)), start=1):
        if window is None:
            continue
        inside = np.pad(block[window] == number, 1)
        deep = ndimage.distance_transform_edt(inside, sampling=scale)[(slice(1, -1),) * block.ndim] > amount
        result[window][deep] = number
    return result


def _fill_holes(block: Array) -> Array:
    from scipy import ndimage

    result = block.copy()
    for number, window in enumerate(ndimage.find_objects(block.astype(np.int32)), start=1):
        if window is not None:
            holes = ndimage.binary_fill_holes(block[window] == number) & (block[window] == 0)
            result[window][holes] = number
    return result
