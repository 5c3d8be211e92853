"""Smaller resolutions of images, made band by band: never more than a few rows of planes are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bioimageit_core.images.model import ImageReadError

if TYPE_CHECKING:
    import numpy as np
    from dask.array import Array
    from numpy.typing import NDArray

__all__ = ["SMALLEST", "bands", "halved", "level_shapes", "storable", "storable_dtype"]

SMALLEST = 512
"""No resolution smaller than this follows one whose longer side fits in it, in pixels."""


def level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes (T, C, Z, Y, X) of all resolutions: Y and X are halved, rounded down.

    Examples
    --------
    >>> level_shapes((1, 1, 1, 1025, 2000))
    [(1, 1, 1, 1025, 2000), (1, 1, 1, 512, 1000), (1, 1, 1, 256, 500)]
    """
    shapes = [tuple(shape)]
    while max(shapes[-1][-2:]) > SMALLEST and min(shapes[-1][-2:]) > 1:
        *outer, y, x = shapes[-1]
        shapes.append((*outer, y // 2, x // 2))
    return shapes


def halved(plane: NDArray[Any], *, is_labels: bool) -> NDArray[Any]:
    """Halve Y and X of an array (…, Y, X): by the mean of four pixels; of labels, by one of them.

    A last row or column without a partner is left out.
    """
    import numpy as np

    height, width = plane.shape[-2] // 2 * 2, plane.shape[-1] // 2 * 2
    plane = plane[..., :height, :width]
    if is_labels:
        return plane[..., ::2, ::2]
    kind = np.float64 if plane.dtype.itemsize > 2 else np.float32
    mean = (
        plane[..., ::2, ::2].astype(kind) + plane[..., 1::2, ::2] + plane[..., ::2, 1::2] + plane[..., 1::2, 1::2]
    ) / 4
    small: NDArray[Any] = (np.rint(mean) if plane.dtype.kind in "iu" else mean).astype(plane.dtype)
    return small


def bands(array: Array, rows: int) -> Iterator[tuple[tuple[Any, ...], NDArray[Any]]]:
    """Give an array TCZYX piece by piece, each with its place: some rows of one plane, or a whole one.

    Parameters
    ----------
    rows
        How many at once, where the file can be read by rows; else planes are read as they lie.
    """
    import numpy as np

    t, c, z, height, _ = array.shape
    step = rows if array.chunksize[3] < height else height
    for outer in np.ndindex(t, c, z):
        for start in range(0, height, step):
            place = (*outer, slice(start, min(start + step, height)), slice(None))
            yield place, array[place].compute(scheduler="synchronous")


def storable_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that pixels are written as: truth values as 8 bits, no 64 bits, no half precision."""
    import numpy as np

    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f":
        return np.dtype(np.float32)
    if dtype.kind in "iu":
        return (
            dtype.newbyteorder("=") if dtype.itemsize <= 4 else np.dtype(np.int32 if dtype.kind == "i" else np.uint32)
        )
    raise ImageReadError("pixels", f"those of type {dtype} cannot be written: OME knows integers and floats")


def storable(pixels: NDArray[Any], name: str = "pixels") -> NDArray[Any]:
    """Return pixels as `storable_dtype` says; truth values become 0 and 255.

    Raises
    ------
    ImageReadError
        A value does not fit.
    """
    import numpy as np

    target = storable_dtype(pixels.dtype)
    if pixels.dtype.kind == "b":
        return pixels.astype(target) * np.uint8(255)
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize > target.itemsize and pixels.size:
        limits = np.iinfo(target)
        if pixels.min() < limits.min or pixels.max() > limits.max:
            raise ImageReadError(name, f"its values do not fit {target}")
    return pixels.astype(target, copy=False)
