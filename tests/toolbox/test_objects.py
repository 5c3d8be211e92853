"""Nuclei, labels and spots that are found, and how well labels agree, on images whose answer is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from bioimageit_core.toolbox.imaging import labels, segmentation, spots
from bioimageit_core.toolbox.imaging.agreement import agreement
from bioimageit_core.toolbox.imaging.image import Image, ImageError
from bioimageit_core.toolbox.imaging.measure import measure_regions

Make = Callable[..., Image]


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
