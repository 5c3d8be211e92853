"""Data of another home, taken in as they are: identities, words and bytes."""

from __future__ import annotations

import copy
import uuid
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Container, Data, Experiment, ProcessedData, RawData
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.testing.ability import ability, look_for
from bioimageit_core.testing.data_fixtures import DataFixtures, Fault, Lineage, content_of, facts, listed

__all__ = ["ArrivalTests"]


def _arriving(folder: Path, count: int = 3) -> list[RawData]:
    """Make raw data of one name and content, with identities and much to say."""
    made = []
    for number in range(count):
        path = folder / str(number) / "cell 1.tif"
        path.parent.mkdir()
        path.write_bytes(b"of another home")
        data = RawData("", str(uuid.uuid4()), "cell 1.tif", "grace", "1999-12-31", "imagetiff", str(path))
        data.key_value_pairs = {"Population": "p53", "Dose": number, "µ key": ["a", None]}
        data.metadata = {"PhysicalSizeX": 0.1, "Channels": [{"Name": "DAPI"}]}
        data.extra = {"lab": {"room": number}}
        made.append(data)
    return made


def _told(data: Data) -> dict[str, Any]:
    """Give all that a data says but for where it is."""
    said = facts(data)
    return {key: said[key] for key in said if key not in {"md_uri", "uri", "run", "inputs"}}


@ability("receive_data")
class ArrivalTests(DataFixtures):
    """Many data are taken in at once, and are who they were."""

    def test_raw_data_are_read_as_they_were_sent(self, service: Any, experiment: Experiment, tmp_path: Path) -> None:
        look_for(service, "receive_data")
        sent = _arriving(tmp_path)
        before = copy.deepcopy(sent)

        arrived = service.receive_data(Container(experiment.raw_dataset.url, experiment.raw_dataset.uuid), sent)

        assert [_told(data) for data in arrived] == [_told(data) for data in before]
        assert listed(service, experiment) == [data.md_uri for data in arrived]
        read = [service.get_raw_data(data.md_uri) for data in arrived]
        assert [facts(data) for data in read] == [facts(data) for data in arrived]
        assert [content_of(service, data, str(tmp_path)) for data in read] == [b"of another home"] * 3
        assert [facts(data) for data in sent] == [facts(data) for data in before]
        assert [Path(data.uri).read_bytes() for data in sent] == [b"of another home"] * 3

    def test_results_are_read_as_they_were_sent(self, service: Any, lineage: Lineage, tmp_path: Path) -> None:
        look_for(service, "receive_data")
        sent: list[Data] = []
        for name, source in (("a", lineage.raw), ("a", lineage.processed)):
            data = ProcessedData("", str(uuid.uuid4()), extra={"took": 0.5})
            (tmp_path / f"{len(sent)}.csv").write_bytes(b"1;2")
            data.set_info(name, "grace", "1999-12-31", "tablecsv", str(tmp_path / f"{len(sent)}.csv"))
            data.set_output("t", "Table")
            data.run = Container(lineage.run.md_uri, lineage.run.uuid)
            data.add_input("image", source)
            sent.append(data)

        arrived = service.receive_data(lineage.dataset, sent)

        assert [_told(data) for data in arrived] == [_told(data) for data in sent]
        for new, old in zip(arrived, sent, strict=True):
            assert (facts(new)["run"], facts(new)["inputs"]) == (facts(old)["run"], facts(old)["inputs"])
            assert facts(service.get_processed_data(new.md_uri)) == facts(new)
            assert content_of(service, new, str(tmp_path)) == b"1;2"
        entries = service.get_dataset(lineage.dataset.md_uri).uris
        assert [entry.uuid for entry in entries] == [lineage.processed.uuid, *(data.uuid for data in sent)]

    def test_a_file_that_is_not_there_is_an_error_and_what_is_listed_is_whole(
        self, service: Any, experiment: Experiment, tmp_path: Path
    ) -> None:
        look_for(service, "receive_data")
        sent = _arriving(tmp_path)
        Path(sent[1].uri).unlink()
        with pytest.raises(DataServiceError):
            service.receive_data(Container(experiment.raw_dataset.url, experiment.raw_dataset.uuid), sent)

        stored = [service.get_raw_data(uri) for uri in listed(service, experiment)]
        assert {data.uuid for data in stored} <= {sent[0].uuid, sent[2].uuid}
        assert all(content_of(service, data, str(tmp_path)) == b"of another home" for data in stored)

    def test_a_write_that_fails_leaves_whole_data_only(
        self, service: Any, experiment: Experiment, fault: Fault | None, tmp_path: Path
    ) -> None:
        look_for(service, "receive_data")
        if fault is None:
            pytest.skip("no fixture `fault`: writes that fail were not tried")
        dataset = Container(experiment.raw_dataset.url, experiment.raw_dataset.uuid)
        sent = _arriving(tmp_path)
        for number in range(1, 100):
            with fault(number) as counter:
                try:
                    service.receive_data(dataset, [self._renewed(data) for data in sent])
                except DataServiceError:
                    assert counter.has_fired, "it failed although no write did"
            stored = [service.get_raw_data(uri) for uri in listed(service, experiment)]
            assert all(content_of(service, data, str(tmp_path)) == b"of another home" for data in stored)
            if not counter.has_fired:
                assert len({data.uuid for data in stored}) >= len(sent)
                return
        pytest.fail("more than 99 writes")

    def _renewed(self, data: RawData) -> RawData:
        another = copy.deepcopy(data)
        another.uuid = str(uuid.uuid4())
        return another
