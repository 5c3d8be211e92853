"""A check names each thing that does not hold and reads what changed; a repair mends it without loss."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Container, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import NotFoundError
from bioimageit_core.plugins.store import checking, disk, local_files
from bioimageit_core.plugins.store.checked import as_text


@pytest.fixture
def data(import_all: Callable[..., None], listed: Callable[..., list[RawData]], sources: Path) -> list[RawData]:
    import_all(sources)
    return listed()


@pytest.fixture
def found(home: Any, experiment: Experiment) -> Callable[..., list[tuple[str, str]]]:
    def check(*args: Any, **options: Any) -> list[tuple[str, str]]:
        findings = home.make().check_experiment(experiment.md_uri, *args, **options)
        return sorted((each.kind, os.path.basename(each.uri)) for each in findings)

    return check


@pytest.fixture
def repair(home: Any, experiment: Experiment) -> Callable[[], list[str]]:
    return lambda: list(home.make().repair_experiment(experiment.md_uri))


@pytest.fixture
def mask(service: Any, experiment: Experiment, data: list[RawData], make_result: Any) -> ProcessedData:
    dataset = service.create_dataset(experiment, "masks")
    return make_result(service, dataset, service.create_run(dataset, Run(process_name="p")), data[0], "mask")


def rot(path: str, content: bytes) -> None:
    """Change bytes as a failing disk does: nothing else tells of it."""
    status = os.stat(path)
    with open(path, "r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_bit_rot_is_found_by_the_first_check_and_by_a_full_one(data: list[RawData], found: Any) -> None:
    assert found() == []
    rot(data[0].uri, b"C")
    with sqlite3.connect(Path(data[0].uri).parents[1] / ".bioimageit" / "checked.sqlite") as record:
        # a failing disk does not change the time of a change, as writing here did
        now = as_text(disk.signature_of(os.stat(data[0].uri)))
        record.execute("UPDATE checked SET signature = ? WHERE path = ?", (now, data[0].uri))
    record.close()
    assert found() == []
    assert found(full=True) == [("checksum", "a.tif")]
    assert found(False) == []


def test_a_change_that_keeps_time_and_size_is_found_by_every_check(data: list[RawData], found: Any) -> None:
    assert found() == []
    rot(data[0].uri, b"C")
    assert found() == [("checksum", "a.tif")]


def test_what_was_written_since_is_read_again(data: list[RawData], found: Any) -> None:
    assert found() == []
    Path(data[1].uri).write_bytes(b"longer than it was, by far")
    assert found() == [("checksum", "b.tif")]
    assert found() == [("checksum", "b.tif")]


def test_an_incremental_check_reads_only_what_changed(
    data: list[RawData], found: Any, monkeypatch: pytest.MonkeyPatch, home: Any
) -> None:
    read: list[str] = []
    real = local_files.digest_path
    monkeypatch.setattr(local_files, "digest_path", lambda path: read.append(os.path.basename(path)) or real(path))
    assert found() == []
    assert sorted(read) == ["a.tif", "b.tif", "c.tif"]
    os.utime(data[2].uri)
    read.clear()
    assert found() == []
    assert read == ["c.tif"]
    read.clear()
    assert found(full=True) == []
    assert len(read) == 3


def test_rot_in_a_document_that_still_reads_is_found(data: list[RawData], found: Any) -> None:
    assert found() == []
    content = Path(data[0].md_uri).read_bytes()
    rot(data[0].md_uri, content.replace(b'"ada"', b'"bda"'))
    assert found() == [("checksum", "a.md.json")]


def test_swapped_files_are_named(home: Any, experiment: Experiment, data: list[RawData]) -> None:
    a, b = (Path(each.uri) for each in data[:2])
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)
    findings = {os.path.basename(each.uri): each.message for each in home.make().check_experiment(experiment.md_uri)}
    assert findings == {
        "a.tif": "it has the content of 'b.tif': swapped?",
        "b.tif": "it has the content of 'a.tif': swapped?",
    }


def test_each_kind_of_damage_is_found_and_named(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], mask: ProcessedData, found: Any
) -> None:
    root = Path(experiment.md_uri).parent
    Path(data[0].uri).unlink()
    content = Path(data[1].md_uri).read_bytes()
    Path(data[1].md_uri).write_bytes(content[: len(content) // 2])
    home.change(data[2].md_uri, uuid="another")
    (root / "data" / "stray.tif").write_bytes(b"stray")
    (root / "data" / "torn.md.json").write_bytes(b'{"uu')
    (root / "masks" / "run.md.json").write_bytes(b"[]")
    shutil.copytree(root / "masks", root / "copied")
    (root / ".bioimageit" / "staging" / "left").mkdir(parents=True)
    assert [each for each in found() if "copied" not in each[1]] == [
        ("leftover", "left"),
        ("leftover", "torn.md.json"),
        ("missing file", "a.tif"),
        ("orphan dataset", "processed_dataset.md.json"),
        ("orphan file", "stray.tif"),
        ("swapped document", "c.md.json"),
        ("unreadable document", "b.md.json"),
        ("unreadable document", "run.md.json"),
    ]


def test_a_list_that_is_lost_or_damaged_is_found(experiment: Experiment, mask: ProcessedData, found: Any) -> None:
    path = Path(mask.md_uri).parent / "processed_dataset.md.json"
    path.write_bytes(path.read_bytes()[:20])
    assert found() == [("unreadable document", "processed_dataset.md.json")]
    path.unlink()
    assert found() == [("missing document", "processed_dataset.md.json")]


def test_a_document_that_was_lost_is_written_again_with_its_identity_and_annotations(
    home: Any, service: Any, experiment: Experiment, data: list[RawData], found: Any, repair: Any, listed: Any
) -> None:
    service.act_for("grace")
    dataset = Container(experiment.raw_dataset.url)
    service.annotate_data(dataset, {data[0].md_uri: {"Gene": "p53", "Day": 3}, data[1].md_uri: {"Gene": "x"}})
    service.annotate_data(dataset, {data[0].md_uri: {"Day": None}})
    Path(data[0].md_uri).unlink()
    Path(data[1].md_uri).write_bytes(b"\0" * 100)

    done = repair()

    assert any(f"as {data[0].uuid} again" in said for said in done)
    assert found() == []
    again = {each.name: each for each in listed(home.make())}
    assert {name: each.uuid for name, each in again.items()} == {each.name: each.uuid for each in data}
    assert again["a.tif"].key_value_pairs == {"Gene": "p53"}
    assert again["b.tif"].key_value_pairs["Gene"] == "x"
    assert again["a.tif"].md_uri == data[0].md_uri


@pytest.mark.parametrize("by", ["import_dir", "import_data"])
def test_what_a_document_said_when_it_was_imported_comes_back(
    by: str, service: Any, experiment: Experiment, sources: Path, repair: Any, listed: Any, home: Any
) -> None:
    how = ("ada", "imagetiff", "2024-01-01")
    if by == "import_dir":
        service.import_dir(experiment, str(sources), r"a\.tif$", *how, "Plate")
    else:
        service.import_data(experiment, str(sources / "a.tif"), "a.tif", *how, {"Plate": "sources"})
    (data,) = listed()
    Path(data.md_uri).unlink()
    (said,) = repair()
    assert "'bioimageit describe' reads it" in said
    assert listed(home.make())[0].key_value_pairs["Plate"] == data.key_value_pairs["Plate"] == "sources"


def test_what_is_imported_does_not_take_the_place_of_what_was_lost(
    home: Any, experiment: Experiment, data: list[RawData], found: Any, import_all: Any, sources: Path
) -> None:
    os.unlink(data[0].uri)
    os.unlink(data[0].md_uri)

    import_all(sources, by=home.make())

    assert found() == [("missing document", "a.md.json")]
    uris = [item.md_uri for item in home.make().get_dataset(experiment.raw_dataset.url).uris]
    assert len(uris) == len(set(uris)) == len(data) + 1


def test_a_document_that_is_listed_twice_is_told_and_listed_once(
    experiment: Experiment, data: list[RawData], found: Any, repair: Any, listed: Any, home: Any
) -> None:
    place = Path(experiment.raw_dataset.url)
    dataset = json.loads(place.read_text())
    dataset["urls"].insert(0, {"uuid": "another", "url": "a.md.json"})
    place.write_text(json.dumps(dataset))

    assert found() == [("listed twice", "a.md.json")]
    assert repair() == [f"listed {data[0].md_uri} once"]
    assert found() == []
    assert [each.uuid for each in listed(home.make())] == [each.uuid for each in data]


def test_a_transfer_that_goes_on_takes_what_was_left_of_it(
    home: Any, experiment: Experiment, data: list[RawData], found: Any, listed: Any, sources: Path
) -> None:
    names = ("left", "only its file")
    for name in names:
        (sources / f"{name}.tif").write_bytes(f"content of {name}".encode())
    dataset = Container(experiment.raw_dataset.url)
    sent = [RawData("", name, name, "ada", "2024-01-01", "imagetiff", str(sources / f"{name}.tif")) for name in names]
    home.make().receive_data(dataset, sent)
    folder = Path(data[0].md_uri).parent
    place = Path(experiment.raw_dataset.url)
    document = json.loads(place.read_text())
    document["urls"] = [link for link in document["urls"] if link["uuid"] not in names]  # it was killed before
    place.write_text(json.dumps(document))
    (folder / "only its file.md.json").unlink()
    before = sorted(path.name for path in folder.iterdir())

    home.make().receive_data(dataset, sent)

    assert found() == []
    assert sorted(path.name for path in folder.iterdir()) == sorted([*before, "only its file.md.json"])
    assert {each.name for each in listed(home.make())} == {*names, *(each.name for each in data)}


def test_a_result_whose_document_was_lost_stays_and_is_told(mask: ProcessedData, found: Any, repair: Any) -> None:
    Path(mask.md_uri).unlink()
    before = found()
    assert before == [("missing document", "mask.md.json"), ("orphan file", "mask.tif")]
    assert repair() == []
    assert Path(mask.uri).read_bytes() == b"result"
    assert found() == before


def test_a_document_that_people_broke_is_left_to_them(data: list[RawData], found: Any, repair: Any) -> None:
    Path(data[0].md_uri).write_bytes(b'{"uuid": "x",}')
    assert repair() == []
    assert found() == [("unreadable document", "a.md.json")]
    assert Path(data[0].md_uri).read_bytes() == b'{"uuid": "x",}'


def test_a_zarr_directory_is_read_each_time(
    home: Any, service: Any, experiment: Experiment, found: Any, tmp_path: Path
) -> None:
    store = tmp_path / "i.zarr" / "0"
    store.mkdir(parents=True)
    (store / "zarr.json").write_bytes(b"{}")
    (store / "c").write_bytes(b"chunk")
    data = service.import_data(experiment, str(store.parent), "i.zarr", "ada", "imagezarr")
    assert found() == found() == []
    rot(f"{data.uri}/0/c", b"CHUNK")
    assert found() == [("checksum", "i.zarr")]


@pytest.mark.parametrize("damage", [b"not a database, but longer than its header" * 9, b""])
def test_what_a_check_remembers_may_be_lost(
    data: list[RawData], experiment: Experiment, found: Any, damage: bytes
) -> None:
    assert found() == []
    path = Path(experiment.md_uri).parent / ".bioimageit" / "checked.sqlite"
    path.write_bytes(damage)
    rot(data[0].uri, b"C")
    assert found() == [("checksum", "a.tif")]
    path.unlink()
    path.mkdir()
    assert found() == [("checksum", "a.tif")]


def test_an_unreadable_file_and_progress(
    home: Any, experiment: Experiment, data: list[RawData], found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> Any:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(local_files, "digest_path", fail)
    told: list[tuple[int, int]] = []
    assert found(True, lambda done, total: told.append((done, total))) == [
        ("unreadable file", name) for name in ("a.tif", "b.tif", "c.tif")
    ]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_document_that_the_disk_does_not_give_hides_no_other(
    home: Any, experiment: Experiment, data: list[RawData]
) -> None:
    by = home.make()
    signature = by.files.signature

    def fail(uri: str) -> Any:
        if uri in {data[1].md_uri, unlisted}:
            raise OSError(5, "Input/output error", uri)
        return signature(uri)

    unlisted = data[1].md_uri.replace("b.md.json", "d.md.json")
    shutil.copy(data[1].md_uri, unlisted)
    by.files.signature = fail
    os.unlink(data[2].uri)
    found = [(each.kind, each.uri, each.repairable) for each in by.check_experiment(experiment.md_uri)]
    assert ("missing file", data[2].uri, False) in found
    assert {each for each in found if each[0] == "unreadable document"} == {
        ("unreadable document", uri, False) for uri in (data[1].md_uri, unlisted)
    }


def test_a_repair_leaves_what_it_may_not_read_where_it_is(
    data: list[RawData], found: Any, repair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = local_files.LocalFiles.read

    def fail(self: Any, uri: str) -> bytes:
        if uri == data[1].md_uri:
            raise PermissionError(13, "Permission denied", uri)
        return read(self, uri)

    monkeypatch.setattr(local_files.LocalFiles, "read", fail)
    assert found() == [("unreadable document", "b.md.json")]
    assert repair() == []
    assert os.path.exists(data[1].md_uri)


def test_a_copy_of_a_document_goes_to_the_trash(data: list[RawData], found: Any, repair: Any, listed: Any) -> None:
    copy = data[0].md_uri.replace("a.md.json", "copy.md.json")
    shutil.copy(data[0].md_uri, copy)
    assert found() == [("orphan document", "copy.md.json")]
    assert repair() == [f"moved {copy} to the trash"]
    assert found() == []
    assert Path(data[0].uri).read_bytes() == b"content of a.tif"


def test_a_copy_of_a_data_goes_to_the_trash_with_its_file(mask: ProcessedData, found: Any, repair: Any) -> None:
    copy, file = (uri.replace("mask.", "copy.") for uri in (mask.md_uri, mask.uri))
    Path(copy).write_text(Path(mask.md_uri).read_text().replace("mask.tif", "copy.tif"))
    shutil.copy(mask.uri, file)
    assert found() == [("orphan document", "copy.md.json")]
    assert repair() == [f"moved {copy} to the trash, and moved {file} to the trash"]
    assert found() == []
    assert Path(mask.uri).read_bytes() == b"result"


def test_a_document_that_people_renamed_keeps_its_place_in_the_list(
    experiment: Experiment, data: list[RawData], found: Any, repair: Any, listed: Any, home: Any
) -> None:
    renamed = data[0].md_uri.replace("a.md.json", "z.md.json")
    os.rename(data[0].md_uri, renamed)
    assert found() == [("missing document", "a.md.json"), ("orphan document", "z.md.json")]
    assert repair() == [f"listed {renamed} in place of a.md.json"]
    assert found() == []
    assert [(each.md_uri, each.uuid) for each in listed(home.make())] == [
        (renamed, data[0].uuid),
        *((each.md_uri, each.uuid) for each in data[1:]),
    ]


def test_an_experiment_that_is_not_there(home: Any, experiment: Experiment) -> None:
    with pytest.raises(NotFoundError):
        list(home.make().check_experiment(experiment.md_uri.replace("my", "no")))
    with pytest.raises(NotFoundError):
        list(home.make().repair_experiment(experiment.md_uri.replace("my", "no")))


def test_threads_are_used_where_one_would_wait_and_for_large_files(
    data: list[RawData], found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        assert set(checking._each(pool, lambda _: threading.get_ident(), list(range(100)))) == {threading.get_ident()}
        slow = checking._each(pool, lambda number: (time.sleep(0.002), number, threading.get_ident()), list(range(200)))
    assert [number for _, number, _ in slow] == list(range(200))
    assert len({who for _, _, who in slow}) == 3
    readers: set[int] = set()
    original = local_files.digest_path
    monkeypatch.setattr(local_files, "digest_path", lambda path: readers.add(threading.get_ident()) or original(path))
    assert found(full=True) == []
    assert readers == {threading.get_ident()}
    readers.clear()
    monkeypatch.setattr(checking, "_LARGE", 1)
    assert found(full=True) == []
    assert threading.get_ident() not in readers
    assert readers
