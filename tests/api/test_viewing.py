"""What `Request` opens and displays, on a built-in service and on a minimal one that inherits from nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bioimageit_core.api import Request
from bioimageit_core.containers import ProcessedData
from bioimageit_core.core.exceptions import (
    DataServiceError,
    UnsupportedError,
)


def test_an_experiment_is_displayed_as_text(
    request_: Request, images: Path, a_result: Callable[..., ProcessedData], capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = request_.create_experiment("My experiment")
    request_.import_dir(experiment, str(images), "tif$")
    request_.annotate_from_name(experiment, "population", ["p1"])
    a_result(request_, experiment, request_.query(experiment, "data")[0], "blur")

    text = request_.display_experiment(experiment)

    assert capsys.readouterr().out == ""
    assert "Experiment My experiment" in text
    assert "p1_a_3.tif (imagetiff): population=p1" in text
    assert "dataset blur: 1 data" in text


def test_images_and_tables_are_viewed(request_: Request, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    tifffile = pytest.importorskip("tifffile")
    image = numpy.arange(12, dtype="uint8").reshape(3, 4)
    tifffile.imwrite(tmp_path / "i.tif", image)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    experiment = request_.create_experiment("e")
    for name in ("i.tif", "t.csv"):
        request_.import_data(experiment, str(tmp_path / name))
    first, second = request_.query(experiment, "data")

    assert (numpy.asarray(request_.view_data(first.md_uri)) == image).all()
    assert list(request_.view_data(second).columns) == ["a", "b"]


def test_a_truncated_image_is_a_clear_error(on_minimal: Request, images: Path) -> None:
    pytest.importorskip("tifffile")
    data = on_minimal.import_data(on_minimal.create_experiment("e"), str(images / "p1_a_3.tif"))

    with pytest.raises(DataServiceError, match=r"p1_a_3\.tif' cannot be read as imagetiff"):
        on_minimal.view_data(data.md_uri)


def test_a_format_without_reader_is_unsupported(on_minimal: Request, images: Path) -> None:
    data = on_minimal.import_data(on_minimal.create_experiment("e"), str(images / "p1_a_3.tif"), format_="movietxt")

    with pytest.raises(UnsupportedError, match="read the format 'movietxt'"):
        on_minimal.view_data(data.md_uri)


def test_more_formats_are_viewed(on_minimal: Request, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    zarr = pytest.importorskip("zarr")
    io = pytest.importorskip("skimage.io")
    image = numpy.arange(12, dtype="uint8").reshape(3, 4)
    io.imsave(str(tmp_path / "i.png"), image, check_contrast=False)
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n")
    zarr.save_array(str(tmp_path / "plain.zarr"), image)
    zarr.open_group(str(tmp_path / "levels.zarr"), mode="w").create_array("0", data=image)
    experiment = on_minimal.create_experiment("e")
    viewed = {}
    for name in ("i.png", "t.tsv", "plain.zarr", "levels.zarr"):
        data = on_minimal.import_data(experiment, f"file://{tmp_path}/{name}", name)
        viewed[name] = on_minimal.view_data(data.md_uri)

    assert list(viewed.pop("t.tsv").columns) == ["a", "b"]
    assert all((numpy.asarray(view) == image).all() for view in viewed.values())


def test_a_format_whose_library_is_missing_says_how_to_get_it(
    on_minimal: Request, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    data = on_minimal.import_data(on_minimal.create_experiment("e"), str(images / "p1_a_3.tif"))

    with pytest.raises(UnsupportedError, match=r"tifffile is not installed \(pip install"):
        on_minimal.view_data(data.md_uri)


def test_a_large_dataset_is_displayed_in_part(on_minimal: Request, images: Path) -> None:
    experiment = on_minimal.create_experiment("e")
    for number in range(25):
        on_minimal.import_data(experiment, str(images / "p1_a_3.tif"), f"n{number}")

    text = on_minimal.display_experiment(experiment)

    assert "n19 (imagetiff)" in text
    assert "n20 (imagetiff)" not in text
    assert "… and 5 more" in text


def test_data_are_viewed_by_what_they_are(
    on_minimal: Request, images: Path, a_result: Callable[..., ProcessedData], tmp_path: Path
) -> None:
    experiment = on_minimal.create_experiment("e")
    raw = on_minimal.import_data(experiment, str(images / "p1_a_3.tif"))
    result = a_result(on_minimal, experiment, raw, "blur", str(images / "p2_a_7.tif"))

    assert Path(on_minimal.download_data(result.md_uri, str(tmp_path / "r.tif"))).read_bytes() == b"p2_a_7.tif"
    with pytest.raises(DataServiceError, match="failed in get_raw_data: KeyError: 'nowhere'"):
        on_minimal.download_data("nowhere", str(tmp_path / "x.tif"))
