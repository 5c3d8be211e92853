"""What napari is told of images."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from bioimageit_core.api import Request
from bioimageit_core.core.exceptions import UnsupportedError
from bioimageit_core.images.layers import layers_of
from bioimageit_core.images.reading import open_image

SAID = {
    "axes": "ZCYX",
    "PhysicalSizeX": 0.25,
    "PhysicalSizeXUnit": "µm",
    "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, -16776961]},
}


def write_stack(path: Path) -> str:
    stack = np.arange(3 * 2 * 20 * 30, dtype=np.uint16).reshape(3, 2, 20, 30)
    tifffile.imwrite(path, stack, metadata=SAID, photometric="minisblack")
    return str(path)


def test_each_channel_is_a_layer_with_its_colour_contrast_and_pixel_size(tmp_path: Path) -> None:
    first, second = layers_of(open_image(write_stack(tmp_path / "a.ome.tif")), "cells")

    pixels, about, kind = first
    assert (pixels.shape, kind) == ((3, 20, 30), "image")
    assert (about["name"], second[1]["name"]) == ("cells DAPI", "cells GFP")
    assert about["colormap"] == [(0.0, 0.0, 0.0), (0.0, 0.0, 1.0)]
    assert (about["axis_labels"], about["scale"]) == (["Z", "Y", "X"], [1.0, 1.0, 0.25])
    assert about["units"] == ["pixel", "pixel", "µm"]
    low, high = about["contrast_limits"]
    assert 1200 <= low < high < 1800  # of the middle plane
    assert not isinstance(pixels, np.ndarray)


@pytest.mark.parametrize(("name", "words"), [("a_labels.tif", ""), ("a.tif", "Segmentation")])
def test_labels_are_a_layer_of_labels(tmp_path: Path, name: str, words: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.eye(8, dtype=bool))

    ((pixels, about, kind),) = layers_of(open_image(str(tmp_path / "a.tif")), name, words)

    assert (kind, about["name"], pixels.dtype.kind) == ("labels", name, "i")


def test_a_picture_in_colours_is_one_layer(tmp_path: Path) -> None:
    colours = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    Picture.fromarray(colours).save(tmp_path / "a.png")

    ((pixels, about, _),) = layers_of(open_image(str(tmp_path / "a.png")), "a.png")

    assert about["rgb"]
    assert np.array_equal(pixels.compute(), colours)


def test_images_are_opened_in_a_viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request(log=False, debug=False)
    experiment = request.create_experiment("e", destination=str(tmp_path))
    data = request.import_data(experiment, write_stack(tmp_path / "a.ome.tif"))
    shown: list[Any] = []
    layer = SimpleNamespace(create=lambda pixels, about, kind: about["name"])
    viewer = SimpleNamespace(add_layer=shown.append)
    napari = SimpleNamespace(layers=SimpleNamespace(Layer=layer), Viewer=lambda: viewer, current_viewer=lambda: None)

    monkeypatch.setitem(sys.modules, "napari", None)
    with pytest.raises(UnsupportedError, match="napari is not installed: pip install"):
        request.open_in_napari(data)
    monkeypatch.setitem(sys.modules, "napari", napari)
    assert request.open_in_napari([data]) is viewer

    assert shown == ["a.ome.tif DAPI", "a.ome.tif GFP"]
