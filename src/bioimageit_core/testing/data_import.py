"""How files come in: whole, once, and with their sources as they were."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.observer import Observer
from bioimageit_core.testing.ability import ability
from bioimageit_core.testing.data_fixtures import DataFixtures, content_of, facts, listed

__all__ = ["ImportDirTests", "ImportTests"]


@ability("import")
class ImportTests(DataFixtures):
    """Files come in whole, once, and their sources stay as they are."""

    def test_an_imported_data_says_what_it_was_given(self, service: Any, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "cell 1", "grace", "imagetiff", "2024-01-02", {"Population": "a"})

        assert (data.name, data.author, data.format, data.date) == ("cell 1", "grace", "imagetiff", "2024-01-02")
        assert data.type == "raw"
        assert data.key_value_pairs == {"Population": "a"}
        assert data.md_uri
        assert data.uuid

    def test_an_imported_data_is_listed_with_its_identity(
        self, service: Any, experiment: Experiment, image: str
    ) -> None:
        data = service.import_data(experiment, image, "cell 1", "ada", "imagetiff", "now", {})
        dataset = service.get_dataset(experiment.raw_dataset.url)

        assert [(entry.md_uri, entry.uuid) for entry in dataset.uris] == [(data.md_uri, data.uuid)]

    def test_the_bytes_of_an_imported_file_come_back(
        self, service: Any, experiment: Experiment, image: str, tmp_path: Path
    ) -> None:
        data = service.import_data(experiment, image, "cell 1.tif", "ada", "imagetiff", "now", {})

        assert content_of(service, data, str(tmp_path)) == Path(image).read_bytes()

    def test_the_source_stays_as_it_is(self, service: Any, experiment: Experiment, image: str) -> None:
        before = (Path(image).read_bytes(), os.stat(image).st_mtime_ns, sorted(os.listdir(os.path.dirname(image))))
        service.import_data(experiment, image, "cell 1.tif", "ada", "imagetiff", "now", {"k": "v"})

        after = (Path(image).read_bytes(), os.stat(image).st_mtime_ns, sorted(os.listdir(os.path.dirname(image))))
        assert after == before

    def test_pairs_may_be_left_out(self, service: Any, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "cell 1.tif", "ada", "imagetiff")

        assert data.key_value_pairs == {"Population": ""}

    def test_new_keys_join_the_experiments(self, service: Any, experiment: Experiment, image: str) -> None:
        service.import_data(experiment, image, "a.tif", "ada", "imagetiff", "now", {"Dose": "1", "Population": "x"})

        assert list(service.get_experiment(experiment.md_uri).keys) == ["Population", "Dose"]

    def test_the_order_of_import_is_the_order_of_the_list(
        self, service: Any, experiment: Experiment, tmp_path: Path
    ) -> None:
        made = []
        for name in ("b", "a", "c10", "c9"):
            path = tmp_path / f"{name}.tif"
            path.write_bytes(name.encode())
            made.append(service.import_data(experiment, str(path), f"{name}.tif", "ada", "imagetiff", "now", {}).md_uri)

        assert listed(service, experiment) == made

    def test_two_files_of_one_stem_are_two_data(self, service: Any, experiment: Experiment, tmp_path: Path) -> None:
        made = []
        for name in ("a.tif", "a.csv"):
            (tmp_path / name).write_bytes(name.encode())
            made.append(service.import_data(experiment, str(tmp_path / name), name, "ada", "raw", "now", {}))

        assert made[0].md_uri != made[1].md_uri
        assert [content_of(service, data, str(tmp_path)) for data in made] == [b"a.tif", b"a.csv"]
        assert [service.get_raw_data(data.md_uri).name for data in made] == ["a.tif", "a.csv"]

    def test_a_file_that_is_not_there_imports_nothing(
        self, service: Any, experiment: Experiment, tmp_path: Path
    ) -> None:
        with pytest.raises(DataServiceError):
            service.import_data(experiment, str(tmp_path / "none.tif"), "a", "ada", "imagetiff", "now", {"New": "1"})

        assert listed(service, experiment) == []
        assert facts(service.get_experiment(experiment.md_uri)) == facts(experiment)

    def test_the_same_name_with_other_content_is_a_second_data(
        self, service: Any, experiment: Experiment, image: str, tmp_path: Path
    ) -> None:
        first = service.import_data(experiment, image, "cell 1.tif", "ada", "imagetiff", "now", {})
        other = tmp_path / "cell 1.tif"
        other.write_bytes(b"other content")
        second = service.import_data(experiment, str(other), "cell 1.tif", "ada", "imagetiff", "now", {})

        assert len(listed(service, experiment)) == 2
        assert content_of(service, first, str(tmp_path)) == Path(image).read_bytes()
        assert content_of(service, second, str(tmp_path)) == b"other content"

    @ability("import again")
    def test_importing_the_same_file_again_returns_the_data_that_is_there(
        self, service: Any, experiment: Experiment, image: str
    ) -> None:
        first = service.import_data(experiment, image, "cell 1.tif", "ada", "imagetiff", "now", {"Population": "a"})
        second = service.import_data(experiment, image, "cell 1.tif", "ada", "imagetiff", "now", {"Population": "a"})

        assert (second.md_uri, second.uuid) == (first.md_uri, first.uuid)
        assert listed(service, experiment) == [first.md_uri]

    @ability("zarr")
    def test_a_zarr_directory_is_one_data(self, service: Any, experiment: Experiment, tmp_path: Path) -> None:
        store = tmp_path / "a.ome.zarr"
        (store / "0" / "c").mkdir(parents=True)
        (store / "zarr.json").write_bytes(b"{}")
        (store / "0" / "zarr.json").write_bytes(b'{"zarr_format": 3}')
        (store / "0" / "c" / "0").write_bytes(b"\0" * 100)

        data = service.import_data(experiment, str(store), "a.ome.zarr", "ada", "imagezarr", "now", {})

        assert listed(service, experiment) == [data.md_uri]
        assert content_of(service, data, str(tmp_path)) == {
            "zarr.json": b"{}",
            "0/zarr.json": b'{"zarr_format": 3}',
            "0/c/0": b"\0" * 100,
        }


@ability("import a directory")
class ImportDirTests(DataFixtures):
    """A directory comes in by a pattern, tagged, with progress."""

    @pytest.fixture
    def plate(self, tmp_path: Path) -> str:
        """Give a directory of three images and a text."""
        plate = tmp_path / "plate 7"
        plate.mkdir()
        for name in ("w1.tif", "w2.tif", "w3.tif", "notes.txt"):
            (plate / name).write_bytes(name.encode())
        return str(plate)

    def test_what_matches_comes_in_and_nothing_else(self, service: Any, experiment: Experiment, plate: str) -> None:
        service.import_dir(experiment, plate, r"\.tif$", "ada", "imagetiff", "2024-02-03", "", [])

        data = [service.get_raw_data(uri) for uri in listed(service, experiment)]
        assert [Path(d.name).stem for d in data] == ["w1", "w2", "w3"]
        assert {(d.author, d.format, d.date) for d in data} == {("ada", "imagetiff", "2024-02-03")}

    def test_the_bytes_of_a_directory_come_back(
        self, service: Any, experiment: Experiment, plate: str, tmp_path: Path
    ) -> None:
        service.import_dir(experiment, plate, r"\.tif$", "ada", "imagetiff", "now", "", None)

        found = [content_of(service, service.get_raw_data(u), str(tmp_path)) for u in listed(service, experiment)]
        assert found == [b"w1.tif", b"w2.tif", b"w3.tif"]

    def test_an_empty_filter_takes_all(self, service: Any, experiment: Experiment, plate: str) -> None:
        service.import_dir(experiment, plate, "", "ada", "raw", "now", "", None)

        assert len(listed(service, experiment)) == 4

    def test_each_data_is_tagged_with_the_directorys_name(
        self, service: Any, experiment: Experiment, plate: str
    ) -> None:
        service.import_dir(experiment, plate, r"\.tif$", "ada", "imagetiff", "now", "Plate", None)

        assert "Plate" in service.get_experiment(experiment.md_uri).keys
        data = [service.get_raw_data(uri) for uri in listed(service, experiment)]
        assert [d.key_value_pairs["Plate"] for d in data] == ["plate 7"] * 3

    def test_observers_hear_of_progress_to_the_end(self, service: Any, experiment: Experiment, plate: str) -> None:
        heard: list[int] = []

        class Ear(Observer):
            def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:  # noqa: ARG002
                heard.append(progress)

        service.import_dir(experiment, plate, r"\.tif$", "ada", "imagetiff", "now", "", [Ear()])

        assert heard == sorted(heard)
        assert heard[-1] == 100

    @pytest.mark.parametrize("wrong", ["filter", "directory"])
    def test_a_wrong_call_imports_nothing(self, service: Any, experiment: Experiment, plate: str, wrong: str) -> None:
        where, filter_ = (plate, "([") if wrong == "filter" else (plate + "-none", "")
        with pytest.raises(DataServiceError):
            service.import_dir(experiment, where, filter_, "ada", "imagetiff", "now", "", None)

        assert listed(service, experiment) == []

    @ability("import again")
    def test_importing_a_directory_again_adds_only_what_is_new(
        self, service: Any, experiment: Experiment, plate: str
    ) -> None:
        service.import_dir(experiment, plate, r"\.tif$", "ada", "imagetiff", "now", "", None)
        before = listed(service, experiment)
        Path(plate, "w4.tif").write_bytes(b"new")
        service.import_dir(experiment, plate, r"\.tif$", "ada", "imagetiff", "now", "", None)

        after = listed(service, experiment)
        assert after[:3] == before
        assert len(after) == 4
