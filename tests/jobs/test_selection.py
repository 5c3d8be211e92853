"""Which data are meant, and what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bioimageit_core.containers import Container, Data, Dataset, ProcessedData, Tool
from bioimageit_core.core.exceptions import DataQueryError, DocumentError, NotFoundError
from bioimageit_core.jobs import get_origin, get_parent, select_data
from bioimageit_core.jobs.selection import Lineage, dataset_of


@pytest.fixture
def chain(home: Any, make_tool: Callable[..., Tool]) -> Any:
    """Two raw data, a dataset with two outputs each, and one made from that."""
    home.add("a", Population="p1")
    home.add("b", Population="p2")
    home.run(home.job(make_tool("write('1'); write('2', 't')", outputs=("o", "t")), "first"))
    home.run(home.job(make_tool(id_="next"), "second", {"i": ("first", "", "o")}))
    return home


def names(home: Any, dataset: str, query: str = "", output: str = "") -> list[str]:
    found = select_data(home.service, dataset_of(home.service, home.experiment, dataset), query, output)
    return sorted(data.name for data in found)


def test_a_query_selects_raw_data_by_their_annotations(chain: Any) -> None:
    assert names(chain, "data", "Population=p1") == ["a.txt"]
    assert names(chain, "data") == ["a.txt", "b.txt"]


def test_a_query_selects_processed_data_by_the_annotations_of_their_origin(chain: Any) -> None:
    assert names(chain, "first", "Population=p1") == ["o_a", "t_a"]
    assert names(chain, "second", "Population=p2") == ["o_b"]


def test_an_output_may_be_chosen(chain: Any) -> None:
    assert names(chain, "first", "Population=p1", "t") == ["t_a"]
    assert names(chain, "first", "", "zebra") == []


def test_a_query_that_cannot_be_understood_is_an_error_even_of_an_empty_dataset(home: Any) -> None:
    with pytest.raises(DataQueryError):
        names(home, "data", "((")


def test_parent_and_origin_are_found(chain: Any) -> None:
    data = chain.data("second")[0]

    parent = get_parent(chain.service, data)
    origin = get_origin(chain.service, data)

    assert isinstance(parent, ProcessedData)
    assert origin is not None
    assert (parent.name, origin.name) == (data.name, f"{data.name.removeprefix('o_')}.txt")


def test_a_data_without_inputs_has_neither(home: Any) -> None:
    assert get_parent(home.service, ProcessedData()) is None
    assert get_origin(home.service, ProcessedData()) is None


def test_a_dataset_that_is_not_there_is_an_error_that_lists_those_that_are(chain: Any) -> None:
    with pytest.raises(NotFoundError, match=r"no dataset 'zebra' in experiment .*: it has data, first, second"):
        dataset_of(chain.service, chain.experiment, "zebra")


def loop(published: Any) -> ProcessedData:
    service = published.service
    one, two = ProcessedData("fake://1", "1", "one"), ProcessedData("fake://2", "2", "two")
    one.add_input("i", two)
    two.add_input("i", one)
    service.records.update({"fake://1": one, "fake://2": two})
    return one


def test_a_chain_that_leads_back_to_itself_is_an_error(published: Any) -> None:
    with pytest.raises(DocumentError, match="its inputs lead back to 'one'"):
        get_origin(published.service, loop(published))


def test_such_a_chain_has_no_origin_to_pair_by(published: Any) -> None:
    assert Lineage(published.service).origin_key(loop(published)) == ""


def test_a_data_whose_origin_is_gone_has_no_annotations_but_is_there(published: Any) -> None:
    service = published.service
    orphan = ProcessedData("fake://1", "1", "orphan")
    orphan.add_input_("i", "fake://gone", "gone", "processed")
    service.records["fake://1"] = orphan
    dataset = Dataset("fake://d", "d", "d", [Container("fake://1", "1")])

    assert [data.name for data in select_data(service, dataset)] == ["orphan"]
    assert select_data(service, dataset, "Population=p1") == []
    assert Lineage(service).origin_key(orphan) == ""


def test_each_record_is_read_once(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = chain.service.get_raw_data

    def counted(md_uri: str) -> Data:
        read.append(md_uri)
        return real(md_uri)

    monkeypatch.setattr(chain.service, "get_raw_data", counted)
    lineage = Lineage(chain.service)

    for data in chain.data("first") * 3:
        lineage.origin(data)

    assert len(read) == len(set(read)) == 2


def test_a_service_that_answers_queries_is_asked() -> None:
    class Asked:
        def query_data(self, dataset: Container, query: str, origin_output_name: str = "") -> Iterator[Data]:
            yield Data(name=f"{dataset.uuid} {query} {origin_output_name}")

    found = select_data(Asked(), Dataset("", "d"), "name=a", "o")  # type: ignore[arg-type]

    assert [data.name for data in found] == ["d name=a o"]
