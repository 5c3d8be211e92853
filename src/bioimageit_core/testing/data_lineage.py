"""Processed datasets, runs and what they made; and the optional abilities around files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, ProcessedData, Run
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.testing.ability import ability, look_for
from bioimageit_core.testing.data_fixtures import DataFixtures, Lineage, RawAccess, content_of, facts, make_result

__all__ = ["DatasetTests", "FileTests", "LineageTests"]


@ability("datasets")
class DatasetTests(DataFixtures):
    """Processed datasets are created, listed, read and written."""

    def test_a_new_dataset_is_empty_and_listed(self, service: Any, experiment: Experiment) -> None:
        created = service.create_dataset(experiment, "threshold")

        assert (created.name, created.uris) == ("threshold", [])
        assert facts(service.get_dataset(created.md_uri)) == facts(created)
        fresh = service.get_experiment(experiment.md_uri)
        assert [(d.name, d.url, d.uuid) for d in fresh.processed_datasets] == [
            ("threshold", created.md_uri, created.uuid)
        ]

    def test_the_experiment_that_was_given_lists_it_too(self, service: Any, experiment: Experiment) -> None:
        created = service.create_dataset(experiment, "threshold")

        assert [d.url for d in experiment.processed_datasets] == [created.md_uri]

    def test_datasets_are_listed_in_the_order_of_creation(self, service: Any, experiment: Experiment) -> None:
        for name in ("b", "a", "c"):
            service.create_dataset(experiment, name)

        fresh = service.get_experiment(experiment.md_uri)
        assert [d.name for d in fresh.processed_datasets] == ["b", "a", "c"]

    @pytest.mark.parametrize("name", ["threshold", "data"])
    def test_a_second_dataset_of_the_same_name_is_a_conflict(
        self, service: Any, experiment: Experiment, name: str
    ) -> None:
        service.create_dataset(experiment, "threshold")
        before = facts(service.get_experiment(experiment.md_uri))
        with pytest.raises(ConflictError):
            service.create_dataset(experiment, name)

        assert facts(service.get_experiment(experiment.md_uri)) == before

    def test_an_entry_can_be_taken_from_the_list(self, service: Any, experiment: Experiment, tmp_path: Path) -> None:
        made = []
        for name in ("a.tif", "b.tif", "c.tif"):
            (tmp_path / name).write_bytes(name.encode())
            made.append(service.import_data(experiment, str(tmp_path / name), name, "ada", "imagetiff", "now", {}))
        dataset = service.get_dataset(experiment.raw_dataset.url)
        del dataset.uris[1]
        service.update_dataset(dataset)

        again = service.get_dataset(dataset.md_uri)
        assert [(e.md_uri, e.uuid) for e in again.uris] == [(d.md_uri, d.uuid) for d in (made[0], made[2])]

    def test_fields_of_a_dataset_that_are_not_published_are_kept(self, service: Any, experiment: Experiment) -> None:
        dataset = service.create_dataset(experiment, "threshold")
        dataset.extra = {"status": {"current": True, "why": ["a", 1, None]}}
        service.update_dataset(dataset)

        assert service.get_dataset(dataset.md_uri).extra == dataset.extra

    def test_a_returned_dataset_is_the_callers_own(self, service: Any, lineage: Lineage) -> None:
        first = service.get_dataset(lineage.dataset.md_uri)
        before = facts(first)
        first.name = "changed"
        first.uris[0].uuid = "changed"
        first.uris.clear()

        assert facts(service.get_dataset(lineage.dataset.md_uri)) == before


@ability("runs and results")
class LineageTests(DataFixtures):
    """Every result knows how it came to be."""

    def test_a_run_is_read_as_it_was_stored(self, service: Any, lineage: Lineage) -> None:
        run = service.get_run(lineage.run.md_uri)

        assert facts(run) == facts(lineage.run)
        assert (run.process_name, run.process_uri) == ("Threshold v1", "tools/threshold.xml")
        assert [(p.name, p.value) for p in run.parameters] == [("level", "0.5")]
        assert [(i.name, i.dataset, i.query, i.origin_output_name) for i in run.inputs] == [
            ("image", "data", "Population=p53", "")
        ]
        assert run.processed_dataset.md_uri == lineage.dataset.md_uri

    def test_a_run_keeps_the_identity_it_has_and_gets_one_if_it_has_none(self, service: Any, lineage: Lineage) -> None:
        known = Run(uuid="6ba7b810-9dad-11d1-80b4-00c04fd430c8", process_name="p")
        stored = service.create_run(lineage.dataset, known)

        assert stored.uuid == known.uuid
        assert lineage.run.uuid not in {"", known.uuid}
        assert stored.md_uri != lineage.run.md_uri

    def test_fields_of_a_run_that_are_not_published_are_kept(self, service: Any, lineage: Lineage) -> None:
        run = Run(process_name="p", extra={"host": "n1", "items": [{"argv": ["a b;c", "$(x)"], "exit_status": 0}]})
        stored = service.create_run(lineage.dataset, run)

        assert service.get_run(stored.md_uri).extra == run.extra

    def test_a_result_is_read_as_it_was_stored(self, service: Any, lineage: Lineage) -> None:
        data = service.get_processed_data(lineage.processed.md_uri)

        assert facts(data) == facts(lineage.processed)
        assert (data.name, data.author, data.date, data.format) == ("cell 1 mask", "ada", "2024-03-01", "imagetiff")
        assert data.type == "processed"
        assert data.output == {"name": "o", "label": "Mask"}

    def test_a_result_points_to_its_run_and_its_inputs(self, service: Any, lineage: Lineage) -> None:
        data = service.get_processed_data(lineage.processed.md_uri)

        assert (data.run.md_uri, data.run.uuid) == (lineage.run.md_uri, lineage.run.uuid)
        assert [(i.name, i.uri, i.uuid, i.type) for i in data.inputs] == [
            ("image", lineage.raw.md_uri, lineage.raw.uuid, "raw")
        ]

    def test_a_result_is_listed_in_its_dataset_and_in_no_other(self, service: Any, lineage: Lineage) -> None:
        dataset = service.get_dataset(lineage.dataset.md_uri)

        assert [(e.md_uri, e.uuid) for e in dataset.uris] == [(lineage.processed.md_uri, lineage.processed.uuid)]

    def test_the_bytes_of_a_result_come_back(self, service: Any, lineage: Lineage, tmp_path: Path) -> None:
        assert content_of(service, lineage.processed, str(tmp_path)) == b"result of cell 1 mask"

    def test_results_can_be_made_of_results(
        self, service: Any, experiment: Experiment, lineage: Lineage, tmp_path: Path
    ) -> None:
        dataset = service.create_dataset(experiment, "measure")
        run = service.create_run(dataset, Run(process_name="Measure"))
        made = make_result(service, dataset, run, lineage.processed, str(tmp_path), "table", "t")

        entry = service.get_processed_data(made.md_uri).inputs[0]
        assert (entry.uri, entry.uuid, entry.type) == (lineage.processed.md_uri, lineage.processed.uuid, "processed")

    def test_results_of_one_name_are_two_data(self, service: Any, lineage: Lineage, tmp_path: Path) -> None:
        again = make_result(service, lineage.dataset, lineage.run, lineage.raw, str(tmp_path), "cell 1 mask", "second")

        assert again.md_uri != lineage.processed.md_uri
        assert service.get_processed_data(lineage.processed.md_uri).output["name"] == "o"
        assert len(service.get_dataset(lineage.dataset.md_uri).uris) == 2

    def test_an_updated_result_is_read_again(self, service: Any, lineage: Lineage) -> None:
        data = service.get_processed_data(lineage.processed.md_uri)
        data.author, data.date = "grace", "1999-01-01"
        data.set_output("o2", "Other")
        data.extra = {"sha256": "0" * 64}
        service.update_processed_data(data)

        assert facts(service.get_processed_data(data.md_uri)) == facts(data)

    def test_a_result_without_a_file_is_an_error_and_records_nothing(
        self, service: Any, lineage: Lineage, tmp_path: Path
    ) -> None:
        new = ProcessedData()
        new.set_info("lost", "ada", "now", "imagetiff", str(tmp_path / "never-written.tif"))
        with pytest.raises(DataServiceError):
            service.create_data(lineage.dataset, lineage.run, new)

        assert len(service.get_dataset(lineage.dataset.md_uri).uris) == 1

    def test_returned_containers_are_the_callers_own(self, service: Any, lineage: Lineage) -> None:
        data, run = service.get_processed_data(lineage.processed.md_uri), service.get_run(lineage.run.md_uri)
        before = facts(data), facts(run)
        for processed in (data, lineage.processed):
            processed.name = "changed"
            processed.inputs[0].uuid = "changed"
            processed.output["name"] = "changed"
            processed.run.uuid = "changed"
        for stored in (run, lineage.run):
            stored.parameters[0].value = "changed"
            stored.inputs.clear()

        again = service.get_processed_data(data.md_uri), service.get_run(run.md_uri)
        assert (facts(again[0]), facts(again[1])) == before

    @ability("raw access")
    def test_a_stored_result_is_what_it_was_said_to_be(self, lineage: Lineage, raw: RawAccess | None) -> None:
        if raw is None:
            pytest.skip("no fixture `raw`: what is stored was only read back by the service itself")

        data, run = raw(lineage.processed.md_uri), raw(lineage.run.md_uri)

        assert data["uuid"] == lineage.processed.uuid
        assert data["common"]["name"] == "cell 1 mask"
        assert data["origin"]["output"] == {"name": "o", "label": "Mask"}
        assert data["origin"]["run"]["uuid"] == lineage.run.uuid
        assert [(i["name"], i["uuid"], i["type"]) for i in data["origin"]["inputs"]] == [
            ("image", lineage.raw.uuid, "raw")
        ]
        assert run["process"] == {"name": "Threshold v1", "url": "tools/threshold.xml"}
        assert run["parameters"] == [{"name": "level", "value": "0.5"}]


class FileTests(DataFixtures):
    """Abilities that a service may have beside those of the contract."""

    @ability("get_dataset_runs")
    def test_the_runs_of_a_dataset_are_listed_oldest_first(
        self, service: Any, experiment: Experiment, lineage: Lineage
    ) -> None:
        look_for(service, "get_dataset_runs")
        other = service.create_dataset(experiment, "other")
        second = service.create_run(lineage.dataset, Run(process_name="again"))
        service.create_run(other, Run(process_name="elsewhere"))

        found = service.get_dataset_runs(lineage.dataset)
        assert [facts(run) for run in found] == [facts(lineage.run), facts(second)]
        assert [run.process_name for run in service.get_dataset_runs(other)] == ["elsewhere"]

    @ability("update_run")
    def test_a_run_can_be_written_again(self, service: Any, lineage: Lineage) -> None:
        look_for(service, "update_run")
        run = service.get_run(lineage.run.md_uri)
        run.extra = {"items": [{"name": "cell 1", "exit_status": 0}]}
        run.add_parameter("late", "1")
        service.update_run(run)

        assert facts(service.get_run(run.md_uri)) == facts(run)

    @ability("annotate_data")
    def test_many_data_are_annotated_at_once(self, service: Any, experiment: Experiment, tmp_path: Path) -> None:
        look_for(service, "annotate_data")
        made = []
        for name in ("a.tif", "b.tif", "c.tif"):
            (tmp_path / name).write_bytes(name.encode())
            pairs = {"Population": "x", "private": "1"}
            made.append(service.import_data(experiment, str(tmp_path / name), name, "ada", "imagetiff", "now", pairs))
        dataset = service.get_dataset(experiment.raw_dataset.url)
        service.annotate_data(
            dataset, {made[0].md_uri: {"Population": "p53", "Dose": 3}, made[1].md_uri: {"private": None}}
        )

        pairs_of = [service.get_raw_data(data.md_uri).key_value_pairs for data in made]
        assert [pairs["Population"] for pairs in pairs_of] == ["p53", "x", "x"]
        assert [pairs.get("private", "") for pairs in pairs_of] == ["1", "", "1"]
        assert pairs_of[0]["Dose"] == 3

    @ability("create_data_uri")
    def test_each_result_gets_a_place_of_its_own_to_be_written_to(
        self, service: Any, lineage: Lineage, tmp_path: Path
    ) -> None:
        look_for(service, "create_data_uri")
        places = []
        for name in ("cell 1 mask", "new", "other", "../x", "a b;c"):
            new = ProcessedData()
            new.set_info(name, "ada", "now", "imagetiff", "")
            try:
                uri = service.create_data_uri(lineage.dataset, lineage.run, new).uri
            except DataServiceError:
                assert name == "../x"
                continue
            Path(uri).write_bytes(b"x")
            places.append(Path(uri).resolve())

        assert len(set(places)) == len(places)
        assert content_of(service, lineage.processed, str(tmp_path)) == b"result of cell 1 mask"
        assert len(service.get_dataset(lineage.dataset.md_uri).uris) == 1

    @ability("get_data_uri")
    def test_tools_can_read_at_the_uri_of_a_data(self, service: Any, lineage: Lineage) -> None:
        look_for(service, "get_data_uri")

        assert Path(service.get_data_uri(lineage.processed)).read_bytes() == b"result of cell 1 mask"

    @ability("download_data")
    @pytest.mark.parametrize("where", ["file", "directory"])
    def test_a_data_is_downloaded(self, service: Any, lineage: Lineage, tmp_path: Path, where: str) -> None:
        look_for(service, "download_data")
        target = tmp_path / "here"
        if where == "directory":
            target.mkdir()

        path = Path(service.download_data(lineage.processed.md_uri, str(target)))

        assert path.read_bytes() == b"result of cell 1 mask"
        assert path == target if where == "file" else path.parent == target

    @ability("download_data")
    def test_downloading_what_is_not_there_is_an_error(self, service: Any, nowhere: list[str], tmp_path: Path) -> None:
        look_for(service, "download_data")
        with pytest.raises(DataServiceError):
            service.download_data(nowhere[1], str(tmp_path / "x"))

        assert not (tmp_path / "x").exists()

    @ability("view_data")
    def test_an_array_is_viewed_as_it_was_imported(self, service: Any, experiment: Experiment, tmp_path: Path) -> None:
        look_for(service, "view_data")
        tifffile, numpy = pytest.importorskip("tifffile"), pytest.importorskip("numpy")
        pixels = numpy.arange(35, dtype="uint16").reshape(5, 7)
        tifffile.imwrite(tmp_path / "a.tif", pixels)
        data = service.import_data(experiment, str(tmp_path / "a.tif"), "a.tif", "ada", "imagetiff", "now", {})

        seen = numpy.squeeze(numpy.asarray(service.view_data(data.md_uri)))
        assert (seen == pixels).all()

    @ability("needs_cleanning")
    def test_it_says_whether_local_copies_are_to_be_removed(self, service: Any) -> None:
        look_for(service, "needs_cleanning")

        assert service.needs_cleanning() in (True, False)
