"""Data services with one fault each; `caught_by` names the test of the kit that must find it."""

from __future__ import annotations

import copy
import os
import time
import uuid

import pytest

from bioimageit_core.containers import Container
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.query import fields_of
from bioimageit_core.testing import DataServiceTests, FaultCounter, MemoryMetadataService, MemoryStore
from bioimageit_core.testing.content import read_content

FAULTY = []


def caught_by(test):
    def register(service):
        service.caught_by = test
        FAULTY.append(service)
        return service

    return register


@caught_by("test_a_returned_experiment_is_the_callers_own")
class SharesItsRecords(MemoryMetadataService):
    def get_experiment(self, md_uri):
        super().get_experiment(md_uri)
        return self.store.tables.experiments[md_uri]


class Receives(MemoryMetadataService):
    """Takes in data of another home as they are; it has no fault."""

    def receive_data(self, dataset, data):
        store, uris = self.store, []
        with store.transaction() as tables:
            listed = copy.deepcopy(tables.datasets[dataset.md_uri])
            for each in data:
                new = copy.deepcopy(each)
                new.md_uri, new.uri = store.new_uri("data"), store.new_uri("file")
                store.put(tables.files, new.uri, read_content(each.uri))
                store.put(tables.data, new.md_uri, new)
                tables.experiment_of[new.md_uri] = tables.experiment_of[dataset.md_uri]
                listed.uris.append(Container(new.md_uri, new.uuid))
                uris.append(new.md_uri)
            store.put(tables.datasets, dataset.md_uri, listed)
        return [self.get_raw_data(uri) for uri in uris]


@caught_by("test_raw_data_are_read_as_they_were_sent")
class GivesNewIdentities(Receives):
    def receive_data(self, dataset, data):
        copies = copy.deepcopy(data)
        for each in copies:
            each.uuid = str(uuid.uuid4())
        return super().receive_data(dataset, copies)


@caught_by("test_raw_data_are_read_as_they_were_sent")
class TakesTheFilesAway(Receives):
    def receive_data(self, dataset, data):
        arrived = super().receive_data(dataset, data)
        os.unlink(data[0].uri)
        return arrived


@caught_by("test_a_returned_data_is_the_callers_own")
class KeepsTheCallersPairs(MemoryMetadataService):
    def import_data(self, *args):
        data = super().import_data(*args)
        self.store.tables.data[data.md_uri].key_value_pairs = data.key_value_pairs
        return data


@caught_by("test_new_keys_join_the_experiments")
class ForgetsKeys(MemoryMetadataService):
    def import_data(self, experiment, *args):
        before = self.get_experiment(experiment.md_uri).keys
        data = super().import_data(experiment, *args)
        self.store.tables.experiments[experiment.md_uri].keys = before
        return data


@caught_by("test_the_experiments_keys_are_filled_in")
class FillsInNoKeys(MemoryMetadataService):
    def get_raw_data(self, md_uri):
        super().get_raw_data(md_uri)
        return copy.deepcopy(self.store.tables.data[md_uri])


@caught_by("test_the_order_of_import_is_the_order_of_the_list")
class SortsItsLists(MemoryMetadataService):
    def get_dataset(self, md_uri):
        dataset = super().get_dataset(md_uri)
        dataset.uris.sort(key=lambda entry: self.store.tables.data[entry.md_uri].name)
        return dataset


@caught_by("test_a_second_experiment_of_the_same_name_is_a_conflict")
class AllowsEveryName(MemoryMetadataService):
    def create_experiment(self, name, author, date="now", keys=None, destination=""):
        created = super().create_experiment(f"{name}\0{time.monotonic_ns()}", author, date, keys, destination)
        created.name = self.store.tables.experiments[created.md_uri].name = name
        return created


@caught_by("test_importing_the_same_file_again_returns_the_data_that_is_there")
class ImportsTwice(MemoryMetadataService):
    def import_data(self, experiment, data_path, name, *args):
        data = super().import_data(experiment, data_path, f"{name}\0{time.monotonic_ns()}", *args)
        data.name = self.store.tables.data[data.md_uri].name = name
        return data


@caught_by("test_the_same_name_with_other_content_is_a_second_data")
class KnowsDataByName(MemoryMetadataService):
    def import_data(self, experiment, data_path, name, *args):
        for entry in self.get_dataset(experiment.raw_dataset.url).uris:
            if self.store.tables.data[entry.md_uri].name == name:
                return self.get_raw_data(entry.md_uri)
        return super().import_data(experiment, data_path, name, *args)


@caught_by("test_fields_of_an_experiment_that_are_not_published_are_kept")
class DropsWhatItDoesNotKnow(MemoryMetadataService):
    def update_experiment(self, experiment):
        experiment = copy.deepcopy(experiment)
        experiment.extra = {}
        super().update_experiment(experiment)


@caught_by("test_large_and_benign_values_are_stored")
class CutsValues(MemoryMetadataService):
    def get_raw_data(self, md_uri):
        data = super().get_raw_data(md_uri)
        data.key_value_pairs = {key: str(value)[:255] for key, value in data.key_value_pairs.items()}
        return data


