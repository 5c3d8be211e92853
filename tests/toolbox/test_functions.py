"""What the functions compute, on images whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bioimageit_core.toolbox.imaging import axes as axes_
from bioimageit_core.toolbox.imaging import deconvolution, filters, labels, masks, registration, segmentation, spots
from bioimageit_core.toolbox.imaging.agreement import agreement
from bioimageit_core.toolbox.imaging.image import Image, ImageError, relative_spacing, widths
from bioimageit_core.toolbox.imaging.tiling import split_tiles, stitch_tiles

Make = Callable[..., Image]
ALL_AXES = ("YX", "ZYX", "CYX", "TCYX", "TCZYX")

KEEPERS: dict[str, Callable[[Image], Image]] = {
    "gaussian": lambda image: filters.gaussian(image, 1),
    "gaussian, physical": lambda image: filters.gaussian(image, 0.5, unit="physical"),
    "median": lambda image: filters.median(image, 1),
    "top hat": lambda image: filters.top_hat(image, 3),
    "unsharp mask": lambda image: filters.unsharp_mask(image, 1, 1),
    "sobel": lambda image: filters.edges(image, "sobel"),
    "scharr": lambda image: filters.edges(image, "scharr"),
    "laplacian": lambda image: filters.edges(image, "laplacian_of_gaussian"),
    "local threshold": lambda image: masks.local_threshold(image, window=11),
    "richardson-lucy": lambda image: deconvolution.richardson_lucy(image, (1, 1), iterations=2),
    "register": lambda image: registration.register(image, image)[0],
    "split touching": lambda image: segmentation.watershed(image, sigma=1),
    "components": lambda image: labels.label_components(image),
    "crop of nothing": lambda image: axes_.crop(image, {}),
    "scale by 1": lambda image: axes_.rescale(image, {"Y": 1, "X": 1}),
    **{name: lambda image, name=name: masks.threshold(image, name) for name in masks.THRESHOLD_METHODS},
    **{f"{name} (local)": lambda i, n=name: masks.local_threshold(i, n, window=11) for name in masks.LOCAL_METHODS},
    **{name: lambda image, name=name: masks.morphology(image, name) for name in masks.MORPHOLOGY_METHODS},
    **{
        f"labels {name}": lambda i, n=name: labels.edit_labels(masks.threshold(i), n, amount=2)
        for name in labels.LABEL_METHODS
    },
}


@pytest.mark.parametrize("axes", ALL_AXES)
@pytest.mark.parametrize("name", KEEPERS)
def test_axes_sizes_units_and_channel_names_are_kept(make: Make, name: str, axes: str) -> None:
    image = make(axes)
    before = image.data.copy()

    result = KEEPERS[name](image)

    assert result.axes == axes
    assert result.data.shape == image.data.shape
    assert (result.pixel_sizes, result.units, result.channels) == (image.pixel_sizes, image.units, image.channels)
    assert np.array_equal(image.data, before)


@pytest.mark.parametrize("name", [name for name in KEEPERS if "register" not in name])
def test_an_image_of_one_value_is_no_trouble(name: str) -> None:
    image = Image(np.full((3, 16, 16), 7, np.uint8), "ZYX", {"Z": 1.0, "Y": 1.0, "X": 1.0}, dict.fromkeys("ZYX", "µm"))

    assert np.all(np.isfinite(KEEPERS[name](image).data))


# filters, masks


def test_a_gaussian_keeps_the_sum_and_follows_the_voxels(make: Make) -> None:
    data = np.zeros((41, 41, 41), np.uint16)
    data[20, 20, 20] = 60000
    image = Image(data, "ZYX", {"Z": 1.0, "Y": 0.5, "X": 0.5}, dict.fromkeys("ZYX", "µm"))

    smooth = filters.gaussian(image, 1.5, unit="physical").data

    assert smooth.sum() == pytest.approx(60000, rel=1e-3)
    spreads = [
        math.sqrt((smooth.sum(axis=tuple({0, 1, 2} - {i})) * (np.arange(41) - 20) ** 2).sum() / smooth.sum())
        for i in range(3)
    ]
    assert spreads == pytest.approx([1.5, 3.0, 3.0], rel=0.02)


def test_a_plane_wise_filter_does_not_mix_planes(make: Make) -> None:
    image = make("ZYX")

    planes = filters.gaussian(image, 2, by="plane").data

    for z in range(image.size("Z")):
        assert np.array_equal(planes[z], filters.gaussian(image.take("Z", z), 2).data)


def test_a_physical_width_needs_a_pixel_size() -> None:
    with pytest.raises(ImageError, match="no pixel size along Y, X"):
        widths(Image(np.zeros((3, 3)), "YX"), 1, "physical", "YX")


def test_spacings_of_other_units_are_not_compared() -> None:
    stack = Image(np.zeros((2, 2, 2)), "ZYX", {"Z": 1.0, "Y": 0.1, "X": 0.1}, {"Z": "nm", "Y": "µm", "X": "µm"})

    assert relative_spacing(stack, "ZYX") == (1.0, 1.0, 1.0)
    assert relative_spacing(stack, "YX") == (1.0, 1.0)


def test_a_top_hat_removes_a_slope_and_keeps_a_spot() -> None:
    data = np.add.outer(np.zeros(40), np.arange(40) * 5.0)
    data[20, 20] += 80

    result = filters.top_hat(Image(data, "YX"), 3).data

    assert result[20, 20] == pytest.approx(80, abs=5.1)
    assert np.median(result) == 0


def test_a_threshold_is_found_for_each_channel_by_itself() -> None:
    data = np.zeros((2, 10, 10), np.uint16)
    data[0, 2:4, 2:4], data[1, 5:9, 5:9] = 10, 10000

    mask = masks.threshold(Image(data, "CYX")).data

    assert np.array_equal(mask, (data > 0) * 255)


def test_dark_objects_can_be_asked_for() -> None:
    data = np.full((10, 10), 200, np.uint8)
    data[3:5, 3:5] = 10

    assert np.array_equal(masks.threshold(Image(data, "YX"), dark=True).data, (data < 100) * 255)


@pytest.mark.parametrize("method", ["erode", "dilate", "open", "close", "fill_holes"])
def test_morphology_of_a_mask_is_that_of_sets(method: str) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[4:12, 4:12] = 255
    mask[7, 7] = 0
    disk = masks._ball(1, 2)
    functions = {
        "erode": lambda m: ndimage.binary_erosion(m, disk, border_value=1),
        "dilate": lambda m: ndimage.binary_dilation(m, disk),
        "open": lambda m: ndimage.binary_opening(m, disk),
        "close": lambda m: ndimage.binary_closing(m, disk),
        "fill_holes": ndimage.binary_fill_holes,
    }

    assert np.array_equal(masks.morphology(Image(mask, "YX"), method).data, functions[method](mask > 0) * 255)


@pytest.mark.parametrize(
    "call",
    [
        lambda i: filters.median(i, 0),
        lambda i: filters.edges(i, "canny"),
        lambda i: filters.gaussian(i, 1, by="line"),
        lambda i: masks.threshold(i, "best"),
        lambda i: masks.local_threshold(i, "best"),
        lambda i: masks.local_threshold(i, window=20),
        lambda i: masks.morphology(i, "melt"),
        lambda i: labels.edit_labels(i, "melt"),
        lambda i: labels.edit_labels(i, "expand", amount=-1),
        lambda i: labels.label_components(i, connectivity="some"),
        lambda i: segmentation.watershed(i, on="sea"),
        lambda i: segmentation.watershed(i, Image(np.zeros((2, 2)), "YX")),
        lambda i: segmentation.segment_nuclei(i, channel="DAPI"),
        lambda i: segmentation.segment_nuclei(i, threshold="best"),
        lambda i: spots.detect_spots(i, method="eye"),
        lambda i: spots.detect_spots(i, radius=0),
        lambda i: deconvolution.psf_sigmas(0.5, 1.6),
        lambda i: registration.correct_drift(i),
        lambda i: registration.register(i, Image(np.eye(3), "YX")),
        lambda i: axes_.project(i, "mode"),
        lambda i: axes_.project(i, "max", "Y"),
        lambda i: axes_.merge_channels([]),
        lambda i: axes_.merge_channels([i, i], ["one"]),
        lambda i: axes_.reassign_axes(i, "TC"),
        lambda i: axes_.reassign_axes(i, "ZYX"),
        lambda i: axes_.crop(i, {"X": (5, 5)}),
        lambda i: axes_.crop(i, {"Z": (0, 2)}),
        lambda i: axes_.rescale(i, {"X": 0}),
        lambda i: axes_.rescale(i, {"T": 2}),
        lambda i: split_tiles(i, 10, 10),
        lambda i: stitch_tiles([]),
        lambda i: i.take("Z", 1),
        lambda i: i.take("X", 99),
        lambda i: i.replace(channels=("a", "b")),
        lambda i: agreement(np.zeros((1, 2)), np.zeros((2, 1))),
        lambda i: agreement(np.zeros((1, 2)), np.zeros((1, 2)), 0.3),
    ],
)
def test_what_makes_no_sense_is_an_image_error_in_one_line(make: Make, call: Callable[[Image], object]) -> None:
    with pytest.raises(ImageError) as caught:
        call(make("YX"))
    assert str(caught.value)
    assert "\n" not in str(caught.value)


# deconvolution, registration


def test_deconvolution_sharpens_and_keeps_the_total() -> None:
    truth = np.zeros((32, 32))
    truth[12, 12] = truth[20, 18] = 1000
    blurred = ndimage.gaussian_filter(truth, 1.5)

    sharp = deconvolution.richardson_lucy(Image(blurred, "YX"), (1, 1.5), iterations=30).data

    assert sharp.sum() == pytest.approx(2000, rel=0.01)
    assert sharp[12, 12] > 3 * blurred[12, 12]
    assert np.all(sharp >= 0)


def test_a_point_spread_function_has_the_sum_1_and_its_width() -> None:
    psf = deconvolution.gaussian_psf((2.0, 1.0))

    assert psf.sum() == pytest.approx(1)
    assert math.sqrt((psf.sum(axis=1) * (np.arange(psf.shape[0]) - psf.shape[0] // 2) ** 2).sum()) == pytest.approx(
        2, rel=0.01
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(y=st.integers(-5, 5), x=st.integers(-5, 5))
def test_a_whole_shift_is_found_and_undone(make: Make, y: int, x: int) -> None:
    reference = make("YX", Y=48, X=48)
    moved = reference.with_data(np.roll(reference.data, (y, x), (0, 1)))

    back, shifts = registration.register(moved, reference, precision=1)

    assert shifts == [{"t": 0, "shift_y_px": -y, "shift_x_px": -x}]
    assert np.array_equal(back.data[8:-8, 8:-8], reference.data[8:-8, 8:-8])


def test_a_shift_of_a_fraction_is_found() -> None:
    grid = np.mgrid[:64, :64]
    still, moved = (
        1000 * np.exp(-((grid[0] - 30 - dy) ** 2 + (grid[1] - 33 - dx) ** 2) / 40) for dy, dx in ((0, 0), (1.3, -2.6))
    )

    shift = registration.estimate_shift(still, moved, precision=0.05)

    assert shift == pytest.approx((-1.3, 2.6), abs=0.1)


def test_drift_is_undone_for_all_channels(make: Make) -> None:
    one = make("CYX", Y=48, X=48)
    frames = np.stack([np.roll(one.data, (2 * t, -t), (1, 2)) for t in range(3)])
    image = one.replace(data=frames, axes="TCYX")

    still, shifts = registration.correct_drift(image, precision=1)

    assert [(row["shift_y_px"], row["shift_x_px"]) for row in shifts] == [(0, 0), (-2, 1), (-4, 2)]
    for t in range(3):
        assert np.array_equal(still.data[t, :, 8:-8, 8:-8], one.data[:, 8:-8, 8:-8])


# segmentation, labels, spots


# measurements, tables


# axes, tiles


# agreement
