"""Cut planes into tiles, and put tiles together."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .image import Image, ImageError

__all__ = ["split_tiles", "stitch_tiles"]

_PLACE = re.compile(r"_y(\d+)_x(\d+)(?!\d)")


def split_tiles(image: Image, size: int, overlap: int = 0) -> list[tuple[str, Image]]:
    """Cut an image into square tiles along Y and X.

    Parameters
    ----------
    image
        Any; T, C and Z are kept whole.
    size
        Side of a tile, in pixels; those at the lower and right border may be smaller.
    overlap
        Of neighbours, in pixels, less than `size`.

    Returns
    -------
    list
        Name and tile; the name ``tile_y00000_x00512`` says the place of its first pixel.
    """
    if size < 1 or not 0 <= overlap < size:
        raise ImageError(f"tiles of {size} with an overlap of {overlap}: expected 0 <= overlap < size")
    step = size - overlap
    tiles = []
    for y in _starts(image.size("Y"), size, step):
        for x in _starts(image.size("X"), size, step):
            part = np.ascontiguousarray(image.data[..., y : y + size, x : x + size])
            tiles.append((f"tile_y{y:05d}_x{x:05d}", image.with_data(part)))
    return tiles


def stitch_tiles(tiles: Sequence[tuple[str, Image]]) -> Image:
    """Put tiles together by the places in their names; where they overlap the mean is taken.

    Labels that are the same in both tiles survive the mean; others do not: stitch masks or intensities.

    Raises
    ------
    ImageError
        A name does not say a place (``_y00000_x00512``), tiles do not fit each other, or they leave a gap.
    """
    if not tiles:
        raise ImageError("no tile to stitch")
    first = tiles[0][1]
    places = [_place(name) for name, _ in tiles]
    for name, tile in tiles:
        if (
            tile.axes != first.axes
            or tile.data.shape[:-2] != first.data.shape[:-2]
            or tile.data.dtype != first.data.dtype
        ):
            raise ImageError(f"tile {name!r} does not fit {tiles[0][0]!r}: other axes, sizes or type")
    height = max(y + tile.size("Y") for (y, _), (_, tile) in zip(places, tiles, strict=True))
    width = max(x + tile.size("X") for (_, x), (_, tile) in zip(places, tiles, strict=True))
    total = np.zeros((*first.data.shape[:-2], height, width))
    count = np.zeros((height, width), dtype=np.int32)
    for (y, x), (_, tile) in zip(places, tiles, strict=True):
        window = (slice(y, y + tile.size("Y")), slice(x, x + tile.size("X")))
        total[(..., *window)] += tile.data
        count[window] += 1
    if not count.all():
        y, x = (int(value) for value in np.argwhere(count == 0)[0])
        raise ImageError(f"the tiles leave a gap at y {y}, x {x}")
    mean = total / count
    return first.with_data((np.round(mean) if first.data.dtype.kind in "iu" else mean).astype(first.data.dtype))


def _starts(length: int, size: int, step: int) -> list[int]:
    starts = list(range(0, max(length - size, 0) + 1, step))
    if starts[-1] + size < length:
        starts.append(starts[-1] + step)
    return starts


def _place(name: str) -> tuple[int, int]:
    found = _PLACE.findall(name)
    if not found:
        raise ImageError(f"tile {name!r}: its name does not say its place, as tile_y00000_x00512 does")
    return int(found[-1][0]), int(found[-1][1])