@caught_by("test_a_datas_name")
class StripsNames(MemoryMetadataService):
    def import_data(self, experiment, data_path, name, *args):
        return super().import_data(experiment, data_path, name.strip(), *args)


@caught_by("test_an_experiments_name")
class SpeaksLatin(MemoryMetadataService):
    def create_experiment(self, name, *args):
        return super().create_experiment(name.encode("latin-1", "replace").decode("latin-1"), *args)


@caught_by("test_a_datasets_name")
class RaisesWhatItLikes(MemoryMetadataService):
    def create_dataset(self, experiment, dataset_name):
        dataset_name.encode()
        return super().create_dataset(experiment, dataset_name)


@caught_by("test_a_name_leads_to_no_place_outside")
class WalksOut(MemoryMetadataService):
    def create_experiment(self, name, author, date="now", keys=None, destination=""):
        try:
            os.makedirs(os.path.join(destination, name), exist_ok=True)
        except (OSError, ValueError) as error:
            raise DataServiceError(str(error)) from error
        return super().create_experiment(name, author, date, keys, destination)


@caught_by("test_reading_where_nothing_is_stored_raises_not_found")
class ReturnsNone(MemoryMetadataService):
    def get_run(self, md_uri):
        return super().get_run(md_uri) if md_uri in self.store.tables.runs else None


@caught_by("test_writing_what_was_never_stored_is_an_error_and_leaves_nothing")
class StoresAnything(MemoryMetadataService):
    def update_dataset(self, dataset):
        self.store.tables.datasets[dataset.md_uri] = copy.deepcopy(dataset)


@caught_by("test_import_data")
class ListsBeforeItStores(MemoryMetadataService):
    def import_data(self, experiment, *args):
        dataset = self.store.tables.datasets[experiment.raw_dataset.url]
        entry = Container("mem:soon", "soon")
        dataset.uris.append(entry)
        data = super().import_data(experiment, *args)
        self.store.tables.datasets[experiment.raw_dataset.url].uris.remove(
            next(e for e in self.store.tables.datasets[experiment.raw_dataset.url].uris if e.md_uri == "mem:soon")
        )
        return data


@caught_by("test_create_run")
class LetsTheSystemsErrorsOut(MemoryMetadataService):
    def create_run(self, dataset, run_info):
        self.store.before_write()
        return super().create_run(dataset, run_info)


@caught_by("test_an_old_experiment_unlists_no_dataset")
class BelievesOldLists(MemoryMetadataService):
    def update_experiment(self, experiment):
        super().update_experiment(experiment)
        self.store.tables.experiments[experiment.md_uri].processed_datasets = copy.deepcopy(
            experiment.processed_datasets
        )


@caught_by("test_no_import_is_lost")
class ReadsBeforeItLocks(MemoryMetadataService):
    def import_data(self, experiment, *args):
        dataset = self.get_dataset(experiment.raw_dataset.url)
        time.sleep(0.02)
        data = super().import_data(experiment, *args)
        dataset.uris.append(Container(data.md_uri, data.uuid))
        self.update_dataset(dataset)
        return data


@caught_by("test_a_change_is_seen_by_who_has_read_before")
class NeverReadsAgain(MemoryMetadataService):
    def get_raw_data(self, md_uri):
        known = vars(self).setdefault("known", {})
        if md_uri not in known:
            known[md_uri] = super().get_raw_data(md_uri)
        return copy.deepcopy(known[md_uri])


@caught_by("test_a_reader_never_sees_half_of_a_write")
class WritesInTwoSteps(MemoryMetadataService):
    def update_raw_data(self, raw_data):
        half = copy.deepcopy(raw_data)
        half.metadata = {**half.metadata, "last": "?"}
        super().update_raw_data(half)
        time.sleep(0.005)
        super().update_raw_data(raw_data)


@caught_by("test_the_source_stays_as_it_is")
class MovesSources(MemoryMetadataService):
    def import_data(self, experiment, data_path, *args):
        data = super().import_data(experiment, data_path, *args)
        os.unlink(data_path)
        return data


@caught_by("test_the_bytes_of_an_imported_file_come_back")
class MendsLineEnds(MemoryMetadataService):
    def import_data(self, *args):
        data = super().import_data(*args)
        files, uri = self.store.tables.files, self.store.tables.data[data.md_uri].uri
        if isinstance(files[uri], bytes):
            files[uri] = files[uri].replace(b"\r\n", b"\n")
        return data


@caught_by("test_a_run_is_read_as_it_was_stored")
class LosesParameters(MemoryMetadataService):
    def get_run(self, md_uri):
        run = super().get_run(md_uri)
        run.parameters = []
        return run


@caught_by("test_a_result_points_to_its_run_and_its_inputs")
class LosesInputs(MemoryMetadataService):
    def get_processed_data(self, md_uri):
        data = super().get_processed_data(md_uri)
        for entry in data.inputs:
            entry.uuid = ""
        return data


