"""ND2: what Nikon's files say of their images, their pixels, and how they come into an experiment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import nd2
import numpy as np
import pytest
from tests.images.nd2_file import Nd2Image, write_nd2
from typer.testing import CliRunner

from bioimageit_core.api import Request
from bioimageit_core.cli.app import app
from bioimageit_core.images.model import ImageReadError
from bioimageit_core.images.reading import open_image, read_facts
from bioimageit_core.images.thumbnails import thumbnail_of

SERIES = np.arange(2 * 2 * 2 * 3 * 20 * 30, dtype=np.uint16).reshape(2, 2, 2, 3, 20, 30)
FIELDS = Nd2Image(
    SERIES,
    {"X": 0.25, "Z": 0.5, "T": 2.0},
    [("DAPI", "0000FF"), ("GFP", "00FF00")],
    positions=["left", "right"],
    taken=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    objective={"wsObjectiveName": "Plan Apo 60x Oil", "dObjectiveMag": 60.0, "dObjectiveNA": 1.4},
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write_nd2(tmp_path / "cells.nd2", FIELDS)


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
        "ChannelNames": ["DAPI", "GFP"],
        "ChannelColors": ["0000FF", "00FF00"],
        "Name": "left",
        "AcquisitionDate": "2024-05-06T07:08:09Z",
        "Objective": {"Model": "Plan Apo 60x Oil", "NominalMagnification": 60.0, "LensNA": 1.4},
        "Scenes": ["left", "right"],
        "Reader": "nd2",
        "ReaderVersion": nd2.__version__,
    }


def test_every_position_of_the_stage_is_an_image(path: str) -> None:
    first, second = open_image(path), open_image(path, 1)

    assert np.array_equal(first.data, SERIES[0])
    assert np.array_equal(second.data, SERIES[1])
    assert np.array_equal(second.data.sel(C="GFP").isel(T=1, Z=2), SERIES[1, 1, 1, 2])
    assert first.data.data.chunksize == (1, 2, 1, 20, 30)
    assert second.facts.name == "right"
    with pytest.raises(ImageReadError, match=r"no scene 2: it has 2 \(counted from 0\)"):
        read_facts(path, 2)


def test_the_pixels_of_an_image_that_nobody_calibrated_have_no_size(tmp_path: Path) -> None:
    path = write_nd2(tmp_path / "a.nd2", Nd2Image(SERIES[:1, :1, :1, :1], {}, [("BF", "FFFFFF")]))

    image = open_image(path)

    assert (image.facts.axes, image.facts.pixel_sizes, image.facts.scenes) == ("YX", {}, ("",))
    assert np.array_equal(image.data[0, 0, 0], SERIES[0, 0, 0, 0])


@pytest.mark.parametrize(("samples", "is_rgb"), [(3, True), (4, False)])
def test_colours_are_channels(tmp_path: Path, samples: int, is_rgb: bool) -> None:
    pixels = np.arange(20 * 30 * samples, dtype=np.uint8).reshape(20, 30, samples)
    path = write_nd2(tmp_path / "a.nd2", Nd2Image(pixels, {"X": 0.5}, [("Brightfield", "FFFFFF")]))

    image = open_image(path)

    assert (image.facts.axes, image.facts.is_rgb) == ("CYX", is_rgb)
    assert np.array_equal(image.data[0, :, 0], pixels.transpose(2, 0, 1))


def test_a_file_that_is_cut_off_is_told(path: str) -> None:
    whole = Path(path).read_bytes()
    for length in (len(whole) // 2, 100, 10):
        Path(path).write_bytes(whole[:length])
        with pytest.raises(ImageReadError, match="nd2 cannot read it"):
            open_image(path)


def test_it_has_a_thumbnail(path: str) -> None:
    assert thumbnail_of(path).stat().st_size > 0


def test_an_import_records_what_it_says_and_who_read_it(path: str, tmp_path: Path) -> None:
    request = Request(log=False, debug=False)
    experiment = request.create_experiment("e", destination=str(tmp_path))

    data = request.import_data(experiment, path)

    said = request.get_raw_data(data.md_uri).metadata
    assert said == read_facts(path).document()


def test_it_is_converted_position_by_position(path: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(f'{{"workspace": "{tmp_path}", "log_dir": "{tmp_path}"}}')
    command = ["--config", str(config)]
    assert CliRunner().invoke(app, [*command, "create", "e"]).exit_code == 0

    done = CliRunner().invoke(app, [*command, "import", "e", path, "--convert", "ome-zarr", "--scenes", "each"])

    assert (done.exit_code, "2 new data" in done.output) == (0, True), done.output
    copy = open_image(str(tmp_path / "e" / "data" / "cells_1.ome.zarr"))
    assert np.array_equal(copy.data, SERIES[1])
    assert copy.facts.pixel_sizes == {"T": 2.0, "Z": 0.5, "Y": 0.25, "X": 0.25}
    assert [channel.name for channel in copy.facts.channels] == ["DAPI", "GFP"]
