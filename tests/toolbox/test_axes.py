"""Axes, channels, sizes and tiles: nothing is lost between one form and another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioimageit_core.toolbox.imaging import axes as axes_
from bioimageit_core.toolbox.imaging.image import Image, ImageError
from bioimageit_core.toolbox.imaging.tiling import split_tiles, stitch_tiles

Make = Callable[..., Image]


@pytest.mark.parametrize("method", axes_.PROJECTIONS)
@pytest.mark.parametrize("axis", ["T", "C", "Z"])
def test_a_projection_drops_its_axis_and_keeps_the_rest(make: Make, method: str, axis: str) -> None:
    image = make("TCZYX")

    result = axes_.project(image, method, axis)

    place = image.axes.index(axis)
    assert result.axes == image.axes.replace(axis, "")
    assert np.allclose(result.data, axes_.PROJECTIONS[method](image.data, axis=place), rtol=1e-4)
    assert result.channels == (() if axis == "C" else image.channels)
    assert result.pixel_sizes == {key: value for key, value in image.pixel_sizes.items() if key != axis}
    again = axes_.project(result, "max", axis)
    assert (again.axes, again.data.tolist()) == (result.axes, result.data.tolist())


def test_channels_are_split_and_merged_without_loss(make: Make) -> None:
    image = make("TCZYX", C=3)

    parts = axes_.split_channels(image)
    merged = axes_.merge_channels(parts)

    assert [part.axes for part in parts] == ["TZYX"] * 3
    assert (merged.axes, merged.channels, merged.pixel_sizes) == (image.axes, image.channels, image.pixel_sizes)
    assert np.array_equal(merged.data, image.data)


def test_channels_of_other_sizes_are_not_merged_and_names_can_be_given(make: Make) -> None:
    with pytest.raises(ImageError, match="Y 24 and 9"):
        axes_.merge_channels([make("YX"), make("YX", Y=9)])
    assert axes_.merge_channels([make("YX"), make("YX")], ["a", "b"]).channels == ("a", "b")
    assert axes_.merge_channels([make("YX"), make("YX")]).channels == ()
    assert axes_.merge_channels([make("CYX"), make("YX")]).channels[2] == "channel 2"


def test_axes_can_be_given_their_true_names(make: Make) -> None:
    stack = Image(np.arange(2 * 3 * 4).reshape(2, 3, 4), "ZYX")

    moved = axes_.reassign_axes(stack, "YXC", channels=["r", "g", "b", "a"])

    assert (moved.axes, moved.data.shape, moved.channels) == ("CYX", (4, 2, 3), ("r", "g", "b", "a"))
    assert np.array_equal(moved.data, np.moveaxis(stack.data, -1, 0))


def test_a_crop_keeps_the_names_of_its_channels(make: Make) -> None:
    image = make("CZYX", C=3)

    part = axes_.crop(image, {"C": (1, 0), "Z": (1, -1), "X": (4, 8)})

    assert part.channels == image.channels[1:]
    assert np.array_equal(part.data, image.data[1:, 1:-1, :, 4:8])


@pytest.mark.parametrize(("factor", "shape"), [(2, (10, 48, 64)), (0.5, (2, 12, 16))])
def test_scaling_changes_the_pixel_size_and_not_the_extent(
    make: Make, factor: float, shape: tuple[int, int, int]
) -> None:
    image = make("ZYX")

    result = axes_.rescale(image, dict.fromkeys("ZYX", factor))

    assert (result.data.shape, result.data.dtype) == (shape, image.data.dtype)
    for axis in "ZYX":
        extents = [i.size(axis) * i.pixel_sizes[axis] for i in (image, result)]
        assert extents[0] == pytest.approx(extents[1])
    assert result.data.mean() == pytest.approx(image.data.mean(), rel=0.03)


def test_scaled_labels_are_labels() -> None:
    image = Image(np.array([[0, 7, 7, 0], [0, 7, 7, 0], [0, 0, 0, 2], [0, 0, 0, 2]], np.uint16), "YX")

    assert set(np.unique(axes_.rescale(image, {"Y": 1.7, "X": 2.3}, labels=True).data)) == {0, 2, 7}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), size=st.integers(1, 40))
def test_tiles_are_put_together_again(make: Make, data: st.DataObject, size: int) -> None:
    image = make("CYX")
    overlap = data.draw(st.integers(0, min(size - 1, 5)))

    tiles = split_tiles(image, size, overlap)
    whole = stitch_tiles(data.draw(st.permutations([(f"field a_{name}.tif", tile) for name, tile in tiles])))

    assert (whole.axes, whole.channels, whole.pixel_sizes) == (image.axes, image.channels, image.pixel_sizes)
    assert np.array_equal(whole.data, image.data)


def test_tiles_that_do_not_fit_are_not_stitched(make: Make) -> None:
    tiles = split_tiles(make("YX"), 16)

    with pytest.raises(ImageError, match="leave a gap at y 0, x 16"):
        stitch_tiles([tiles[0], tiles[3]])
    with pytest.raises(ImageError, match="does not say its place"):
        stitch_tiles([("tile", tiles[0][1])])
    with pytest.raises(ImageError, match="does not fit"):
        stitch_tiles([tiles[0], ("a_y0_x16", tiles[1][1].with_data(tiles[1][1].data.astype(float)))])
