"""What comes in with images: what they say of themselves, their scenes one by one, copies in open formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models import open_ome_zarr
from PIL import Image as Picture

from bioimageit_core.api import Request, describing
from bioimageit_core.containers import Experiment, RawData
from bioimageit_core.core.exceptions import ConfigError, DataServiceError, UnsupportedError
from bioimageit_core.core.observer import Observer
from bioimageit_core.testing.memory import MemoryMetadataService

PIXELS = np.arange(2 * 30 * 40, dtype=np.uint16).reshape(2, 30, 40)
SAID = {
    "axes": "CYX",
    "PhysicalSizeX": 0.5,
    "PhysicalSizeXUnit": "µm",
    "Channel": {"Name": ["DAPI", "GFP"]},
    "AcquisitionDate": "2024-05-06T07:08:09",
}


class Ears(Observer):
    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []
        self.percents: list[int] = []

    def notify_warning(self, message: str, job_id: int = 0) -> None:
        self.warnings.append(message)

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        self.percents.append(progress)


def write_image(path: Path, scenes: int = 1) -> str:
    with tifffile.TiffWriter(path, ome=True) as tif:
        for number in range(scenes):
            tif.write(PIXELS + number, metadata=SAID | {"Name": f"field {number}"}, photometric="minisblack")
    return str(path)


@pytest.fixture(params=["LOCAL", "a service that knows nothing of metadata"])
def req(request: pytest.FixtureRequest) -> Request:
    made = Request(log=False, debug=False)
    if request.param != "LOCAL":
        made.data_service = MemoryMetadataService()
    return made


@pytest.fixture
def ears(req: Request) -> Ears:
    ears = Ears()
    req.add_observer(ears)
    return ears


@pytest.fixture
def experiment(req: Request, tmp_path: Path) -> Experiment:
    (tmp_path / "in").mkdir()
    return req.create_experiment("e", destination=str(tmp_path))


def raw(req: Request, experiment: Experiment) -> dict[str, RawData]:
    found = req.query(req.get_experiment(experiment.md_uri), "data")
    return {data.name: data for data in found if isinstance(data, RawData)}


def test_an_import_records_what_the_image_says_and_who_read_it(
    req: Request, experiment: Experiment, tmp_path: Path
) -> None:
    data = req.import_data(experiment, write_image(tmp_path / "a.ome.tif"))

    said = req.get_raw_data(data.md_uri).metadata
    assert [said[key] for key in ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT")] == [40, 30, 1, 2, 1]
    assert (said["PhysicalSizeX"], said["PhysicalSizeXUnit"]) == (0.5, "µm")
    assert said["ChannelNames"] == ["DAPI", "GFP"]
    assert said["AcquisitionDate"] == "2024-05-06T07:08:09"
    assert (said["Reader"], said["ReaderVersion"]) == ("tifffile", tifffile.__version__)
    assert data.metadata == said


def test_a_folder_records_it_too_and_tells_what_is_no_image(
    req: Request, experiment: Experiment, ears: Ears, tmp_path: Path
) -> None:
    write_image(tmp_path / "in" / "a.tif")
    write_image(tmp_path / "in" / "b.tif")
    (tmp_path / "in" / "c.tif").write_bytes(b"no image")

    req.import_dir(experiment, str(tmp_path / "in"), directory_tag_key="Folder")

    found = raw(req, experiment)
    assert [data.metadata.get("SizeX") for data in found.values()] == [40, 40, None]
    assert {data.key_value_pairs["Folder"] for data in found.values()} == {"in"}
    (warning,) = ears.warnings
    assert warning.startswith("1 of 3 files do not read as images; the first: ")


def test_what_somebody_wrote_stays_when_the_file_is_imported_again(
    req: Request, experiment: Experiment, tmp_path: Path
) -> None:
    path = write_image(tmp_path / "a.tif")
    data = req.import_data(experiment, path, describe=False)
    assert data.metadata == {}
    data.metadata["SizeX"] = "forty"
    req.update_raw_data(data)

    again = req.import_data(experiment, path)

    assert again.uuid == data.uuid
    assert (again.metadata["SizeX"], again.metadata["SizeY"]) == ("forty", 30)


def test_folders_of_many_small_files_are_looked_into_later(
    req: Request, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        write_image(tmp_path / "in" / f"{name}.tif")
    monkeypatch.setattr(describing, "_FEW", 2)

    req.import_dir(experiment, str(tmp_path / "in"))
    assert [data.metadata for data in raw(req, experiment).values()] == [{}, {}, {}]

    done = req.describe_images(experiment)
    assert (done.count, done.unread) == (3, {})
    assert [data.metadata["SizeX"] for data in raw(req, experiment).values()] == [40, 40, 40]
    assert req.describe_images(experiment).count == 0
    monkeypatch.setattr(describing, "_LARGE", 10)
    assert describing.is_cheap_to_describe(str(tmp_path / "in"), "", recursive=False)


def test_images_are_described_anew_and_what_they_do_not_say_stays(
    req: Request, experiment: Experiment, tmp_path: Path
) -> None:
    data = req.import_data(experiment, write_image(tmp_path / "a.tif"))
    data.metadata |= {"ReaderVersion": "an older one", "Staining": "DAPI"}
    req.update_raw_data(data)

    assert req.describe_images(experiment, anew=True).count == 1

    said = req.get_raw_data(data.md_uri).metadata
    assert (said["ReaderVersion"], said["Staining"]) == (tifffile.__version__, "DAPI")


def test_each_scene_becomes_a_data(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    path = write_image(tmp_path / "plate.ome.tif", scenes=3)

    one = req.import_data(experiment, path)
    each = req.import_scenes(experiment, path, key_value_pairs={"Day": "1"})

    assert one.metadata["Scenes"] == ["field 0", "field 1", "field 2"]
    assert [data.name for data in each] == ["plate_0.ome.tiff", "plate_1.ome.tiff", "plate_2.ome.tiff"]
    assert [data.metadata["Name"] for data in each] == ["field 0", "field 1", "field 2"]
    assert "Scenes" not in each[1].metadata
    assert each[1].metadata["ConvertedFrom"]["Scene"] == 1
    assert np.array_equal(req.view_data(each[2].md_uri).values, PIXELS + 2)
    assert {data.key_value_pairs["Day"] for data in each} == {"1"}
    assert [data.uuid for data in req.import_scenes(experiment, path)] == [data.uuid for data in each]


def test_a_file_with_one_image_is_no_copy(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    (data,) = req.import_scenes(experiment, write_image(tmp_path / "a.tif"))

    assert (data.name, data.format) == ("a.tif", "imagetiff")
    assert "ConvertedFrom" not in data.metadata


@pytest.mark.parametrize("form", ["ome-zarr", "ome-zarr-0.4", "ome-tiff"])
def test_a_copy_in_an_open_format_knows_its_original(
    req: Request, experiment: Experiment, ears: Ears, tmp_path: Path, form: str
) -> None:
    path = write_image(tmp_path / "a.tif")

    data = req.import_data(experiment, path, convert=form)

    assert data.format == ("imagetiff" if form == "ome-tiff" else "imagezarr")
    assert np.array_equal(np.squeeze(req.view_data(data.md_uri).values), PIXELS)
    origin = data.metadata["ConvertedFrom"]
    assert (origin["Name"], origin["Size"], origin["To"]) == ("a.tif", Path(path).stat().st_size, form)
    assert data.metadata["AcquisitionDate"] == "2024-05-06T07:08:09"
    assert ears.percents[-1] == 100
    assert req.import_data(experiment, path, convert=form).uuid == data.uuid


@pytest.mark.parametrize("form", ["ome-zarr", "ome-zarr-0.4", "ome-tiff"])
def test_a_copy_of_several_scenes_holds_them_all(tmp_path: Path, form: str) -> None:
    req = Request(log=False, debug=False)
    experiment = req.create_experiment("e", destination=str(tmp_path))

    data = req.import_data(experiment, write_image(tmp_path / "plate.ome.tif", scenes=3), convert=form)

    assert len(data.metadata["Scenes"]) == 3
    assert np.array_equal(req.open_image(data, 2).data.values[0, :, 0], PIXELS + 2)
    if form == "ome-zarr-0.4":
        open_ome_zarr(zarr.open_group(data.uri, mode="r"))


def test_a_folder_is_converted_and_what_fails_stops_nothing(
    req: Request, experiment: Experiment, ears: Ears, tmp_path: Path
) -> None:
    write_image(tmp_path / "in" / "a.tif")
    (tmp_path / "in" / "b.tif").write_bytes(b"no image")
    write_image(tmp_path / "in" / "c.ome.tif", scenes=2)

    with pytest.raises(DataServiceError, match=r"1 of 3 files were not imported: .*b\.tif"):
        req.import_dir(experiment, str(tmp_path / "in"), convert="ome-tiff", each_scene=True, directory_tag_key="F")

    assert list(raw(req, experiment)) == ["a.ome.tiff", "c_0.ome.tiff", "c_1.ome.tiff"]
    assert ears.percents == sorted(ears.percents)


def test_a_copy_cannot_stay_where_it_lies(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match="cannot be imported with mode 'reference'"):
        req.import_data(experiment, write_image(tmp_path / "a.tif"), convert="ome-tiff", mode="reference")
    with pytest.raises(UnsupportedError, match=r"known: ome-zarr, ome-zarr-0\.4, ome-tiff"):
        req.import_data(experiment, str(tmp_path / "a.tif"), convert="jpeg")


def test_the_format_is_found_by_name_or_by_content(req: Request, experiment: Experiment, tmp_path: Path) -> None:
    write_image(tmp_path / "in" / "a.tif")
    write_image(tmp_path / "in" / "nameless")
    Picture.fromarray(PIXELS[0].astype(np.uint8)).save(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "notes").write_text("not an image")

    with pytest.raises(ConfigError, match=r"2 imagetiff, 1 imagepng, 1 unknown.*'auto'"):
        req.import_dir(experiment, str(tmp_path / "in"))
    with pytest.raises(DataServiceError, match="the name 'notes' does not tell a format"):
        req.import_dir(experiment, str(tmp_path / "in"), format_="auto")

    found = {name: data.format for name, data in raw(req, experiment).items()}
    assert found == {"a.tif": "imagetiff", "b.png": "imagepng", "nameless": "imagetiff"}
