"""The index notices what others change, and what the system tells nothing of."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.index_asking import ask, make_experiment, rewrite, scan, service

from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.plugins.store import disk, index_rows, local_files
from bioimageit_core.plugins.store import index as index_module


@pytest.mark.parametrize("fresh", [False, True], ids=["the same process", "another process"])
def test_what_others_change_is_noticed(tmp_path: Path, fresh: bool) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"} for _ in range(5)])
    assert ask(local, dataset, "P=7") == []
    folder = Path(dataset.md_uri).parent
    paths = [Path(item.md_uri) for item in dataset.uris]

    def now() -> LocalMetadataService:
        return service() if fresh else local

    rewrite(paths[0], P="7")  # an editor that writes in place
    assert ask(now(), dataset, "P=7") == scan(local, dataset, "P=7") != []
    sibling = folder / "x.tmp"  # an editor that renames
    sibling.write_bytes(paths[1].read_bytes())
    rewrite(sibling, P="7")
    os.replace(sibling, paths[1])
    assert len(ask(now(), dataset, "P=7")) == 2
    status = paths[2].stat()  # one that keeps time and size
    paths[2].write_text(paths[2].read_text().replace('"P": "0"', '"P": "7"'))
    os.utime(paths[2], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert len(ask(now(), dataset, "P=7")) == 3
    listing = json.loads(Path(dataset.md_uri).read_text())  # other software takes one out of the list
    gone = listing["urls"].pop(0)
    Path(dataset.md_uri).write_text(json.dumps(listing, indent=4))
    assert gone["uuid"] not in ask(now(), dataset, "")
    copy = json.loads(paths[1].read_text())  # and puts another in
    copy["uuid"], copy["common"]["name"] = "new", "added.tif"
    (folder / "added.md.json").write_text(json.dumps(copy, indent=4))
    listing["urls"].append({"uuid": "new", "url": "added.md.json"})
    Path(dataset.md_uri).write_text(json.dumps(listing, indent=4))
    assert ask(now(), dataset, "name==added.tif") == ["new"]
    assert ask(now(), dataset, "") == scan(local, dataset, "")


def test_a_document_that_was_changed_a_moment_ago_is_read_again(tmp_path: Path, monkeypatch) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"}])
    monkeypatch.setattr(disk, "_TICK", 3600 * 10**9)
    assert len(ask(local, dataset, "P=0")) == 1
    read: list[str] = []
    fresh = service()
    original = fresh.files.read
    fresh.files.read = lambda uri: read.append(uri) or original(uri)
    assert len(ask(fresh, dataset, "P=0")) == 1
    assert dataset.uris[0].md_uri in read


def in_place(path: Path, value: str = "7") -> None:
    """Change a value as an editor does that keeps time and size."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(path.read_bytes().replace(b'"P": "0"', f'"P": "{value}"'.encode()))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_the_experiment(root: Path, _ask: Callable[[], object]) -> None:
    shutil.copytree(root, root.with_name("other"))
    in_place(root.with_name("other") / "data/im 1.md.json")
    root.rename(root.with_name("old"))
    root.with_name("other").rename(root)


def replace_what_a_link_leads_to(root: Path, ask: Callable[[], object]) -> None:
    (root / "data").rename(root / "one")
    (root / "data").symlink_to("one")
    ask()
    shutil.copytree(root / "one", root / "two")
    in_place(root / "two/im 1.md.json")
    (root / "data").unlink()
    (root / "data").symlink_to("two")


def change_behind_a_link(root: Path, ask: Callable[[], object]) -> None:
    (root / "data/im 1.md.json").rename(root / "elsewhere.json")
    (root / "data/im 1.md.json").symlink_to("../elsewhere.json")
    ask()
    ask()
    in_place(root / "elsewhere.json")


def change_by_another_name(root: Path, ask: Callable[[], object]) -> None:
    os.link(root / "data/im 1.md.json", root / "elsewhere.json")
    os.utime(root / "data/im 1.md.json")  # as its copying does
    ask()
    ask()
    in_place(root / "elsewhere.json")


def put_an_older_index_back(root: Path, ask: Callable[[], object]) -> None:
    index = root / ".bioimageit/index.sqlite"
    older = index.read_bytes()
    in_place(root / "data/im 1.md.json")
    ask()
    index.write_bytes(older)


CHANGES = [
    replace_the_experiment,
    replace_what_a_link_leads_to,
    change_behind_a_link,
    change_by_another_name,
    put_an_older_index_back,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_system_tells_nothing_of_is_noticed_too(tmp_path: Path, change: Callable[..., None]) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"} for _ in range(4)])
    time.sleep(0.05)  # until no document is so new that it is read again anyway
    for _ in range(2):
        assert ask(local, dataset, "P=7") == []
    change(tmp_path / "e", lambda: ask(local, dataset, "P=7"))
    assert ask(local, dataset, "P=7") == [dataset.uris[1].uuid] == ask(service(), dataset, "P=7")


def test_a_change_within_the_second_is_noticed_where_a_filesystem_counts_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coarse(status: os.stat_result) -> disk.Signature:
        second = 10**9
        mtime, ctime = (each // second * second for each in (status.st_mtime_ns, status.st_ctime_ns))
        return mtime, status.st_size, status.st_ino, ctime

    for module in (index_module, index_rows, local_files):
        monkeypatch.setattr(module, "signature_of", coarse)
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"} for _ in range(3)])
    assert list(service().check_experiment(str(tmp_path / "e"))) == []
    (tmp_path / "e/data/im 0.tif").write_text("x")
    assert [each.kind for each in service().check_experiment(str(tmp_path / "e"))] == ["checksum"]
    local.annotate_data(dataset, {dataset.uris[0].md_uri: {"Q": "1"}})
    assert ask(service(), dataset, "P=7") == []
    for number, item in enumerate(dataset.uris, 1):
        in_place(Path(item.md_uri))
        assert len(ask(service(), dataset, "P=7")) == number
    listing = json.loads(Path(dataset.md_uri).read_text())
    listing["urls"].reverse()
    Path(dataset.md_uri).write_text(json.dumps(listing, indent=4))
    assert ask(service(), dataset, "") == [item.uuid for item in reversed(dataset.uris)]
