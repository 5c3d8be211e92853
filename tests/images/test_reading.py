"""Images are opened by what is in them: lazily, TCZYX, with what the file says of them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image as Picture

from bioimageit_core.images import lazy
from bioimageit_core.images.model import ImageReadError, UnknownImageError
from bioimageit_core.images.omexml import image_statements
from bioimageit_core.images.reading import kind_of, open_image, read_facts

SAMPLES = Path(__file__).parents[2] / "src" / "bioimageit_core" / "samples"
CALIBRATED = {
    "axes": "ZCYX",
    "PhysicalSizeX": 0.25,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 0.25,
    "PhysicalSizeYUnit": "µm",
    "PhysicalSizeZ": 500.0,
    "PhysicalSizeZUnit": "nm",
    "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, -16776961]},
    "AcquisitionDate": "2024-05-06T07:08:09",
    "Name": "cells",
}


@pytest.fixture
def stack() -> np.ndarray:
    return np.arange(3 * 2 * 20 * 30, dtype=np.uint16).reshape(3, 2, 20, 30)


def test_an_ome_tiff_says_what_it_is(tmp_path: Path, stack: np.ndarray) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, stack, metadata=CALIBRATED, photometric="minisblack")

    said = read_facts(str(path)).document()

    assert said == {
        "SizeX": 30,
        "SizeY": 20,
        "SizeZ": 3,
        "SizeC": 2,
        "SizeT": 1,
        "Type": "uint16",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": 500.0,
        "PhysicalSizeZUnit": "nm",
        "ChannelNames": ["DAPI", "GFP"],
        "ChannelColors": ["0000FF", "FF0000"],
        "Name": "cells",
        "AcquisitionDate": "2024-05-06T07:08:09",
        "Reader": "tifffile",
        "ReaderVersion": tifffile.__version__,
    }


def test_pixels_are_read_when_they_are_asked_for(tmp_path: Path, stack: np.ndarray) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, stack, metadata=CALIBRATED, photometric="minisblack")

    data = open_image(str(path)).data

    assert data.dims == ("T", "C", "Z", "Y", "X")
    assert data.shape == (1, 2, 3, 20, 30)
    assert data.data.chunksize == (1, 1, 1, 20, 30)
    assert data.attrs["pixel_sizes"] == {"X": 0.25, "Y": 0.25, "Z": 500.0}
    assert np.array_equal(data.sel(C="GFP").isel(T=0, Z=2), stack[2, 1])
    again = pickle.loads(pickle.dumps(data))
    assert np.array_equal(again, stack.transpose(1, 0, 2, 3)[None])


def test_the_resolution_of_a_plain_tiff_is_no_pixel_size() -> None:
    facts = read_facts(str(SAMPLES / "nuclei" / "A9" / "A9 p5d.tif"))

    assert facts.pixel_sizes == {}
    assert facts.shape == (1, 1, 1, 450, 450)


def test_imagej_says_its_pixel_sizes_and_axes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    stack = np.arange(4 * 3 * 2 * 5 * 6, dtype=np.uint16).reshape(4, 3, 2, 5, 6)
    metadata = {"axes": "TZCYX", "unit": "um", "spacing": 0.5, "finterval": 2.0}
    tifffile.imwrite(path, stack, imagej=True, resolution=(10.0, 5.0), metadata=metadata)

    image = open_image(str(path))

    assert image.facts.pixel_sizes == {"X": 0.1, "Y": 0.2, "Z": 0.5, "T": 2.0}
    assert image.facts.units == {"X": "µm", "Y": "µm", "Z": "µm", "T": "s"}
    assert np.array_equal(image.data, stack.transpose(0, 2, 1, 3, 4))


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [((7, 5, 6), "QYX", "ZYX"), ((1, 5, 6), "QYX", "YX"), ((5, 6, 3), "YXS", "CYX"), ((5, 6, 4), "YXS", "CYX")],
)
def test_axes_without_a_name_here_find_their_place(
    tmp_path: Path, shape: tuple[int, ...], axes: str, expected: str
) -> None:
    path = tmp_path / "a.tif"
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    tifffile.imwrite(path, pixels, photometric="rgb" if "S" in axes else "minisblack", metadata=None)

    image = open_image(str(path))

    assert image.facts.axes == expected
    assert image.data.shape == image.facts.shape
    if "S" in axes:
        assert np.array_equal(image.data[0, :, 0], pixels.transpose(2, 0, 1)[:3])


def test_a_file_of_several_images_has_scenes(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(np.zeros((5, 6), np.uint8), metadata={"Name": "left"})
        writer.write(np.ones((7, 8), np.uint8), metadata={"Name": "right"})

    second = open_image(str(path), 1)

    assert second.facts.scenes == ("left", "right")
    assert (second.data.shape[-2:], second.facts.name) == ((7, 8), "right")
    assert int(second.data.max()) == 1
    with pytest.raises(ImageReadError, match=r"no scene 2: it has 2 \(counted from 0\)"):
        read_facts(str(path), 2)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGB", "RGBA"])
def test_pictures_of_every_kind_are_opened(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    Picture.new(mode, (6, 5)).save(path)

    image = open_image(str(path))

    assert image.data.compute().shape == image.facts.shape
    assert str(image.data.compute().dtype) == image.facts.dtype
    assert image.facts.shape[-2:] == (5, 6)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_ome_zarr_is_opened_with_its_levels(tmp_path: Path, zarr_format: Any) -> None:
    path = write_zarr(tmp_path / "a.zarr", zarr_format)

    image = open_image(str(path))

    assert image.facts.pixel_sizes == {"Y": 0.5, "X": 0.5}
    assert [(each.name, each.color) for each in image.facts.channels] == [("DAPI", "00FF00")]
    assert [level.shape[-2:] for level in image.levels] == [(8, 8), (4, 4)]


def write_zarr(path: Path, zarr_format: Any, **more: Any) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    datasets = []
    for level in (0, 1):
        side = 8 >> level
        group.create_array(str(level), shape=(1, side, side), dtype="uint8", chunks=(1, 4, 4))
        scale = [{"type": "scale", "scale": [1.0, 0.5 * 2**level, 0.5 * 2**level]}]
        datasets.append({"path": str(level), "coordinateTransformations": scale})
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    said = {
        "multiscales": [{"axes": axes, "datasets": datasets}],
        "omero": {"channels": [{"label": "DAPI", "color": "00ff00"}]},
        **more,
    }
    group.attrs.update(said if zarr_format == 2 else {"ome": {"version": "0.5", **said}})
    return path


def test_the_parts_of_a_converted_file_are_scenes(tmp_path: Path) -> None:
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for name in "01":
        write_zarr(tmp_path / "a.zarr" / name, 2)

    assert read_facts(str(tmp_path / "a.zarr")).scenes == ("0", "1")
    assert open_image(str(tmp_path / "a.zarr"), 1).data.shape == (1, 1, 1, 8, 8)


def test_a_path_that_leaves_its_store_is_refused(tmp_path: Path) -> None:
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    root.attrs["plate"] = {"wells": [{"path": "../../etc"}]}

    with pytest.raises(ImageReadError, match="leaves the store"):
        read_facts(str(tmp_path / "a.zarr"))


def test_what_is_damaged_or_no_image_is_told(tmp_path: Path) -> None:
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, np.zeros((50, 50), np.uint8))
    for name, content in {
        "cut.tif": whole.read_bytes()[:100],
        "half.tif": whole.read_bytes()[:-1200],
        "empty.tif": b"",
        "cut.png": b"\x89PNG\r\n\x1a\n123",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageReadError, match=name):
            read_facts(str(tmp_path / name))
    with pytest.raises(ImageReadError, match="No such file"):
        open_image(str(tmp_path / "gone.tif"))
    with pytest.raises(UnknownImageError, match="no Zarr store"):
        open_image(str(tmp_path))


def test_pixels_that_are_damaged_are_told_when_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[0].dataoffsets[0]
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)

    with pytest.raises(ImageReadError, match="damaged: its pixels cannot be read"):
        open_image(str(path)).data.compute()


def test_entities_of_ome_xml_are_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("told")
    xml = f"""<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY e SYSTEM "file://{secret}">]>
    <OME><Image ID="Image:0" Name="n"><AcquisitionDate>&e;</AcquisitionDate></Image></OME>"""

    assert "told" not in str(image_statements(xml))


def test_phases_that_ome_counts_as_time_points_are_time_points(tmp_path: Path) -> None:
    phases = np.arange(4 * 2 * 5 * 6, dtype=np.uint8).reshape(1, 4, 2, 5, 6)
    tifffile.imwrite(tmp_path / "a.ome.tif", phases, metadata={"axes": "TPCYX"}, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        assert tif.series[0].axes == "PCYX"
        assert 'SizeT="4"' in str(tif.ome_metadata)

    image = open_image(str(tmp_path / "a.ome.tif"))

    assert image.facts.axes == "TCYX"
    assert np.array_equal(image.data.values[:, :, 0], phases[0])


def test_pieces_are_put_together_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_MOST_PIECES", 10)
    pixels = np.arange(15 * 16).reshape(15, 16)

    array = lazy.canonical("a.tif", pixels, "YX", (1, 2))

    assert array.npartitions <= 10
    np.testing.assert_array_equal(array[0, 0, 0].compute(), pixels)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tif")
    with pytest.raises(ImageReadError, match="is not a regular file"):
        read_facts(str(tmp_path / "a.tif"))
    assert kind_of(str(tmp_path / "a.tif")) == ""