@caught_by("test_a_result_without_a_file_is_an_error_and_records_nothing")
class InventsFiles(MemoryMetadataService):
    def create_data(self, dataset, run, processed_data):
        if not os.path.exists(processed_data.uri):
            with open(processed_data.uri, "wb"):
                pass
        return super().create_data(dataset, run, processed_data)


@caught_by("test_results_of_one_name_are_two_data")
class KnowsResultsByName(MemoryMetadataService):
    def create_data(self, dataset, run, processed_data):
        for entry in self.get_dataset(dataset.md_uri).uris:
            if self.store.tables.data[entry.md_uri].name == processed_data.name:
                return self.get_processed_data(entry.md_uri)
        return super().create_data(dataset, run, processed_data)


@caught_by("test_what_matches_comes_in_and_nothing_else")
class IgnoresFilters(MemoryMetadataService):
    def import_dir(self, experiment, dir_uri, filter_, *args):
        super().import_dir(experiment, dir_uri, "", *args)


@caught_by("test_the_runs_of_a_dataset_are_listed_oldest_first")
class ListsNewestFirst(MemoryMetadataService):
    def get_dataset_runs(self, dataset):
        return super().get_dataset_runs(dataset)[::-1]


@caught_by("test_the_date_now_is_today")
class TakesNowForADate(MemoryMetadataService):
    def create_experiment(self, name, author, date="now", keys=None, destination=""):
        created = super().create_experiment(name, author, date, keys, destination)
        created.date = self.store.tables.experiments[created.md_uri].date = date
        return created


@caught_by("test_values_that_are_no_text_keep_their_type")
class SpeaksText(MemoryMetadataService):
    def get_raw_data(self, md_uri):
        data = super().get_raw_data(md_uri)
        data.key_value_pairs = {key: str(value) for key, value in data.key_value_pairs.items()}
        return data


@caught_by("test_numbers_are_compared_as_numbers_in_the_datasets_order")
class AnswersBackwards(MemoryMetadataService):
    def query_data(self, dataset, query, origin_output_name=""):
        return iter(list(super().query_data(dataset, query, origin_output_name))[::-1])


@caught_by("test_processed_data_are_selected_by_the_annotations_of_their_origin")
class KnowsNoOrigins(MemoryMetadataService):
    def _get_origin(self, data):
        return None


@caught_by("test_every_query_selects_what_the_reference_selects")
class MindsNoCase(MemoryMetadataService):
    def query_data(self, dataset, query, origin_output_name=""):
        from bioimageit_core.core.query import parse_query

        def lower(fields):
            return {key: value.lower() if isinstance(value, str) else value for key, value in fields.items()}

        condition = parse_query(
            query.lower().replace(" and ", " AND ").replace(" or ", " OR ").replace("not (", "NOT (")
        )
        for entry in self.get_dataset(dataset.md_uri).uris:
            data = self._get_data(entry.md_uri)
            if condition.matches(lower(fields_of(data, self._get_origin(data)))):
                yield data


@caught_by("test_any_sequence_of_operations_does_what_the_model_does")
class ForgetsTheThirdDataset(MemoryMetadataService):
    def update_processed_data(self, processed_data):
        super().update_processed_data(processed_data)
        for experiment in self.store.tables.experiments.values():
            if len(experiment.processed_datasets) > 1:
                experiment.author = "nobody"


@caught_by("test_a_record_is_not_read_as_one_of_another_kind")
class ReadsAnythingAsRaw(MemoryMetadataService):
    def get_raw_data(self, md_uri):
        tables = self.store.tables
        if md_uri in tables.datasets:
            md_uri = next(iter(tables.data))
        return super().get_raw_data(md_uri)


@caught_by("test_an_update_can_give_the_identity_of_another_home")
class KeepsItsOwnIdentities(MemoryMetadataService):
    def update_raw_data(self, raw_data):
        copied = copy.deepcopy(raw_data)
        copied.uuid = self.store.tables.data[raw_data.md_uri].uuid
        super().update_raw_data(copied)


@caught_by("test_an_entry_can_be_taken_from_the_list")
class NeverUnlists(MemoryMetadataService):
    def update_dataset(self, dataset):
        stored = self.get_dataset(dataset.md_uri)
        stored.name = dataset.name
        super().update_dataset(stored)


class FaultyTests(DataServiceTests):
    faulty = MemoryMetadataService

    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def service(self, store):
        service = self.faulty(store)
        yield service
        service.close()

    @pytest.fixture
    def second_session(self, store):
        service = self.faulty(store)
        yield service
        service.close()

    @pytest.fixture
    def destination(self, tmp_path):
        workspace = tmp_path / "walls" / "workspace"
        workspace.mkdir(parents=True)
        return str(workspace)

    @pytest.fixture
    def fault(self, store):
        counter = FaultCounter()
        store.before_write = counter.before_write
        return counter.at


for service in FAULTY:
    globals()[f"Test{service.__name__}"] = type(f"Test{service.__name__}", (FaultyTests,), {"faulty": service})
