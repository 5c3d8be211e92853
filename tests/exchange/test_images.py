"""Images of an experiment as OME-Zarr and OME-TIFF: valid, with labels, plates and where they come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models import open_ome_zarr

from bioimageit_core.api import Request
from bioimageit_core.containers import Experiment, ProcessedData, Run
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.exchange.image_places import free_name
from bioimageit_core.images.reading import open_image, read_facts

PIXELS = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)


@pytest.fixture
def request_() -> Request:
    return Request(log=False, debug=False)


@pytest.fixture
def experiment(request_: Request, tmp_path: Path) -> Experiment:
    made = request_.create_experiment("e", destination=str(tmp_path))
    said = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"i{number}.ome.tif", PIXELS + number, metadata=said)
        pairs = {"Row": "B", "Column": str(number), "drug": "none"}
        request_.import_data(made, str(tmp_path / f"i{number}.ome.tif"), key_value_pairs=pairs)
    first = request_.query(made, "data")[0]
    dataset = request_.create_dataset(made, "segmentation")
    run = Run()
    run.set_process("otsu_v1", "otsu.xml")
    run.set_dataset(dataset)
    run.add_parameter("sigma", "2")
    run = request_.create_run(dataset, run)
    labels = np.zeros((40, 60), np.int32)
    labels[5:9, 5:9] = 3
    result = ProcessedData()
    result.set_info("labels_i1.tif", "ada", "2024-01-01", "imagetiff", "")
    result.add_input("image", first)
    result.set_output("labels", "Labels")
    result.run = run
    placed = request_.data_service.create_data_uri(dataset, run, result)
    tifffile.imwrite(placed.uri, labels)
    request_.create_data(dataset, run, placed)
    return request_.get_experiment(made.md_uri)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_wells_become_a_plate_with_labels_and_provenance(
    request_: Request, experiment: Experiment, tmp_path: Path, version: str
) -> None:
    report = request_.export(experiment, str(tmp_path / "out"), "ome-zarr", version=version)

    plate = tmp_path / "out" / "plate.ome.zarr"
    assert (report.written, report.left_out) == (3, [])
    assert type(open_ome_zarr(zarr.open_group(str(plate), mode="r"))).__name__ == "HCS"
    assert read_facts(str(plate)).scenes == ("B/1/0", "B/2/0")
    assert np.array_equal(open_image(str(plate), 1).data.squeeze(), PIXELS + 2)
    found = open_image(str(plate / "B" / "1" / "0" / "labels" / "segmentation_labels"))
    assert found.facts.is_labels
    assert int(found.data.max()) == 3
    told = provenance(plate / "B" / "1" / "0" / "labels" / "segmentation_labels")
    assert told["run"]["tool"] == "otsu_v1"
    assert told["run"]["parameters"] == {"sigma": "2"}
    assert provenance(plate / "B" / "2" / "0")["data"]["key_value_pairs"]["drug"] == "none"
    assert str(tmp_path) not in json.dumps(told)


def provenance(path: Path) -> dict[str, Any]:
    told = dict(zarr.open_group(str(path), mode="r").attrs)["bioimageit"]
    assert isinstance(told, dict)
    return told


def test_an_export_that_was_interrupted_goes_on(request_: Request, experiment: Experiment, tmp_path: Path) -> None:
    out = tmp_path / "out"
    planned = request_.export(experiment, str(out), "ome-zarr", dry_run=True)
    assert not out.exists()
    first = request_.export(experiment, str(out), "ome-zarr")
    again = request_.export(experiment, str(out), "ome-zarr")

    assert (planned.written, first.written) == (3, 3)
    assert (again.written, again.present) == (0, 3)


def test_a_damaged_image_is_told_and_stops_nothing(request_: Request, experiment: Experiment, tmp_path: Path) -> None:
    Path(request_.query(experiment, "data")[1].uri).write_bytes(b"II*\0no")

    report = request_.export(experiment, str(tmp_path / "out"), "ome-zarr")

    assert report.written == 2
    assert "i2.ome.tif" in report.left_out[0]
    assert read_facts(str(tmp_path / "out" / "plate.ome.zarr")).scenes == ("B/1/0",)


def test_images_become_ome_tiffs(request_: Request, experiment: Experiment, tmp_path: Path) -> None:
    report = request_.export(experiment, str(tmp_path / "out"), "ome-tiff")

    image = open_image(str(tmp_path / "out" / "data" / "i1.ome.tiff"))
    assert report.written == 3
    assert np.array_equal(image.data.squeeze(), PIXELS + 1)
    assert image.facts.pixel_sizes == {"X": 0.5}
    assert (tmp_path / "out" / "segmentation" / "labels_i1.ome.tiff").is_file()
    assert request_.export(experiment, str(tmp_path / "out"), "ome-tiff").present == 3


def test_a_version_that_is_not_there_is_refused(request_: Request, experiment: Experiment, tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match=r"expected 0\.5 or 0\.4"):
        request_.export(experiment, str(tmp_path / "out"), "ome-zarr", version="0.3")
    assert not (tmp_path / "out").exists()


def test_names_are_told_apart() -> None:
    taken: set[str] = set()

    assert [free_name(name, ".ome.zarr", taken) for name in ("a.tif", "A.png", "../a")] == [
        "a.ome.zarr",
        "A_2.ome.zarr",
        free_name("../a", ".ome.zarr", set()),
    ]
