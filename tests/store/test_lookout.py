"""A process listens between commands, so that the next one need not look at every document."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.store.index_asking import ask, make_experiment, rewrite, scan
from tests.store.test_index_noticing import CHANGES, in_place

from bioimageit_core.containers import Dataset
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.plugins.store import index as index_module
from bioimageit_core.plugins.store import lookout as lookout_module
from bioimageit_core.plugins.store.lookout import Lookout, address_of
from bioimageit_core.plugins.store.lookout_process import Listener

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells of changes on Linux")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A lookout of this test alone, which ends by itself; what is called counts the looks at whole folders."""
    name = f"\0test-{os.getpid()}-{tmp_path.name}"
    monkeypatch.setattr(lookout_module, "address_of", lambda _user: name)
    monkeypatch.setattr(lookout_module, "_IDLE", 20.0)
    monkeypatch.setattr(index_module, "_MANY", 1)
    looks: list[str] = []
    original = index_module.total_of

    def counted(directory: str, but: str) -> object:
        looks.append(directory)
        return original(directory, but)

    monkeypatch.setattr(index_module, "total_of", counted)
    return lambda: len(looks)


def command() -> LocalMetadataService:
    return LocalMetadataService(durable=False, lookout=True)


def warm(home: Path, count: int = 4) -> Dataset:
    """Make an experiment whose index the next command believes."""
    local, _, dataset = make_experiment(home, [{"P": "0"} for _ in range(count)])
    time.sleep(0.05)  # until no document is so new that it is read again anyway
    for _ in range(2):
        assert ask(command(), dataset, "P=7") == []
    local.flush()
    return dataset


def test_a_command_looks_at_no_document_that_was_not_touched_since_the_last(tmp_path: Path, place) -> None:
    dataset = warm(tmp_path)
    looks = place()
    assert ask(command(), dataset, "P=7") == []
    in_place(Path(dataset.uris[1].md_uri))
    assert ask(command(), dataset, "P=7") == [dataset.uris[1].uuid]
    assert ask(command(), dataset, "P=0") == [dataset.uris[place_].uuid for place_ in (0, 2, 3)]
    assert place() == looks


def test_what_a_command_writes_is_seen_by_the_next(tmp_path: Path, place) -> None:
    dataset = warm(tmp_path)
    local = command()
    experiment = local.get_experiment(str(tmp_path / "e/experiment.md.json"))
    source = tmp_path / "new.tif"
    source.write_text("new")
    new = local.import_data(experiment, str(source), "new.tif", "ada", "imagetiff", "2024-05-01", {"P": "7"})
    assert ask(command(), dataset, "P=7") == [new.uuid]
    Path(dataset.uris[0].md_uri).unlink()
    with pytest.raises(LookupError):
        ask(command(), dataset, "P=0")


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_system_tells_nothing_of_is_noticed_too(tmp_path: Path, place, change) -> None:
    dataset = warm(tmp_path)
    change(tmp_path / "e", lambda: ask(command(), dataset, "P=7"))
    assert ask(command(), dataset, "P=7") == [dataset.uris[1].uuid]


def test_more_changes_than_the_system_keeps_are_noticed(tmp_path: Path, place) -> None:
    dataset = warm(tmp_path)
    looks = place()
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    other = Path(dataset.md_uri).with_name("other.tmp")
    for number in range(kept + 10):  # each makes an event
        os.close(os.open(other.with_name(f"{number % 2}.tmp"), os.O_CREAT | os.O_WRONLY))
    in_place(Path(dataset.uris[1].md_uri))
    assert ask(command(), dataset, "P=7") == [dataset.uris[1].uuid]
    assert place() > looks


def test_a_lookout_that_ended_is_started_again_and_knows_nothing(tmp_path: Path, place, monkeypatch) -> None:
    dataset = warm(tmp_path)
    monkeypatch.setattr(lookout_module, "address_of", lambda _user: f"\0test-{os.getpid()}-{tmp_path.name}-later")
    looks = place()
    in_place(Path(dataset.uris[1].md_uri))
    for _ in range(2):
        assert ask(command(), dataset, "P=7") == [dataset.uris[1].uuid]
    assert place() == looks + 1


