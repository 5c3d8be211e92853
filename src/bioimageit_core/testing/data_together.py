"""Results of several items stored at once: all of them or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import ProcessedData
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.testing.ability import ability, look_for
from bioimageit_core.testing.data_fixtures import DataFixtures, Fault, Lineage, content_of, facts

__all__ = ["TogetherTests"]


@ability("create_many_data")
class TogetherTests(DataFixtures):
    """Many results are stored as each would be by itself."""

    def test_results_stored_together_are_each_what_they_were(
        self, service: Any, lineage: Lineage, tmp_path: Path
    ) -> None:
        look_for(service, "create_many_data")
        given = _written(service, lineage, tmp_path, ("a", "b", "a"))

        stored = service.create_many_data(lineage.dataset, lineage.run, given)

        assert [data.name for data in stored] == ["a", "b", "a"]
        assert len({data.md_uri for data in stored} | {data.uuid for data in stored}) == 6
        assert _entries(service, lineage) == [lineage.processed.uuid, *(data.uuid for data in stored)]
        for number, data in enumerate(stored):
            read = service.get_processed_data(data.md_uri)
            assert facts(read) == facts(data)
            assert (read.run.md_uri, read.run.uuid) == (lineage.run.md_uri, lineage.run.uuid)
            assert [entry.uuid for entry in read.inputs] == [lineage.raw.uuid]
            assert content_of(service, read, str(tmp_path)) == f"result {number}".encode()

    def test_of_results_one_of_which_has_no_file_none_is_stored(
        self, service: Any, lineage: Lineage, tmp_path: Path
    ) -> None:
        look_for(service, "create_many_data")
        given = _written(service, lineage, tmp_path, ("a", "b", "c"))
        missing = Path(given[1].uri)
        missing.unlink()

        with pytest.raises(DataServiceError):
            service.create_many_data(lineage.dataset, lineage.run, given)

        assert _entries(service, lineage) == [lineage.processed.uuid]
        assert [Path(given[n].uri).read_bytes() for n in (0, 2)] == [b"result 0", b"result 2"]
        missing.write_bytes(b"found again")
        stored = service.create_many_data(lineage.dataset, lineage.run, given)
        assert [content_of(service, data, str(tmp_path)) for data in stored] == [
            b"result 0",
            b"found again",
            b"result 2",
        ]

    def test_a_write_that_fails_leaves_all_or_none(
        self, service: Any, lineage: Lineage, fault: Fault | None, tmp_path: Path
    ) -> None:
        look_for(service, "create_many_data")
        if fault is None:
            pytest.skip("no fixture `fault`: writes that fail were not tried")
        before = _entries(service, lineage)
        for number in range(1, 100):
            given = _written(service, lineage, tmp_path, ("a", "b", "c"))
            has_failed = False
            with fault(number) as counter:
                try:
                    service.create_many_data(lineage.dataset, lineage.run, given)
                except DataServiceError:
                    has_failed = True
                    assert counter.has_fired, "it failed although no write did"
            entries = _entries(service, lineage)
            assert len(entries) - len(before) == (0 if has_failed else 3)
            before = entries
            if not counter.has_fired:
                return
        pytest.fail("more than 99 writes")


def _written(service: Any, lineage: Lineage, folder: Path, names: tuple[str, ...]) -> list[ProcessedData]:
    """Make results with files, where the service wants them."""
    made = []
    for number, name in enumerate(names):
        data = ProcessedData()
        data.set_info(name, "ada", "2024-01-02", "tablecsv", "")
        data.set_output("t", "Table")
        data.add_input("image", lineage.raw)
        if callable(getattr(service, "create_data_uri", None)):
            data = service.create_data_uri(lineage.dataset, lineage.run, data)
        else:
            data.uri = str(folder / f"{number}.csv")
        Path(data.uri).write_bytes(f"result {number}".encode())
        made.append(data)
    return made


def _entries(service: Any, lineage: Lineage) -> list[str]:
    return [entry.uuid for entry in service.get_dataset(lineage.dataset.md_uri).uris]
