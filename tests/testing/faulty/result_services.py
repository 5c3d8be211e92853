"""Data services with one fault each in what they do with runs, results, queries and identities."""

from __future__ import annotations

import copy
import os

from catching import caught_by, data_tests_of

from bioimageit_core.core.query import fields_of
from bioimageit_core.testing import MemoryMetadataService


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


@caught_by("test_of_results_one_of_which_has_no_file_none_is_stored")
class StoresTogetherWhatItCan(MemoryMetadataService):
    def create_many_data(self, dataset, run, processed_data):
        return [self.create_data(dataset, run, data) for data in processed_data]


@caught_by("test_results_stored_together_are_each_what_they_were")
class StoresTogetherTheLastFirst(MemoryMetadataService):
    def create_many_data(self, dataset, run, processed_data):
        return [self.create_data(dataset, run, data) for data in reversed(processed_data)][::-1]


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


globals().update(data_tests_of(globals()))