def test_without_one_every_command_looks(tmp_path: Path, place, monkeypatch) -> None:
    dataset = warm(tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(lookout_module, "address_of", lambda _user: f"\0test-{os.getpid()}-nobody")
    looks = place()
    in_place(Path(dataset.uris[1].md_uri))
    for _ in range(2):
        assert ask(command(), dataset, "P=7") == [dataset.uris[1].uuid]
    assert place() == looks + 2


@pytest.mark.parametrize("answer", [b"", b"\xff", b"[]", b'{"names": 3}', b'{"mark": "x", "names": null}', b"null"])
def test_an_answer_that_makes_no_sense_is_none(tmp_path: Path, monkeypatch, answer: bytes) -> None:
    name = f"\0test-{os.getpid()}-{tmp_path.name}"
    monkeypatch.setattr(lookout_module, "address_of", lambda _user: name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(name)
        server.listen()

        def say() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=say)
        thread.start()
        assert Lookout().touched(str(tmp_path), "")[1] is None
        thread.join()


@pytest.mark.parametrize("question", [b"", b"\n", b"[]\n", b"{}\n", b'{"directory": "/nowhere"}\n', b"\xff" * 100_000])
def test_a_question_that_makes_no_sense_ends_nothing(tmp_path: Path, monkeypatch, question: bytes) -> None:
    name = f"\0test-{os.getpid()}-{tmp_path.name}"
    monkeypatch.setattr(lookout_module, "address_of", lambda _user: name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(name)
        server.listen()
        thread = threading.Thread(target=Listener(server, 1.0).listen)
        thread.start()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.connect(name)
            try:
                other.sendall(question)
                other.shutdown(socket.SHUT_WR)
                assert other.recv(100) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
        mark, names = Lookout().touched(str(tmp_path), "")
        assert (bool(mark), names) == (True, None)
        (tmp_path / "a.md.json").write_text("{}")
        (tmp_path / "a.tif").write_text("")
        assert Lookout().touched(str(tmp_path), mark)[1] == {"a.md.json"}
        thread.join()


def test_the_place_of_a_lookout_is_its_users_own() -> None:
    assert address_of(1) != address_of(2)
    assert Lookout(is_wanted=False).touched("/", "") == ("", None)


def test_a_scan_says_the_same(tmp_path: Path, place) -> None:
    dataset = warm(tmp_path, 12)
    for number, item in enumerate(dataset.uris):
        in_place(Path(item.md_uri), str(number % 3))
        local = command()
        assert ask(local, dataset, "P=2") == scan(local, dataset, "P=2")


@pytest.mark.parametrize("is_new", [False, True], ids=["the same process", "another process"])
def test_who_asks_in_the_middle_of_an_import_sees_its_data_afterwards(tmp_path: Path, place, is_new: bool) -> None:
    dataset = warm(tmp_path, 20)  # so many that the list waits for more
    reader = command()
    assert ask(reader, dataset, "P=7") == []
    writer = LocalMetadataService(durable=False)
    original = writer.listings.add

    def add(*args: Any, **options: Any) -> None:  # the document is there, and not yet in the list
        assert ask(command() if is_new else reader, dataset, "P=7") == []
        original(*args, **options)

    writer.listings.add = add
    source = tmp_path / "new.tif"
    source.write_text("new")
    experiment = writer.get_experiment(str(tmp_path / "e/experiment.md.json"))
    for _ in range(3):
        new = writer.import_data(experiment, str(source), "new.tif", "ada", "imagetiff", "2024-05-01", {"P": "8"})
        assert ask(command() if is_new else reader, dataset, "P=8")[-1] == new.uuid


def test_an_edit_in_the_middle_of_an_import_is_not_covered_by_what_the_import_tells(tmp_path: Path, place) -> None:
    dataset = warm(tmp_path)
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "x.tif").write_text("x")
    writer = LocalMetadataService(durable=False)
    original = writer._wrote

    def wrote(md_uri: str, written: Sequence[Any]) -> None:  # an editor is faster than what the import tells the index
        for each in written:
            rewrite(Path(dataset.md_uri).parent / each.file, P="7")
            ask(command(), dataset, "P=7")
        original(md_uri, written)

    writer._wrote = wrote
    experiment = writer.get_experiment(str(tmp_path / "e/experiment.md.json"))
    writer.import_dir(experiment, str(folder), r"\.tif$", "ada", "imagetiff", "2024-05-01")
    assert len(ask(command(), dataset, "P=7")) == 1
