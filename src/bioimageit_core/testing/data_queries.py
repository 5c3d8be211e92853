"""Queries select what the language says, in the dataset's order, however a service answers them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bioimageit_core.containers import Data, Dataset, Experiment, Run
from bioimageit_core.core.exceptions import DataQueryError, DataServiceError
from bioimageit_core.jobs.selection import select_data
from bioimageit_core.testing.ability import ability, look_for
from bioimageit_core.testing.data_fixtures import DataFixtures, Lineage, make_result
from bioimageit_core.testing.reference import KEYS, Expression, expressions, values

__all__ = ["QueryTests"]

NAMES = ("p53 a.tif", "cell_01.tif", "Cell 1.tif", "f96 (17).tif", "zebra µ.tif", "100%.tif")


def names(found: Any) -> list[str]:
    """Give the names of data, in their order."""
    return [data.name for data in found]


@ability("queries")
class QueryTests(DataFixtures):
    """What is selected, of raw data and of what was made from them."""

    def _import(
        self, service: Any, experiment: Experiment, folder: Path, rows: Mapping[str, Mapping[str, str]]
    ) -> list[Any]:
        made = []
        for name, pairs in rows.items():
            path = folder / f"{uuid.uuid4().hex}.tif"
            path.write_bytes(name.encode())
            args = (str(path), name, "ada", "imagetiff", "2024-05-31", dict(pairs))
            made.append(service.import_data(experiment, *args))
        return made

    @pytest.fixture
    def days(self, service: Any, experiment: Experiment, tmp_path: Path) -> Dataset:
        """Give a raw dataset of ten days, of two populations, in an order that is not theirs."""
        rows = {
            f"day {day}.tif": {"Population": f"p{day % 2}", "Day": str(day)} for day in (3, 10, 1, 2, 9, 4, 8, 7, 6, 5)
        }
        self._import(service, experiment, tmp_path, rows)
        dataset: Dataset = service.get_dataset(experiment.raw_dataset.url)
        return dataset

    def test_numbers_are_compared_as_numbers_in_the_datasets_order(self, service: Any, days: Dataset) -> None:
        assert names(select_data(service, days, "Day>=8")) == ["day 10.tif", "day 9.tif", "day 8.tif"]
        assert names(select_data(service, days, "Population=p0 AND Day<5")) == ["day 2.tif", "day 4.tif"]

    def test_an_empty_query_selects_all(self, service: Any, days: Dataset) -> None:
        assert len(list(select_data(service, days, ""))) == 10

    def test_a_part_of_a_name_selects(self, service: Any, days: Dataset) -> None:
        assert names(select_data(service, days, "name=day 1")) == ["day 10.tif", "day 1.tif"]

    def test_a_change_is_selected_by_at_once(self, service: Any, days: Dataset) -> None:
        data = service.get_raw_data(days.uris[0].md_uri)
        data.set_key_value_pair("Population", "changed")
        service.update_raw_data(data)

        assert names(select_data(service, days, "Population=changed")) == ["day 3.tif"]
        assert "day 3.tif" not in names(select_data(service, days, "Population=p1"))

    def test_what_is_selected_can_be_changed_and_written(self, service: Any, days: Dataset) -> None:
        (data,) = select_data(service, days, "Day=7")
        data.set_key_value_pair("Population", "mine")  # type: ignore[attr-defined]
        service.update_raw_data(data)

        assert service.get_raw_data(data.md_uri).key_value_pairs == {"Population": "mine", "Day": "7"}

    def test_processed_data_are_selected_by_the_annotations_of_their_origin(
        self, service: Any, experiment: Experiment, lineage: Lineage, tmp_path: Path
    ) -> None:
        (other,) = self._import(service, experiment, tmp_path, {"other.tif": {"Population": "p63"}})
        make_result(service, lineage.dataset, lineage.run, other, str(tmp_path), "other mask")
        make_result(service, lineage.dataset, lineage.run, other, str(tmp_path), "other table", "table")
        dataset = service.get_dataset(lineage.dataset.md_uri)

        assert names(select_data(service, dataset, "Population=p53")) == ["cell 1 mask"]
        assert names(select_data(service, dataset, "Population=p63")) == ["other mask", "other table"]
        assert names(select_data(service, dataset, "Population=p63", "table")) == ["other table"]
        assert names(select_data(service, dataset, "", "o")) == ["cell 1 mask", "other mask"]

    def test_a_change_of_the_origin_is_selected_by_too(
        self, service: Any, experiment: Experiment, lineage: Lineage, tmp_path: Path
    ) -> None:
        second = service.create_dataset(experiment, "second")
        run = service.create_run(second, Run(process_name="p"))
        make_result(service, second, run, lineage.processed, str(tmp_path), "far")
        raw = service.get_raw_data(lineage.raw.md_uri)
        raw.set_key_value_pair("Population", "changed")
        service.update_raw_data(raw)

        found = select_data(service, service.get_dataset(second.md_uri), "Population=changed")
        assert names(found) == ["far"]

    @pytest.mark.parametrize("query", ["a=", "=", "Population=p1 AND", "(a=1", "a<b", "name~["])
    def test_a_query_that_cannot_be_understood_is_an_error(self, service: Any, days: Dataset, query: str) -> None:
        if query == "a=":
            assert len(list(select_data(service, days, query))) == 10  # nothing has a value of it
            return
        with pytest.raises(DataQueryError):
            list(select_data(service, days, query))

    @ability("query_data")
    def test_the_service_answers_by_itself(self, service: Any, days: Dataset) -> None:
        look_for(service, "query_data")

        assert names(service.query_data(days, "Day IN (1, 2)", "")) == ["day 1.tif", "day 2.tif"]
        assert all(isinstance(data, Data) for data in service.query_data(days, "", ""))

    @ability("query_data")
    def test_a_dataset_that_is_not_there_is_an_error(self, service: Any, nowhere: list[str]) -> None:
        look_for(service, "query_data")
        with pytest.raises(DataServiceError):
            list(service.query_data(Dataset(nowhere[1], "u", "n"), "", ""))

    def test_every_query_selects_what_the_reference_selects(
        self, service: Any, destination: str, tmp_path: Path
    ) -> None:
        pairs = st.dictionaries(st.sampled_from(KEYS), values(), max_size=len(KEYS))
        rows = st.dictionaries(st.sampled_from(NAMES), pairs, min_size=1, max_size=len(NAMES))

        @settings(
            max_examples=max(self.max_examples // 2, 2),
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(rows=rows, queries=st.lists(expressions(), min_size=10, max_size=30))
        def check(rows: dict[str, dict[str, str]], queries: list[Expression]) -> None:
            experiment = service.create_experiment(f"kit {uuid.uuid4().hex[:12]}", "ada", "now", [], destination)
            raw = self._import(service, experiment, tmp_path, rows)
            processed = service.create_dataset(experiment, "processed")
            run = service.create_run(processed, Run(process_name="p"))
            for data in raw:
                make_result(service, processed, run, data, str(tmp_path), data.name, "o")
            for uri, date in ((experiment.raw_dataset.url, "2024-05-31"), (processed.md_uri, "2024-03-01")):
                own = {"author": "ada", "format": "imagetiff", "date": date}
                dataset = service.get_dataset(uri)
                for query in queries:
                    expected = [
                        n for n, annotations in rows.items() if query.selects({**own, **annotations, "name": n})
                    ]
                    assert names(select_data(service, dataset, str(query))) == expected, str(query)

        check()
