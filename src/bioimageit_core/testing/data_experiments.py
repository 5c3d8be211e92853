"""Experiments and raw data: what every data service does."""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, NotFoundError
from bioimageit_core.plugins.contracts import DataService
from bioimageit_core.testing.ability import ability
from bioimageit_core.testing.data_fixtures import DataFixtures, RawAccess, facts

__all__ = ["ContractTests", "ExperimentTests", "RawDataTests"]

READERS = ("get_experiment", "get_dataset", "get_raw_data", "get_processed_data", "get_run")


@ability("contract")
class ContractTests(DataFixtures):
    """The service can be called as the contract calls it."""

    def test_it_has_every_method_of_the_contract(self, service: Any) -> None:
        required = sorted(DataService.__abstractmethods__)

        assert [name for name in required if not callable(getattr(service, name, None))] == []

    @pytest.mark.parametrize("method", READERS)
    def test_reading_where_nothing_is_stored_raises_not_found(
        self, service: Any, nowhere: list[str], method: str
    ) -> None:
        for uri in nowhere:
            with pytest.raises(NotFoundError):
                getattr(service, method)(uri)

    def test_a_record_is_not_read_as_one_of_another_kind(
        self, service: Any, experiment: Experiment, image: str
    ) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {})
        for method, uri in (
            ("get_raw_data", experiment.raw_dataset.url),
            ("get_processed_data", data.md_uri),
            ("get_dataset", data.md_uri),
            ("get_run", data.md_uri),
            ("get_experiment", data.md_uri),
        ):
            with pytest.raises(DataServiceError):
                getattr(service, method)(uri)

    def test_writing_what_was_never_stored_is_an_error_and_leaves_nothing(
        self, service: Any, nowhere: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = tmp_path / "here"
        here.mkdir()
        monkeypatch.chdir(here)
        for uri in nowhere:
            for update, container in (
                (service.update_experiment, Experiment(uri, "u", "name")),
                (service.update_raw_data, RawData(uri, "u", "name")),
                (service.update_processed_data, ProcessedData(uri, "u", "name")),
                (service.update_dataset, Dataset(uri, "u", "name")),
            ):
                with pytest.raises(DataServiceError):
                    update(container)
        with pytest.raises(DataServiceError):
            service.create_dataset(Experiment(nowhere[1], "u", "name"), "threshold")
        with pytest.raises(DataServiceError):
            service.create_run(Dataset(nowhere[1], "u", "name"), Run())

        assert list(here.rglob("*")) == []


@ability("experiments")
class ExperimentTests(DataFixtures):
    """Experiments are created, listed, read and written."""

    def test_a_new_experiment_says_what_it_was_given(self, service: Any, destination: str) -> None:
        name = f"kit {uuid.uuid4().hex[:12]}"

        created = service.create_experiment(name, "ada", "2024-02-29", ["Gene", "Dose"], destination)

        assert (created.name, created.author, created.date) == (name, "ada", "2024-02-29")
        assert list(created.keys) == ["Gene", "Dose"]
        assert created.raw_dataset.name == "data"
        assert created.processed_datasets == []
        assert created.md_uri
        assert created.uuid

    def test_a_new_experiment_has_an_empty_raw_dataset(self, service: Any, experiment: Experiment) -> None:
        dataset = service.get_dataset(experiment.raw_dataset.url)

        assert (dataset.name, dataset.uris) == ("data", [])
        assert dataset.uuid == experiment.raw_dataset.uuid

    def test_an_experiment_is_read_as_it_was_created(self, service: Any, experiment: Experiment) -> None:
        assert facts(service.get_experiment(experiment.md_uri)) == facts(experiment)

    def test_the_date_now_is_today(self, service: Any, destination: str) -> None:
        before = datetime.datetime.now().astimezone().date().isoformat()
        created = service.create_experiment(f"kit {uuid.uuid4().hex[:12]}", "ada", "now", None, destination)
        after = datetime.datetime.now().astimezone().date().isoformat()

        assert created.date in {before, after}
        assert list(created.keys) == []

    def test_every_identity_is_another(self, service: Any, destination: str) -> None:
        made = [
            service.create_experiment(f"kit {uuid.uuid4().hex[:12]}", "ada", "now", [], destination) for _ in range(3)
        ]

        assert len({e.uuid for e in made} | {e.raw_dataset.uuid for e in made}) == 6
        assert len({e.md_uri for e in made}) == 3

    def test_a_second_experiment_of_the_same_name_is_a_conflict(
        self, service: Any, experiment: Experiment, destination: str
    ) -> None:
        with pytest.raises(ConflictError):
            service.create_experiment(experiment.name, "eve", "now", ["Other"], destination)

        assert facts(service.get_experiment(experiment.md_uri)) == facts(experiment)

    def test_the_workspace_lists_what_was_created(
        self, service: Any, experiment: Experiment, workspace: str, destination: str
    ) -> None:
        second = service.create_experiment(f"kit {uuid.uuid4().hex[:12]}", "ada", "now", [], destination)

        found = {item["md_uri"]: item["info"] for item in service.get_workspace_experiments(workspace)}

        assert facts(found[experiment.md_uri]) == facts(experiment)
        assert facts(found[second.md_uri]) == facts(second)

    def test_an_updated_experiment_is_read_again(self, service: Any, experiment: Experiment) -> None:
        experiment.author, experiment.date = "grace", "1999-12-31"
        experiment.set_key("Dose")
        service.update_experiment(experiment)

        assert facts(service.get_experiment(experiment.md_uri)) == facts(experiment)

    def test_the_keys_keep_their_order(self, service: Any, experiment: Experiment) -> None:
        experiment.keys = ["z", "a", "m", "A"]
        service.update_experiment(experiment)

        assert list(service.get_experiment(experiment.md_uri).keys) == ["z", "a", "m", "A"]

    def test_fields_of_an_experiment_that_are_not_published_are_kept(
        self, service: Any, experiment: Experiment
    ) -> None:
        experiment.extra = {"lab": {"room": 3}, "tags": ["x", None, True]}
        service.update_experiment(experiment)

        assert service.get_experiment(experiment.md_uri).extra == experiment.extra

    def test_a_returned_experiment_is_the_callers_own(
        self, service: Any, experiment: Experiment, workspace: str
    ) -> None:
        before = facts(experiment)
        first = service.get_experiment(experiment.md_uri)
        shown = {e["md_uri"]: e["info"] for e in service.get_workspace_experiments(workspace)}[experiment.md_uri]
        for container in (first, shown, experiment):
            container.name = "changed"
            container.keys.append("changed")
            container.raw_dataset.name = "changed"

        again = service.get_experiment(experiment.md_uri)

        assert again is not first
        assert facts(again) == before


@ability("raw data")
class RawDataTests(DataFixtures):
    """Raw data are read and written, with all that they say."""

    def test_a_data_is_read_as_it_was_imported(self, service: Any, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "2024-01-01", {"Dose": "1"})

        assert facts(service.get_raw_data(data.md_uri)) == facts(data)

    def test_an_updated_raw_data_is_read_again(self, service: Any, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "2024-01-01", {})
        data.name, data.author, data.format, data.date = "b", "grace", "raw", "1999-01-01"
        data.set_key_value_pair("Population", "p63")
        data.metadata = {"PhysicalSizeX": 0.16, "PhysicalSizeXUnit": "µm", "channels": [{"name": "DAPI"}], "none": None}
        data.extra = {"checksum": {"sha256": "0" * 64}}
        service.update_raw_data(data)

        again = service.get_raw_data(data.md_uri)
        assert {**facts(again), "uri": ""} == {**facts(data), "uri": ""}

    def test_the_experiments_keys_are_filled_in(self, service: Any, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {"Dose": "1"})
        fresh = service.get_experiment(experiment.md_uri)
        fresh.set_key("Later")
        service.update_experiment(fresh)

        pairs = service.get_raw_data(data.md_uri).key_value_pairs
        assert pairs == {"Dose": "1", "Population": "", "Later": ""}

    def test_a_key_that_is_taken_away_is_gone(self, service: Any, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {"Population": "x"})
        data.key_value_pairs = {"private": "1"}
        service.update_raw_data(data)
        data.key_value_pairs = {}
        service.update_raw_data(data)

        assert service.get_raw_data(data.md_uri).key_value_pairs == {"Population": ""}

    def test_a_returned_data_is_the_callers_own(self, service: Any, experiment: Experiment, image: str) -> None:
        pairs = {"Population": "x"}
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", pairs)
        before = facts(data)
        pairs["Population"] = "changed"
        first = service.get_raw_data(data.md_uri)
        for container in (first, data):
            container.name = "changed"
            container.key_value_pairs["Population"] = "changed"
            container.metadata["changed"] = True

        again = service.get_raw_data(data.md_uri)
        assert again is not first
        assert facts(again) == before

    @ability("identity")
    def test_an_update_can_give_the_identity_of_another_home(
        self, service: Any, experiment: Experiment, image: str
    ) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {})
        data.uuid = experiment.uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        service.update_raw_data(data)
        service.update_experiment(experiment)

        assert service.get_raw_data(data.md_uri).uuid == data.uuid
        assert service.get_experiment(experiment.md_uri).uuid == data.uuid

    @ability("raw access")
    def test_a_stored_raw_data_is_what_it_was_said_to_be(
        self, service: Any, experiment: Experiment, image: str, raw: RawAccess | None
    ) -> None:
        if raw is None:
            pytest.skip("no fixture `raw`: what is stored was only read back by the service itself")
        data = service.import_data(experiment, image, "a µ", "ada", "imagetiff", "2024-01-01", {"Population": "p53"})
        data.metadata = {"SizeZ": 11}
        service.update_raw_data(data)

        document = raw(data.md_uri)
        assert document["uuid"] == data.uuid
        assert {key: document["common"][key] for key in ("name", "author", "date", "format")} == {
            "name": "a µ",
            "author": "ada",
            "date": "2024-01-01",
            "format": "imagetiff",
        }
        assert document["key_value_pairs"]["Population"] == "p53"
        assert document["metadata"] == {"SizeZ": 11}
