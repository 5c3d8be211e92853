"""Every change of a document is kept with who, when and what, and annotations can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Container, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.acting import acting_as
from bioimageit_core.core.exceptions import ConflictError, DataQueryError, DataServiceError, NotFoundError
from bioimageit_core.plugins.changes import HistoryEntry, Kept
from bioimageit_core.plugins.store import history as history_module

HOMES = ("local", "memory")


@pytest.fixture
def data(import_all: Callable[..., None], listed: Callable[..., list[RawData]], sources: Path) -> list[RawData]:
    import_all(sources)
    return listed()


@pytest.fixture
def history(service: Any, experiment: Experiment) -> Callable[..., list[HistoryEntry]]:
    def read(*args: Any) -> list[HistoryEntry]:
        return list(service.get_history(experiment.md_uri, *args).entries)

    return read


@pytest.fixture
def annotate(service: Any, experiment: Experiment) -> Callable[..., str]:
    def run(data: list[RawData], **pairs: Any) -> str:
        return service.annotate_data(Container(experiment.raw_dataset.url), {each.md_uri: pairs for each in data})

    return run


def genes(listed: Callable[..., list[RawData]]) -> list[Any]:
    return [data.key_value_pairs["Gene"] for data in listed()]


def test_each_kind_of_change_is_one_entry(
    service: Any, experiment: Experiment, data: list[RawData], history: Any, make_result: Any, sources: Path
) -> None:
    service.act_for("ada")
    (sources / "a.tif").write_bytes(b"other")
    service.import_data(experiment, str(sources / "a.tif"), "a.tif", "x", "imagetiff", on_conflict="replace")
    service.annotate_data(Container(experiment.raw_dataset.url), {each.md_uri: {"Gene": "p53"} for each in data})
    with acting_as("grace"):
        data[0].author = "hedy"
        service.update_raw_data(data[0])
    dataset = service.create_dataset(experiment, "masks")
    make_result(service, dataset, service.create_run(dataset, Run(process_name="p")), data[1], "mask")

    found = history()
    told = [(entry.operation, entry.count, entry.who, entry.keys) for entry in found]
    assert told == [
        ("result", 1, "ada", ()),
        ("run", 1, "ada", ()),
        ("update", 1, "ada", ("processed_datasets",)),
        ("update", 1, "grace", ("common.author",)),
        ("annotate", 3, "ada", ("Gene",)),
        ("replace", 1, "ada", ()),
        ("import", 3, "", ()),
        ("create", 1, "", ()),
    ]
    assert found[3].old | found[3].new == {"common.author": "hedy"}
    assert found[4].new == {"Gene": "p53"}
    assert set(found[4].md_uris) == {each.md_uri for each in data}
    assert all(entry.time.endswith("Z") for entry in found)
    assert len({entry.change for entry in found}) == len(found)
    of_b = history(data[1].md_uri)
    assert [entry.operation for entry in of_b] == ["annotate", "import"]
    assert of_b[0].md_uris == (data[1].md_uri,)


def test_pages_of_a_history_follow_each_other(service: Any, experiment: Experiment, data: Any, annotate: Any) -> None:
    for number in range(7):
        annotate(data, Gene=str(number))
    whole = service.get_history(experiment.md_uri).entries
    pages, cursor = [], ""
    while True:
        page = service.get_history(experiment.md_uri, "", cursor, 2)
        pages.append(page.entries)
        if not (cursor := page.cursor):
            break
    assert [entry for page in pages for entry in page] == list(whole)
    assert [len(page) for page in pages] == [2, 2, 2, 2, 1]
    assert [entry.new["Gene"] for entry in whole[:-2]] == [str(number) for number in range(6, -1, -1)]


@pytest.mark.parametrize("cursor", ["x", "-1", "²", "9" * 30])
def test_a_cursor_that_no_page_gave_is_refused(service: Any, experiment: Experiment, cursor: str) -> None:
    with pytest.raises(DataQueryError, match="cursor"):
        service.get_history(experiment.md_uri, "", cursor)


def test_an_undo_takes_back_what_nobody_changed_since(
    service: Any, experiment: Experiment, data: list[RawData], annotate: Any, listed: Any, home: Any
) -> None:
    annotate(data[:1], Gene="before")
    change = annotate(data, Gene="p53", Day=3)
    annotate(data[2:], Gene="theirs")

    undone = service.undo_change(experiment.md_uri, change)

    assert (undone.change, undone.count) == (change, 3)
    assert undone.kept == (Kept(data[2].md_uri, "Gene", "p53", "theirs"),)
    assert genes(listed) == ["before", "", "theirs"]
    assert not any("Day" in each.key_value_pairs for each in listed(home.make()))
    assert "Gene" not in home.document(data[1].md_uri)["key_value_pairs"]


def test_undoing_again_goes_further_back_and_an_undo_can_be_undone(
    service: Any, experiment: Experiment, data: list[RawData], annotate: Any, listed: Any, history: Any
) -> None:
    first, second = annotate(data, Gene="one"), annotate(data, Gene="two")
    assert service.undo_change(experiment.md_uri).change == second
    assert genes(listed) == ["one"] * 3
    assert service.undo_change(experiment.md_uri).change == first
    assert genes(listed) == [""] * 3
    with pytest.raises(NotFoundError, match="annotation to undo"):
        service.undo_change(experiment.md_uri)
    with pytest.raises(ConflictError, match="undone already"):
        service.undo_change(experiment.md_uri, first)
    entries = history()
    assert [entry.undoes for entry in entries[:2]] == [first, second]
    assert [entry.is_undone for entry in entries[:5]] == [False, False, True, True, False]

    service.undo_change(experiment.md_uri, entries[0].change)
    assert genes(listed) == ["one"] * 3
    assert [entry.is_undone for entry in history()[:5]] == [False, True, False, True, False]
    assert service.undo_change(experiment.md_uri).change == first
    assert genes(listed) == [""] * 3


@pytest.mark.parametrize("left", [0, 1, 3, 4])
def test_an_undo_whose_end_changes_nothing_is_done(
    service: Any, experiment: Experiment, sources: Path, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "_CHUNK", 2)
    (sources / "d.tif").write_bytes(b"d")
    service.import_dir(experiment, str(sources), r"\.tif$", "ada", "imagetiff", "now")
    dataset = service.get_dataset(experiment.raw_dataset.url)
    uris = [item.md_uri for item in dataset.uris]
    first = service.annotate_data(dataset, {md_uri: {"Day": "1"} for md_uri in uris})
    second = service.annotate_data(dataset, {md_uri: {"Lot": "7"} for md_uri in uris})
    for md_uri in uris[left:]:
        data = service.get_raw_data(md_uri)
        data.set_key_value_pair("Lot", "edited")
        service.update_raw_data(data)
    assert (service.undo_change(experiment.md_uri, second).count, len(uris)) == (left, 4)
    with pytest.raises(ConflictError, match="undone already"):
        service.undo_change(experiment.md_uri, second)
    assert service.undo_change(experiment.md_uri, first).count == 4


def test_an_annotation_of_one_data_can_be_undone_and_another_update_cannot(
    service: Any, experiment: Experiment, data: list[RawData], listed: Any, history: Any
) -> None:
    data[0].set_key_value_pair("Gene", "p53")
    service.update_raw_data(data[0])
    data[1].author = "grace"
    service.update_raw_data(data[1])
    renaming, annotation = history()[:2]
    with pytest.raises(ConflictError, match="no annotation"):
        service.undo_change(experiment.md_uri, renaming.change)
    assert service.undo_change(experiment.md_uri).change == annotation.change
    assert genes(listed) == [""] * 3
    with pytest.raises(NotFoundError):
        service.undo_change(experiment.md_uri, "0" * 12)


def test_a_journal_that_was_damaged_still_tells_the_rest(
    service: Any, experiment: Experiment, data: list[RawData], annotate: Any, history: Any, home: Any, listed: Any
) -> None:
    annotate(data, Gene="p53")
    journal = experiment.md_uri.replace("experiment.md.json", ".bioimageit/journal.jsonl")
    content = home.read(journal)
    strange = b'[]\n{"op": 1}\n{"op":"annotate","batch":"evil","md":"../../x.md.json","old":{},"new":{"A":"1"}}\n'
    home.write(journal, content + b'{"torn": \n\xff\n' + strange + b'{"t":"cut off')
    assert [entry.operation for entry in history()[1:]] == ["annotate", "import", "create"]
    with pytest.raises(DataServiceError, match="no data of it"):
        service.undo_change(experiment.md_uri, "evil")
    service.undo_change(experiment.md_uri, history()[1].change)
    assert genes(listed) == [""] * 3


test_a_journal_that_was_damaged_still_tells_the_rest.homes = ("local",)


def test_a_history_longer_than_a_piece_is_read_from_its_end(
    service: Any, experiment: Experiment, data: list[RawData], annotate: Any, history: Any
) -> None:
    for number in range(400):
        annotate(data, Gene=f"{number} " + "x" * 100)
    assert [entry.new["Gene"].split()[0] for entry in history("", "", 1000)[:-2]] == [
        str(n) for n in range(399, -1, -1)
    ]


test_a_history_longer_than_a_piece_is_read_from_its_end.homes = ("local",)


def test_undo_of_what_is_gone_is_told(
    service: Any, experiment: Experiment, data: list[RawData], annotate: Any, home: Any
) -> None:
    annotate(data, Gene="p53")
    home.remove(data[0].md_uri)
    undone = service.undo_change(experiment.md_uri)
    assert (undone.count, undone.kept) == (2, (Kept(data[0].md_uri, "Gene", "p53", None),))


def test_results_are_not_annotated_by_an_undo(
    service: Any, experiment: Experiment, data: Any, make_result: Any
) -> None:
    dataset = service.create_dataset(experiment, "masks")
    result = make_result(service, dataset, service.create_run(dataset, Run()), data[0], "mask")
    assert isinstance(result, ProcessedData)
    with pytest.raises(NotFoundError, match="annotation to undo"):
        service.undo_change(experiment.md_uri)
