from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bioimageit_core.toolbox.imaging.image import Image

PIXEL_SIZES = {"T": 2.5, "Z": 0.5, "Y": 0.25, "X": 0.25}
UNITS = {"T": "s", "Z": "µm", "Y": "µm", "X": "µm"}
LENGTHS = {"T": 2, "C": 2, "Z": 5, "Y": 24, "X": 32}


@pytest.fixture(scope="session")
def make() -> Callable[..., Image]:
    """Make an image of given axes, with smooth blobs, pixel sizes and channel names."""

    def image(axes: str = "YX", dtype: str = "uint16", seed: int = 0, **lengths: int) -> Image:
        shape = tuple({**LENGTHS, **lengths}[axis] for axis in axes)
        rng = np.random.default_rng(seed)
        data = rng.integers(90, 110, shape).astype(float)
        grid = np.ogrid[tuple(slice(0, n) for n in shape[-2:])]
        for y, x in ((6, 7), (16, 22)):
            data += 120 * np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / 12)
        sizes = {axis: size for axis, size in PIXEL_SIZES.items() if axis in axes}
        units = {axis: UNITS[axis] for axis in sizes}
        count = shape[axes.index("C")] if "C" in axes else 0
        channels = tuple(["DAPI", "GFP µ<&\"'>", "RFP"][:count])
        return Image(data.astype(dtype), axes, sizes, units, channels, "blobs")

    return image
