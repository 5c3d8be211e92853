"""What the functions compute, on images whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bioimageit_core.toolbox.imaging import axes as axes_
from bioimageit_core.toolbox.imaging import deconvolution, filters, labels, masks, registration, segmentation, spots
from bioimageit_core.toolbox.imaging.agreement import agreement
from bioimageit_core.toolbox.imaging.image import Image, ImageError, relative_spacing, widths
from bioimageit_core.toolbox.imaging.measure import measure_regions
from bioimageit_core.toolbox.imaging.tables import Table, merge_tables, read_table, summarise, write_table
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


def nuclei(places: list[tuple[int, int]], radius: float, size: int) -> np.ndarray:
    grid = np.mgrid[:size, :size]
    data = np.zeros((size, size))
    for y, x in places:
        data = np.maximum(data, 200 * ((grid[0] - y) ** 2 + (grid[1] - x) ** 2 <= radius**2))
    noise = np.random.default_rng(0).normal(10, 2, data.shape)
    return np.clip(ndimage.gaussian_filter(data, radius / 5) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("radius", [4, 8, 16])
def test_touching_nuclei_of_any_magnification_are_told_apart(radius: int) -> None:
    places = [(5, 5), (5, 7), (10, 4), (12, 12), (13.4, 13.4)]
    data = nuclei([(round(y * radius), round(x * radius)) for y, x in places], radius, 16 * radius)

    found = segmentation.segment_nuclei(Image(data, "YX")).data

    assert found.max() == len(places)
    assert len({found[round(y * radius), round(x * radius)] for y, x in places} - {0}) == len(places)


def test_labels_are_numbered_in_reading_order_without_gaps() -> None:
    data = nuclei([(20, 60), (60, 20), (60, 60)], 8, 80)

    found = segmentation.segment_nuclei(Image(data, "YX")).data

    assert [found[y, x] for y, x in ((20, 60), (60, 20), (60, 60))] == [1, 2, 3]
    assert found.dtype == np.uint16


def test_each_time_point_is_segmented_by_itself() -> None:
    frames = np.stack([nuclei([(20, 20)], 8, 64), nuclei([(20, 20), (45, 45)], 8, 64)])

    found = segmentation.segment_nuclei(Image(frames, "TYX"))

    assert [int(frame.max()) for frame in found.data] == [1, 2]


def test_a_volume_is_segmented_as_one_and_its_voxels_count() -> None:
    z, y, x = np.mgrid[:15, :64, :64]
    data = np.zeros(z.shape)
    for cz, cy, cx in ((7, 20, 20), (7, 40, 44)):
        data += 200 * (((z - cz) * 3.0) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= 12**2)
    data = ndimage.gaussian_filter(data, (0.7, 2, 2)) + np.random.default_rng(0).normal(10, 2, data.shape)
    image = Image(data.astype(np.float32), "ZYX", {"Z": 0.6, "Y": 0.2, "X": 0.2}, dict.fromkeys("ZYX", "µm"))

    found = segmentation.segment_nuclei(image)
    table = measure_regions(found, image)

    assert found.data.max() == 2
    for row in table:
        assert row["volume_um3"] == pytest.approx(4 / 3 * np.pi * (12 * 0.2) ** 3, rel=0.15)
        assert row["centroid_z_um"] == pytest.approx(7 * 0.6, abs=0.1)


def test_the_channel_with_the_nuclei_is_found_by_name() -> None:
    data = np.stack([nuclei([(20, 20)], 8, 64), nuclei([(40, 40), (12, 50)], 8, 64)])
    image = Image(data, "CYX", channels=("actin", "DNA"))

    found = segmentation.segment_nuclei(image, channel="DNA")

    assert (found.axes, found.data.max()) == ("YX", 2)
    assert np.array_equal(found.data, segmentation.segment_nuclei(image, channel=1).data)


def test_values_that_are_not_numbers_are_refused() -> None:
    data = np.zeros((9, 9), np.float32)
    data[3, 3] = np.nan

    with pytest.raises(ImageError, match="not numbers"):
        segmentation.segment_nuclei(Image(data, "YX"), diameter=3)


def test_components_depend_on_the_connectivity() -> None:
    mask = Image(np.eye(4, dtype=np.uint8), "YX")

    assert labels.label_components(mask).data.max() == 1
    assert labels.label_components(mask, connectivity="faces").data.max() == 4


LABELS = np.array([[0, 0, 0, 0, 0], [0, 7, 7, 0, 0], [0, 7, 7, 0, 2], [0, 0, 0, 0, 2], [0, 0, 0, 0, 2]])


@pytest.mark.parametrize(
    ("method", "amount", "left"),
    [
        ("remove_small", 4, {7}),
        ("remove_large", 3, {2}),
        ("clear_border", 0, {7}),
        ("expand", 1, {2, 7}),
        ("shrink", 0, {2, 7}),
        ("shrink", 1, set()),
        ("relabel", 0, {1, 2}),
        ("to_mask", 0, {255}),
    ],
)
def test_labels_that_are_left(method: str, amount: float, left: set[int]) -> None:
    result = labels.edit_labels(Image(LABELS.astype(np.uint16), "YX"), method, amount=amount).data

    assert set(np.unique(result)) - {0} == left


def test_expanding_never_merges_or_changes_what_was_labelled() -> None:
    result = labels.edit_labels(Image(LABELS.astype(np.uint16), "YX"), "expand", amount=1).data

    assert np.array_equal(result[LABELS > 0], LABELS[LABELS > 0])
    near = ndimage.distance_transform_edt(LABELS == 0) <= 1
    assert np.array_equal(result > 0, near)
    assert result[2, 3] == 7
    assert result[3, 3] == 2


def test_holes_are_filled_with_their_own_label_only() -> None:
    ring = np.zeros((7, 7), np.uint16)
    ring[1:6, 1:6] = 3
    ring[3, 3] = 0
    ring[2, 2] = 5

    result = labels.edit_labels(Image(ring, "YX"), "fill_holes").data

    assert (result[3, 3], result[2, 2]) == (3, 5)


def test_spots_are_found_with_a_fraction_of_a_pixel() -> None:
    grid = np.mgrid[:64, :64]
    places = [(10.0, 12.0), (20.3, 40.6), (50.7, 15.2)]
    data = sum(
        (500 - 50 * i) * np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / (2 * 1.4**2))
        for i, (y, x) in enumerate(places)
    )
    data = data + np.random.default_rng(1).normal(100, 3, data.shape)
    image = Image(data.astype(np.float32), "YX", {"Y": 0.1, "X": 0.1}, {"Y": "µm", "X": "µm"})

    for method in spots.SPOT_METHODS:
        table, marks = spots.detect_spots(image, method=method, threshold=50)
        assert [(row["y_px"], row["x_px"]) for row in table] == [pytest.approx(place, abs=0.2) for place in places]
        assert table[0]["x_um"] == pytest.approx(1.2, abs=0.02)
        assert int(marks.data.max()) == 3


def test_noise_alone_has_few_spots_and_nothing_has_none() -> None:
    noise = np.random.default_rng(0).normal(100, 5, (128, 128)).astype(np.float32)

    assert len(spots.detect_spots(Image(noise, "YX"))[0]) <= 1
    table, _ = spots.detect_spots(Image(np.zeros((20, 20)), "YX"))
    assert (len(table), table.columns) == (0, ("spot", "y_px", "x_px", "contrast", "intensity"))


# measurements, tables


def test_measurements_in_pixels_and_in_units() -> None:
    data = np.zeros((10, 12), np.uint16)
    data[2:6, 3:9] = 40
    grey = np.arange(120.0).reshape(10, 12)
    sized = Image(data, "YX", {"Y": 0.5, "X": 0.5}, {"Y": "µm", "X": "µm"})

    (row,) = measure_regions(sized, Image(grey, "YX"))

    inside = grey[2:6, 3:9]
    expected = {"label": 40, "area_px": 24, "area_um2": 6, "centroid_y_px": 3.5, "centroid_x_um": 2.75}
    expected |= {"mean_intensity": inside.mean(), "std_intensity": inside.std(), "sum_intensity": inside.sum()}
    assert {key: row[key] for key in expected} == pytest.approx(expected)


def test_each_time_point_and_channel_gets_its_rows() -> None:
    data = np.ones((2, 4, 4), np.uint8)
    grey = np.stack([np.full((2, 4, 4), 10 * t) + np.array([0, 5])[:, None, None] for t in range(2)])
    table = measure_regions(Image(data, "TYX"), Image(grey, "TCYX", channels=("a b", "ü")))

    assert [(row["t"], row["mean_intensity_a_b"], row["mean_intensity_ü"]) for row in table] == [(0, 0, 5), (1, 10, 15)]


def test_labels_as_large_as_can_be_cost_no_memory() -> None:
    data = np.zeros((4, 4), np.int64)
    data[0, 0] = 2**31 - 1

    (row,) = measure_regions(Image(data, "YX"))

    assert (row["label"], row["area_px"]) == (2**31 - 1, 1)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TCYX"])
def test_no_regions_give_the_columns_all_the_same(make: Make, axes: str) -> None:
    image = make(axes)
    some = image.with_data((image.data > 150).astype(np.uint16))

    full = measure_regions(some, image)
    empty = measure_regions(some.with_data(some.data * 0), image)

    assert len(full) > 0 == len(empty)
    assert empty.columns == full.columns


def test_images_of_other_sizes_are_not_measured(make: Make) -> None:
    with pytest.raises(ImageError, match="Z 1 and 5"):
        measure_regions(make("YX"), make("ZYX"))


cells = st.one_of(st.integers(-(10**6), 10**6), st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0")))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(cells, cells), max_size=8))
def test_a_table_comes_back(tmp_path: Path, rows: list[tuple[object, object]]) -> None:
    table = Table(
        ["one", "two, with a comma"], [dict(zip(("one", "two, with a comma"), row, strict=True)) for row in rows]
    )

    back = read_table(write_table(tmp_path / "t.csv", table))

    assert back.columns == table.columns
    assert [list(row.values()) for row in back] == [[str(value) for value in row.values()] for row in table]


def test_tables_are_merged_with_their_names_and_summarised_by_them() -> None:
    one, two = (
        Table(["a", "b"], [{"a": "1", "b": "x"}, {"a": "3", "b": "y"}]),
        Table(["a", "c"], [{"a": "8", "c": "2"}]),
    )

    merged = merge_tables([one, two], ["one", "two"])
    everything = summarise(merged)
    by_source = summarise(merged, group_by="source")

    assert merged.columns == ("source", "a", "b", "c")
    assert merged[2] == {"source": "two", "a": "8", "b": "", "c": "2"}
    assert [(row["column"], row["count"], row["missing"]) for row in everything] == [("a", 3, 0), ("c", 1, 2)]
    assert everything[0]["mean"] == 4
    assert [(row["source"], row["column"], row["mean"]) for row in by_source if row["count"]] == [
        ("one", "a", 2),
        ("two", "a", 8),
        ("two", "c", 2),
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_a_summary_is_that_of_numpy(values: list[float]) -> None:
    (row,) = summarise(Table(["v"], [{"v": repr(value)} for value in values]))

    expected = [np.mean(values), np.std(values, ddof=1), *np.percentile(values, [0, 25, 50, 75, 100]), np.sum(values)]
    found = [row[name] for name in ("mean", "std", "min", "q25", "median", "q75", "max", "sum")]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"a,b\n1\n", "line 2 has 1 fields"),
        (b"a,a\n1,2\n", "two columns of one name"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'a,b\n"1', "not a table"),
        (b"a\n\0\n", "not a table"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)

    with pytest.raises(ImageError, match=f"t.csv: .*{message}"):
        read_table(tmp_path / "t.csv")


def test_a_missing_table_and_a_taken_column_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(ImageError, match="has a column 'source' already"):
        merge_tables([Table(["source"])], ["x"])
    with pytest.raises(ImageError, match="1 names for 2 tables"):
        merge_tables([Table([]), Table([])], ["x"])


# axes, tiles


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
    image = Image(LABELS.astype(np.uint16), "YX")

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


# agreement


@pytest.mark.parametrize(
    ("found", "wanted", "overlap", "counts"),
    [
        ([1, 1, 0, 2], [5, 5, 0, 0], 0.5, (1, 1, 0)),
        ([1, 1, 2, 2], [3, 3, 3, 3], 0.5, (0, 2, 1)),
        ([1, 1, 1, 0], [3, 3, 3, 3], 0.75, (1, 0, 0)),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.5, (0, 0, 0)),
        ([9, 9, 9, 9], [4, 4, 4, 4], 0.5, (1, 0, 0)),
    ],
)
def test_agreement_counts_pairs(
    found: list[int], wanted: list[int], overlap: float, counts: tuple[int, int, int]
) -> None:
    score = agreement(np.array([found]), np.array([wanted]), overlap)

    assert (score.true_positives, score.false_positives, score.false_negatives) == counts
    assert 0 <= score.f1 <= 1
    assert score.f1 == pytest.approx(
        2 * score.precision * score.recall / (score.precision + score.recall) if score.precision + score.recall else 0
    )
