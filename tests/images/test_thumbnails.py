"""Thumbnails: the same everywhere, made once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from bioimageit_core.api import Request
from bioimageit_core.images.cache import DIRECTORY_VARIABLE
from bioimageit_core.images.model import Channel, ImageReadError
from bioimageit_core.images.thumbnails import channel_colors, label_colors, thumbnail_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def drawn(path: Path) -> np.ndarray:
    with Picture.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_channels_are_added_in_their_colours(tmp_path: Path) -> None:
    image = np.zeros((2, 40, 40), np.uint16)
    image[0, :, :20], image[1, :, 20:] = 500, 60000
    metadata = {"axes": "CYX", "Channel": {"Name": ["a", "b"], "Color": [65535, 16711935]}}  # blue, green
    tifffile.imwrite(tmp_path / "a.ome.tif", image, metadata=metadata, photometric="minisblack")

    pixels = drawn(thumbnail_of(str(tmp_path / "a.ome.tif")))

    assert pixels[5, 5].tolist() == [0, 0, 255]
    assert pixels[5, 35].tolist() == [0, 255, 0]


def test_of_a_series_the_middle_is_drawn_and_of_a_stack_the_maximum(tmp_path: Path) -> None:
    image = np.zeros((3, 2, 10, 10), np.uint8)
    image[1, 0, :5], image[1, 1, :, :5] = 200, 200
    image[0], image[2] = 77, 77
    tifffile.imwrite(tmp_path / "a.ome.tif", image, metadata={"axes": "TZYX"}, photometric="minisblack")

    pixels = drawn(thumbnail_of(str(tmp_path / "a.ome.tif")))[..., 0] > 0

    assert pixels[:5].all()
    assert pixels[:, :5].all()
    assert not pixels[5:, 5:].any()


def test_labels_have_colours_of_their_own(tmp_path: Path) -> None:
    labels = np.zeros((30, 30), np.uint16)
    labels[:10], labels[20:] = 7, 8
    tifffile.imwrite(tmp_path / "a_labels.tif", labels)

    pixels = drawn(thumbnail_of(str(tmp_path / "a_labels.tif"), name="a_labels.tif"))

    assert pixels[15, 15].tolist() == [0, 0, 0]
    assert pixels[5, 5].tolist() == label_colors(np.array([[7]]))[0, 0].tolist()
    assert len({tuple(color) for color in label_colors(np.arange(50)[None])[0].tolist()}) == 50


def test_a_large_image_is_made_small(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.random.default_rng(0).integers(0, 9, (1500, 700), np.uint8))

    assert drawn(thumbnail_of(str(tmp_path / "a.tif"), 100)).shape[0] == 100


def test_a_thumbnail_is_made_once_and_anew_when_the_image_changes(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.eye(20, dtype=np.uint8))
    first = thumbnail_of(str(path))
    made = os.stat(first).st_mtime_ns

    assert thumbnail_of(str(path)) == first
    assert os.stat(first).st_mtime_ns == made
    tifffile.imwrite(path, np.ones((20, 30), np.uint8))
    assert thumbnail_of(str(path)) != first
    assert drawn(thumbnail_of(str(path))).shape == (20, 30, 3)
    assert not [name for _, _, names in os.walk(cache) for name in names if name.startswith(".")]


def test_what_cannot_be_drawn_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0no")

    with pytest.raises(ImageReadError):
        thumbnail_of(str(tmp_path / "a.tif"))
    assert not [name for _, _, names in os.walk(cache) for name in names]


def test_colours_that_tell_nothing_are_replaced() -> None:
    white = (Channel("a", "FFFFFF"), Channel("b", "FFFFFF"))

    assert channel_colors(white[:1], 1) == [(1.0, 1.0, 1.0)]
    assert len(set(channel_colors(white, 2))) == 2


def test_a_request_draws_its_data(tmp_path: Path) -> None:
    request = Request(log=False, debug=False)
    image = np.zeros((40, 40), np.float32)
    image[10:20] = np.nan
    image[20:] = 3
    tifffile.imwrite(tmp_path / "a.tif", image)
    experiment = request.create_experiment("e", destination=str(tmp_path))
    data = request.import_data(experiment, str(tmp_path / "a.tif"))

    pixels = drawn(request.thumbnail(data, 32))

    assert pixels.shape == (32, 32, 3)
    assert pixels[-1].min() == 255
    assert request.image_facts(data).dtype == "float32"
    assert request.open_image(data).data.shape == (1, 1, 1, 40, 40)


@pytest.mark.parametrize(
    ("side", "chunk"),
    [
        pytest.param(10**9, 10**9, id="in one piece"),
        pytest.param(10**9, 1, id="in pixels"),
        pytest.param(3 * 10**5, 10**4, id="in pieces that would take long"),
    ],
)
def test_a_few_bytes_that_announce_more_than_a_machine_holds_have_no_picture(
    side: int, chunk: int, tmp_path: Path
) -> None:
    array = {"zarr_format": 3, "node_type": "array", "shape": [side, side], "data_type": "uint8", "fill_value": 0}
    array["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": [chunk, chunk]}}
    array |= {"chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "bytes"}]}
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text(json.dumps(array))

    with pytest.raises(ImageReadError, match=r"GiB|large pieces"):
        thumbnail_of(str(tmp_path / "a.zarr"))
