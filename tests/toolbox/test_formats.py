"""Reading and writing: what an image says of itself survives, and damaged files are refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from bioimageit_core.samples import mitosis_dir, nuclei_pairs
from bioimageit_core.toolbox.imaging.image import AXES, Image, ImageError
from bioimageit_core.toolbox.imaging.reading import read_image, read_labels
from bioimageit_core.toolbox.imaging.writing import write_image

Make = Callable[..., Image]
LOSSLESS = ("ome.tiff", "ome_zarr", "ome_zarr_0.4")
ALL_AXES = ("YX", "ZYX", "CYX", "TYX", "CZYX", "TZYX", "TCYX", "TCZYX")


def same(one: Image, other: Image) -> bool:
    facts = (one.axes, dict(one.pixel_sizes), dict(one.units), one.channels, one.name, one.data.dtype)
    expected = (other.axes, dict(other.pixel_sizes), dict(other.units), other.channels, other.name, other.data.dtype)
    return facts == expected and np.array_equal(one.data, other.data)


@pytest.mark.parametrize("format_", LOSSLESS)
@pytest.mark.parametrize("axes", ALL_AXES)
def test_axes_sizes_units_and_names_come_back(make: Make, tmp_path: Path, axes: str, format_: str) -> None:
    image = make(axes)

    write_image(tmp_path / "dataset_1.dat", image, format_)

    assert same(read_image(tmp_path / "dataset_1.dat"), image)


@pytest.mark.parametrize("axes", ALL_AXES)
def test_an_imagej_tiff_keeps_pixels_axes_and_sizes(make: Make, tmp_path: Path, axes: str) -> None:
    image = make(axes)

    write_image(tmp_path / "a", image, "tiff")
    back = read_image(tmp_path / "a")

    assert back.axes == axes
    assert np.array_equal(back.data, image.data)
    assert back.pixel_sizes == pytest.approx(dict(image.pixel_sizes))
    assert back.units == image.units


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    axes=st.sets(st.sampled_from("TCZ")).map(lambda s: "".join(a for a in AXES if a in s | {"Y", "X"})),
    dtype=st.sampled_from(["uint8", "uint16", "int16", "int32", "float32"]),
    size=st.floats(1e-4, 1e4),
    names=st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1), min_size=2),
)
def test_any_ome_tiff_comes_back(tmp_path: Path, axes: str, dtype: str, size: float, names: list[str]) -> None:
    lengths = {"T": 3, "C": len(names), "Z": 2, "Y": 4, "X": 5}
    shape = tuple(lengths[axis] for axis in axes)
    data = (np.arange(np.prod(shape)) % 100).reshape(shape).astype(dtype)
    sizes = {axis: size for axis in axes if axis != "C"}
    units = {axis: "s" if axis == "T" else "nm" for axis in sizes}
    image = Image(data, axes, sizes, units, tuple(names) if "C" in axes else (), "x")

    write_image(tmp_path / "a", image)
    back = read_image(tmp_path / "a")

    assert (back.axes, back.channels, back.units) == (image.axes, image.channels, image.units)
    assert back.pixel_sizes == pytest.approx(sizes)
    assert np.array_equal(back.data, data)


def test_the_same_image_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    write_image(tmp_path / "a", make("CZYX"))
    write_image(tmp_path / "b", make("CZYX"))

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("dtype", "stored"), [("bool", "uint8"), ("float64", "float32"), ("float16", "float32"), ("int64", "uint16")]
)
def test_types_that_programs_do_not_read_are_stored_as_ones_that_they_do(
    make: Make, tmp_path: Path, dtype: str, stored: str
) -> None:
    write_image(tmp_path / "a", make("YX", dtype))

    assert read_image(tmp_path / "a").data.dtype == stored


def test_values_beyond_32_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="do not fit 32 bits"):
        write_image(tmp_path / "a", Image(np.full((2, 2), 2**40), "YX"))
    assert list(tmp_path.iterdir()) == []


def test_a_plain_stack_of_pages_is_read_as_zyx(tmp_path: Path) -> None:
    data = np.arange(3 * 12 * 16, dtype=np.uint16).reshape(3, 12, 16)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", metadata=None)

    image = read_image(tmp_path / "a.tif")

    assert (image.axes, image.data.shape) == ("ZYX", (3, 12, 16))


def test_colours_become_channels_and_opacity_is_left_out(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (6, 10, 4), dtype=np.uint8)
    Picture.fromarray(data).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", data[..., :3], photometric="rgb")

    png, tif = read_image(tmp_path / "a.png"), read_image(tmp_path / "a.tif")

    assert png.axes == tif.axes == "CYX"
    assert np.array_equal(png.data, np.moveaxis(data[..., :3], -1, 0))
    assert np.array_equal(png.data, tif.data)


@pytest.mark.parametrize("axes", ["YX", "CYX"])
def test_a_png_comes_back(make: Make, tmp_path: Path, axes: str) -> None:
    image = make(axes, "uint8", C=3)

    write_image(tmp_path / "a", image, "png")

    assert np.array_equal(read_image(tmp_path / "a").data, image.data)


def test_a_png_refuses_a_stack(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="one plane"):
        write_image(tmp_path / "a", make("ZYX"), "png")
    assert list(tmp_path.iterdir()) == []


def test_the_samples_are_read_and_state_no_pixel_size() -> None:
    paths = [path for pair in nuclei_pairs() for path in pair] + sorted(mitosis_dir().glob("*/*.tif"))

    images = [read_image(path) for path in paths]

    assert len(images) == 18 + 8
    assert {image.axes for image in images} == {"YX"}
    assert all(not image.pixel_sizes for image in images)


@pytest.mark.parametrize("format_", ["ome.tiff", "tiff"])
def test_no_truncated_tiff_is_read_in_part(make: Make, tmp_path: Path, format_: str) -> None:
    whole = write_image(tmp_path / "whole", make("CZYX"), format_).read_bytes()
    cut = tmp_path / "cut"

    for length in [*range(0, 600, 23), *range(600, len(whole) - 1, len(whole) // 25)]:
        cut.write_bytes(whole[:length])
        with pytest.raises(ImageError) as caught:
            read_image(cut)
        assert str(cut) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_truncated_tiff_is_told_by_a_silenced_library_too(make: Make, tmp_path: Path) -> None:
    whole = write_image(tmp_path / "whole", make("CZYX"), "ome.tiff").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-200])  # only the library logs that
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with pytest.raises(ImageError, match="damaged"):
            read_image(tmp_path / "cut")
        assert logger.level == logging.CRITICAL
    finally:
        logger.setLevel(level)


@pytest.mark.parametrize("length", [0, 3, 30, 60, 200])
def test_no_truncated_png_is_read_in_part(tmp_path: Path, length: int) -> None:
    data = np.random.default_rng(0).integers(0, 255, (20, 20), dtype=np.uint8)
    Picture.fromarray(data).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:length])

    with pytest.raises(ImageError, match=r"a\.png"):
        read_image(tmp_path / "a.png")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 700), value=st.integers(0, 255))
def test_a_damaged_tiff_gives_an_image_or_an_image_error(tmp_path: Path, place: int, value: int) -> None:
    whole = bytearray(write_image(tmp_path / "a", Image(np.ones((2, 8, 8), np.uint8), "CYX")).read_bytes())
    whole[place % len(whole)] = value
    (tmp_path / "b").write_bytes(whole)

    try:
        axes = read_image(tmp_path / "b").axes
    except ImageError:
        axes = ""
    assert set(axes) <= set(AXES)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"just text", "not an image"), (b"II*\0", "damaged"), (b"\x89PNG\r\n\x1a\n", "not an image")],
)
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.tif").write_bytes(content)

    with pytest.raises(ImageError, match=f"x.tif: .*{message}"):
        read_image(tmp_path / "x.tif")


def test_a_missing_file_and_a_plain_directory_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_image(tmp_path / "nothing.tif")
    with pytest.raises(ImageError, match="not an OME-Zarr"):
        read_image(tmp_path)


def test_a_zarr_without_its_metadata_is_refused(make: Make, tmp_path: Path) -> None:
    write_image(tmp_path / "a", make("ZYX"), "ome_zarr")
    (tmp_path / "a" / "0" / "zarr.json").write_text("{")

    with pytest.raises(ImageError, match="not an OME-Zarr image that can be read"):
        read_image(tmp_path / "a")


def test_a_zarr_replaces_an_empty_file_and_nothing_else(make: Make, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_text("precious")

    write_image(tmp_path / "empty", make("YX"), "ome_zarr")

    assert read_image(tmp_path / "empty").axes == "YX"
    with pytest.raises(ImageError, match="exists already"):
        write_image(tmp_path / "full", make("YX"), "ome_zarr")
    assert (tmp_path / "full").read_text() == "precious"


def test_a_large_plane_gets_smaller_resolutions_of_its_own_labels(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    labels = np.random.default_rng(0).integers(0, 3, (1100, 1030)).astype(np.uint16) * 700
    write_image(tmp_path / "a", Image(labels, "YX"), "ome_zarr")

    group = zarr.open_group(str(tmp_path / "a"), mode="r")
    small = group["2"][...]

    assert small.shape == (275, 258)
    assert set(np.unique(small)) == {0, 700, 1400}


@pytest.mark.parametrize("bad", [np.array([[0.5, 1.0]]), np.array([[np.nan, 1.0]]), np.array([[-1, 2]])])
def test_what_is_no_label_image_is_refused(tmp_path: Path, bad: np.ndarray) -> None:
    write_image(tmp_path / "a", Image(bad.astype(np.float32), "YX"))

    with pytest.raises(ImageError, match="not a label image"):
        read_labels(tmp_path / "a")


@pytest.mark.parametrize("axes", ["XY", "CZ", "YXC", "ABYX", "Y", ""])
def test_axes_outside_the_order_tczyx_are_refused(axes: str) -> None:
    with pytest.raises(ImageError, match="expected Y and X"):
        Image(np.zeros((2,) * len(axes)), axes)
