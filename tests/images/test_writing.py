"""Copies in open formats: the same pixels, with smaller resolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models import open_ome_zarr

from bioimageit_core.core.exceptions import ConflictError
from bioimageit_core.images.model import OpenImage
from bioimageit_core.images.pyramid import halved
from bioimageit_core.images.reading import open_image
from bioimageit_core.images.writing import write_ome_tiff, write_ome_zarr


@pytest.fixture
def image(tmp_path: Path) -> OpenImage:
    pixels = np.random.default_rng(0).integers(0, 60000, (2, 2, 701, 1030), np.uint16)
    said = {"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "Channel": {"Name": ["a", "b"]}}
    tifffile.imwrite(tmp_path / "i.ome.tif", pixels, metadata=said, photometric="minisblack")
    return open_image(str(tmp_path / "i.ome.tif"))


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_an_ome_zarr_has_all_pixels_and_smaller_ones(image: OpenImage, tmp_path: Path, version: str) -> None:
    told: list[float] = []

    path = write_ome_zarr(image, tmp_path / "o.zarr", version, told=told.append)

    copy = open_image(str(path))
    assert (copy.data.values == image.data.values).all()
    assert [level.shape[-2:] for level in copy.levels] == [(701, 1030), (350, 515), (175, 257)]
    assert copy.facts.pixel_sizes == {"X": 0.5}
    assert [channel.name for channel in copy.facts.channels] == ["a", "b"]
    small = np.asarray(copy.levels[1][0, 1, 1])
    assert np.array_equal(small, halved(image.data.values[0, 1, 1], is_labels=False))
    assert told[-1] == 1.0
    assert zarr.open_group(str(path), mode="r").metadata.zarr_format == (3 if version == "0.5" else 2)
    open_ome_zarr(zarr.open_group(str(path), mode="r"))


def test_an_ome_tiff_has_all_pixels_and_smaller_ones(image: OpenImage, tmp_path: Path) -> None:
    path = write_ome_tiff(image, tmp_path / "o.ome.tiff")

    copy = open_image(str(path))
    assert (copy.data.values == image.data.values).all()
    assert [level.shape[-2:] for level in copy.levels] == [(701, 1030), (350, 515), (175, 257)]
    assert [channel.name for channel in copy.facts.channels] == ["a", "b"]


def test_labels_stay_labels(image: OpenImage, tmp_path: Path) -> None:
    labels = OpenImage(image.facts.replace(is_labels=True), image.levels)

    copy = open_image(str(write_ome_zarr(labels, tmp_path / "o.zarr")))

    assert copy.facts.is_labels
    assert np.array_equal(np.asarray(copy.levels[1][0, 0, 0]), image.data.values[0, 0, 0, :700:2, ::2])


def test_what_is_there_is_not_replaced(image: OpenImage, tmp_path: Path) -> None:
    (tmp_path / "o.zarr").write_text("mine")

    with pytest.raises(ConflictError):
        write_ome_zarr(image, tmp_path / "o.zarr")
    assert (tmp_path / "o.zarr").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []
