"""LIF: what Leica's files say of their images, their pixels, and how they come into an experiment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import liffile
import numpy as np
import pytest
from tests.images.lif_file import LifScene, write_lif
from typer.testing import CliRunner

from bioimageit_core.api import Request
from bioimageit_core.cli.app import app
from bioimageit_core.images.model import ImageReadError
from bioimageit_core.images.reading import open_image, read_facts
from bioimageit_core.images.thumbnails import thumbnail_of

SERIES = np.arange(2 * 2 * 3 * 20 * 30, dtype=np.uint16).reshape(2, 2, 3, 20, 30)
PLANE = np.arange(16 * 24, dtype=np.uint8).reshape(1, 1, 1, 16, 24)
OBJECTIVE = {"ObjectiveName": "HC PL APO 63x/1.40 OIL", "Magnification": "63", "NumericalAperture": "1.4"}
SCENES = [
    LifScene(
        "left",
        SERIES,
        {"X": 0.25e-6, "Y": 0.25e-6, "Z": -0.5e-6, "T": 2.0},  # a stack that was taken downwards
        ["Blue", "Green"],
        dyes=["DAPI", "Alexa 488"],
        taken=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        settings=OBJECTIVE,
    ),
    LifScene("right", PLANE, {"X": 1e-6, "Y": 1e-6}, ["Gray"], taken=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)),
]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write_lif(tmp_path / "cells.lif", SCENES)


def test_an_image_says_what_it_is(path: str) -> None:
    assert read_facts(path).document() == {
        "SizeX": 30,
        "SizeY": 20,
        "SizeZ": 3,
        "SizeC": 2,
        "SizeT": 2,
        "Type": "uint16",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": 0.5,
        "PhysicalSizeZUnit": "µm",
        "TimeIncrement": 2.0,
        "TimeIncrementUnit": "s",
        "ChannelNames": ["DAPI", "Alexa 488"],
        "ChannelColors": ["0000FF", "00FF00"],
        "Name": "left",
        "AcquisitionDate": "2024-05-06T07:08:09",
        "Objective": {"Model": "HC PL APO 63x/1.40 OIL", "NominalMagnification": 63.0, "LensNA": 1.4},
        "Scenes": ["left", "right"],
        "Reader": "liffile",
        "ReaderVersion": liffile.__version__,
    }


def test_every_image_has_its_own_pixels_sizes_and_date(path: str) -> None:
    first, second = open_image(path), open_image(path, 1)

    assert np.array_equal(first.data, SERIES)
    assert np.array_equal(first.data.sel(C="Alexa 488").isel(T=1, Z=2), SERIES[1, 1, 2])
    assert first.data.data.chunksize == (1, 1, 1, 20, 30)
    assert np.array_equal(second.data, PLANE)
    assert (second.facts.axes, second.facts.dtype, second.facts.pixel_sizes) == ("YX", "uint8", {"X": 1.0, "Y": 1.0})
    assert (second.facts.acquired, second.facts.channels[0].name) == ("2025-01-02T03:04:05", "Gray")
    with pytest.raises(ImageReadError, match=r"no scene 2: it has 2 \(counted from 0\)"):
        read_facts(path, 2)


def test_colours_are_channels(tmp_path: Path) -> None:
    pixels = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    path = write_lif(tmp_path / "a.lif", [LifScene("stain", pixels, {}, ["Red", "Green", "Blue"], axes="YXS")])

    image = open_image(path)

    assert (image.facts.axes, image.facts.is_rgb, image.facts.pixel_sizes) == ("CYX", True, {})
    assert np.array_equal(image.data[0, :, 0], pixels.transpose(2, 0, 1))


def test_positions_of_a_tile_scan_are_images(tmp_path: Path) -> None:
    pixels = np.arange(4 * 2 * 20 * 30, dtype=np.uint16).reshape(4, 2, 20, 30)
    path = write_lif(
        tmp_path / "a.lif", [LifScene("scan", pixels, {"X": 1e-6}, ["Red", "Green"], axes="MCYX"), SCENES[1]]
    )

    third = open_image(path, 2)

    assert third.facts.scenes[2:] == ("scan (position 3 of 4)", "scan (position 4 of 4)", "right")
    assert np.array_equal(third.data[0, :, 0], pixels[2])


@pytest.mark.parametrize(("axes", "shape"), [("TX", (5, 30)), ("ZX", (5, 30)), ("ZCX", (5, 2, 30))])
def test_lines_and_sections_are_images_of_one_row(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    luts = ["Red", "Green"][: 2 if "C" in axes else 1]
    path = write_lif(tmp_path / "a.lif", [LifScene("line", pixels, {"X": 1e-6}, luts, axes=axes)])

    image = open_image(path)

    assert image.data.sizes["Y"] == 1
    assert np.array_equal(np.squeeze(image.data.transpose(*axes, ...)), pixels)


def test_a_file_that_is_cut_off_is_told(path: str) -> None:
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: whole.index(SERIES[0, 0, 0].tobytes()) + 1000])

    with pytest.raises(ImageReadError, match="cut off: not all pixels of left are there"):
        read_facts(path)
    Path(path).write_bytes(whole[:500])
    with pytest.raises(ImageReadError, match="liffile cannot read it"):
        open_image(path)


def test_it_has_a_thumbnail(path: str) -> None:
    assert thumbnail_of(path).stat().st_size > 0


def test_an_import_records_what_it_says_and_who_read_it(path: str, tmp_path: Path) -> None:
    request = Request(log=False, debug=False)
    experiment = request.create_experiment("e", destination=str(tmp_path))

    data = request.import_data(experiment, path)

    said = request.get_raw_data(data.md_uri).metadata
    assert said == read_facts(path).document()


def test_it_is_converted_image_by_image(path: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(f'{{"workspace": "{tmp_path}", "log_dir": "{tmp_path}"}}')
    command = ["--config", str(config)]
    assert CliRunner().invoke(app, [*command, "create", "e"]).exit_code == 0

    done = CliRunner().invoke(app, [*command, "import", "e", path, "--convert", "ome-zarr", "--scenes", "each"])

    assert (done.exit_code, "2 new data" in done.output) == (0, True), done.output
    copy = open_image(str(tmp_path / "e" / "data" / "cells_0.ome.zarr"))
    assert np.array_equal(copy.data, SERIES)
    assert copy.facts.pixel_sizes == {"T": 2.0, "Z": 0.5, "Y": 0.25, "X": 0.25}
    assert [channel.name for channel in copy.facts.channels] == ["DAPI", "Alexa 488"]
