"""What is deleted goes to a trash as a whole, comes back as it was, and keeps its hashes when its bytes are freed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, DocumentError, NotFoundError
from bioimageit_core.jobs.selection import select_data
from bioimageit_core.plugins.store.trash import Trash

HOMES = ("local", "memory")


@pytest.fixture
def data(import_all: Callable[..., None], listed: Callable[..., list[RawData]], sources: Path) -> list[RawData]:
    import_all(sources)
    return listed()


@pytest.fixture
def mask(service: Any, experiment: Experiment, data: list[RawData], make_result: Any) -> ProcessedData:
    dataset = service.create_dataset(experiment, "masks")
    return make_result(service, dataset, service.create_run(dataset, Run(process_name="p")), data[0], "mask")


@pytest.fixture
def findings(home: Any, experiment: Experiment) -> Callable[[], list[str]]:
    def find() -> list[str]:
        return [f"{each.kind} {each.uri}" for each in home.make().check_experiment(experiment.md_uri)]

    return find


def everything(home: Any, uri: str) -> dict[str, bytes]:
    """Read all files of an experiment but those of ours."""
    root = uri.removesuffix("/experiment.md.json")
    paths = home.system.find(home.path(root))
    return {path: home.system.cat_file(path) for path in paths if "/.bioimageit/" not in path}


def test_deleted_data_are_gone_everywhere_and_come_back_as_they_were(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], listed: Any, findings: Any
) -> None:
    before = everything(home, experiment.md_uri)
    entry = service.delete_data(experiment.md_uri, [data[1].md_uri], what="data 'b.tif'")

    assert (entry.state, entry.name, entry.count, entry.size) == ("deleted", "b.tif", 1, len("content of b.tif"))
    assert [each.name for each in listed()] == ["a.tif", "c.tif"] == [each.name for each in listed(home.make())]
    found = select_data(service, service.get_dataset(experiment.raw_dataset.url), "name=.tif")
    assert [each.name for each in found] == ["a.tif", "c.tif"]
    urls = [link["url"] for link in home.document(experiment.raw_dataset.url)["urls"]]
    assert urls == ["a.md.json", "c.md.json"]
    assert len(before) - 2 == len(everything(home, experiment.md_uri))
    assert findings() == []
    assert service.get_trash(experiment.md_uri) == [entry]

    home.make().restore(experiment.md_uri, "b")
    assert everything(home, experiment.md_uri) == before
    assert [each.uuid for each in listed()] == [each.uuid for each in data]
    assert service.get_trash(experiment.md_uri) == []
    assert findings() == []
    told = [entry.operation for entry in service.get_history(experiment.md_uri).entries]
    assert told[:2] == ["restore", "delete"]


def test_a_deleted_dataset_takes_its_runs_along(
    home: Any, service: Any, experiment: Experiment, mask: ProcessedData, findings: Any
) -> None:
    before = everything(home, experiment.md_uri)
    url = service.get_experiment(experiment.md_uri).processed_datasets[0].url
    entry = service.delete_data(experiment.md_uri, [], [url], "dataset 'masks'")
    assert (entry.name, entry.count, entry.size) == ("mask", 1, len(b"result"))
    assert service.get_experiment(experiment.md_uri).processed_datasets == []
    assert not any("/masks/" in path for path in everything(home, experiment.md_uri))
    assert findings() == []

    service.create_dataset(experiment, "masks")
    with pytest.raises(ConflictError, match="there again"):
        service.restore(experiment.md_uri, "masks")
    (again,) = service.get_experiment(experiment.md_uri).processed_datasets
    assert service.get_trash(experiment.md_uri)[0].state == "deleted"
    service.delete_data(experiment.md_uri, [], [again.url])

    service.restore(experiment.md_uri, entry.id)
    assert everything(home, experiment.md_uri) == before
    assert service.get_processed_data(mask.md_uri).uuid == mask.uuid


def test_purging_frees_the_bytes_and_keeps_record_and_hashes(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], mask: ProcessedData
) -> None:
    url = service.get_experiment(experiment.md_uri).processed_datasets[0].url
    entry = service.delete_data(experiment.md_uri, [data[0].md_uri], [url], "both")
    (purged,) = service.purge_trash(experiment.md_uri, entry.id)
    assert (purged.id, purged.state, purged.count) == (entry.id, "purged", 2)
    left = sorted(path.rpartition("/")[2] for path in home.system.find(home.path(entry.place)))
    assert left == ["a.md.json", "mask.md.json", "processed_dataset.md.json", "run.md.json", "trash.json"]
    told = json.loads(home.read(f"{entry.place}/trash.json"))["content"]
    sums = {hashlib.sha256(content).hexdigest() for content in (b"content of a.tif", b"result")}
    assert {each["sha256"] for each in told} == sums
    assert service.get_trash(experiment.md_uri)[0].state == "purged"
    with pytest.raises(ConflictError, match="purged"):
        service.restore(experiment.md_uri, entry.id)
    assert service.purge_trash(experiment.md_uri) == []


def test_an_experiment_goes_to_the_trash_of_its_workspace(
    home: Any, service: Any, experiment: Experiment, mask: ProcessedData, listed: Any
) -> None:
    before = everything(home, experiment.md_uri)
    entry = service.delete_experiment(experiment.md_uri)
    assert (entry.name, entry.state) == ("my experiment", "deleted")
    assert home.make().get_workspace_experiments(home.workspace) == []
    assert service.get_trash(home.workspace) == [entry]
    with pytest.raises(NotFoundError):
        service.get_experiment(experiment.md_uri)
    home.make().restore(home.workspace, "my experiment")
    assert everything(home, experiment.md_uri) == before
    assert len(listed(home.make())) == 3

    entry = service.delete_experiment(experiment.md_uri)
    service.purge_trash(home.workspace)
    left = {path.rpartition("/")[2] for path in home.system.find(home.path(entry.place))}
    assert not any(name.endswith(".tif") for name in left)
    assert {"experiment.md.json", "a.md.json", "mask.md.json", "trash.json"} < left


def test_data_imported_by_reference_stay_where_they_are(
    service: Any, experiment: Experiment, import_all: Any, sources: Path, listed: Any
) -> None:
    import_all(sources, mode="reference")
    entry = service.delete_data(experiment.md_uri, [each.md_uri for each in listed()])
    service.purge_trash(experiment.md_uri, entry.id)
    assert listed() == []
    assert sorted(path.name for path in sources.iterdir()) == ["a.tif", "b.tif", "c.tif", "notes.txt"]
    assert (sources / "a.tif").read_bytes() == b"content of a.tif"


def test_what_was_deleted_can_be_imported_again(
    service: Any, experiment: Experiment, data: list[RawData], import_all: Any, sources: Path, listed: Any
) -> None:
    service.delete_data(experiment.md_uri, [data[0].md_uri])
    import_all(sources)
    assert sorted(each.name for each in listed()) == ["a.tif", "b.tif", "c.tif"]
    assert data[0].uuid not in {each.uuid for each in listed()}
    with pytest.raises(ConflictError, match="there again"):
        service.restore(experiment.md_uri)


@pytest.mark.parametrize("what", ["raw dataset", "unknown data", "data of another", "nothing"])
def test_what_cannot_be_deleted_is_refused_and_nothing_changes(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], what: str
) -> None:
    other = service.create_experiment("other", "ada", "now", [], home.workspace)
    before = everything(home, experiment.md_uri)
    arguments: dict[str, Any] = {
        "raw dataset": ([], [experiment.raw_dataset.url]),
        "unknown data": ([data[0].md_uri, data[0].md_uri.replace("a.md", "z.md")], []),
        "data of another": ([other.raw_dataset.url.replace("raw_dataset", "x")], []),
        "nothing": ([], []),
    }
    with pytest.raises(DataServiceError):
        service.delete_data(experiment.md_uri, *arguments[what])
    assert everything(home, experiment.md_uri) == before
    assert service.get_trash(experiment.md_uri) == []


@pytest.mark.parametrize("path", ["../../elsewhere", "/etc/passwd", "data/../../x", ".", ""])
def test_a_manifest_that_leads_elsewhere_is_refused(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], path: str
) -> None:
    entry = service.delete_data(experiment.md_uri, [data[0].md_uri])
    home.change(f"{entry.place}/trash.json", moves=[path])
    for action in (service.restore, service.purge_trash):
        with pytest.raises(DocumentError, match="which is not in"):
            action(experiment.md_uri, entry.id)


def test_replaced_files_are_in_the_trash_too(
    service: Any, experiment: Experiment, data: list[RawData], import_all: Any, sources: Path, home: Any
) -> None:
    (sources / "a.tif").write_bytes(b"new")
    import_all(sources, on_conflict="replace")
    (entry,) = service.get_trash(experiment.md_uri)
    assert (entry.state, entry.size) == ("file", len(b"content of a.tif"))
    assert entry.what == "the file 'a.tif'"
    assert service.purge_trash(experiment.md_uri) == [entry]
    assert service.get_trash(experiment.md_uri) == []


@pytest.mark.parametrize("others", [[], [0]], ids=["alone", "with another"])
def test_a_deletion_that_was_interrupted_is_finished_by_asking_again(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], listed: Any, monkeypatch: Any, others: Any
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trash, "_put_in", interrupted)
        with pytest.raises(KeyboardInterrupt):
            service.delete_data(experiment.md_uri, [data[1].md_uri], what="b")

    wanted = [data[number].md_uri for number in (1, *others)]
    assert home.make().delete_data(experiment.md_uri, wanted, what="again").state == "deleted"
    gone = {data[number].name for number in (1, *others)}
    assert {each.name for each in listed(home.make())} == {each.name for each in data} - gone
    assert len(service.get_trash(experiment.md_uri)) == len(gone)
    with pytest.raises(NotFoundError):
        service.delete_data(experiment.md_uri, wanted)


def test_a_data_whose_document_is_unreadable_can_be_deleted(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], listed: Any
) -> None:
    home.write(data[0].md_uri, b"{")
    service.delete_data(experiment.md_uri, [data[0].md_uri])
    assert [each.name for each in listed()] == ["b.tif", "c.tif"]


def test_a_result_that_cannot_come_back_before_its_dataset_keeps_nothing_from_coming_back(
    home: Any, service: Any, experiment: Experiment, mask: ProcessedData, findings: Any
) -> None:
    dataset = experiment.md_uri.replace("experiment.md.json", "masks/processed_dataset.md.json")
    result = service.delete_data(experiment.md_uri, [mask.md_uri])
    folder = service.delete_data(experiment.md_uri, [], [dataset])
    with pytest.raises(ConflictError, match=r"masks is not there; restore it first"):
        service.restore(experiment.md_uri, result.id)
    assert {each.state for each in service.get_trash(experiment.md_uri)} == {"deleted"}
    for entry in (folder, result):
        assert home.make().restore(experiment.md_uri, entry.id).id == entry.id
    assert service.get_processed_data(mask.md_uri).uuid == mask.uuid
    assert findings() == []


def test_of_a_file_that_was_replaced_it_is_told_where_it_lies(
    service: Any, experiment: Experiment, data: list[RawData], tmp_path: Path, home: Any
) -> None:
    (tmp_path / data[0].name).write_bytes(b"another")
    how = ("ada", "imagetiff", "now")
    service.import_data(experiment, str(tmp_path / data[0].name), data[0].name, *how, on_conflict="replace")
    (entry,) = service.get_trash(experiment.md_uri)
    assert entry.state == "file"
    with pytest.raises(ConflictError, match="copy it from") as told:
        service.restore(experiment.md_uri, entry.id)
    assert home.read(str(told.value).rpartition("copy it from ")[2]) == f"content of {data[0].name}".encode()
