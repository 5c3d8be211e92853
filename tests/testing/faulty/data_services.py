"""Data services with one fault each; `caught_by` names the test of the kit that must find it."""

from __future__ import annotations

import copy
import os
import time
import uuid

from catching import caught_by, data_tests_of

from bioimageit_core.containers import Container
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.testing import MemoryMetadataService
from bioimageit_core.testing.content import read_content


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


@caught_by("test_another_content_than_the_stored_one_is_told")
class HoldsEverythingForTheSame(MemoryMetadataService):
    def is_as_stored(self, data, sha256):
        return True


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


globals().update(data_tests_of(globals()))
