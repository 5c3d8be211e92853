"""A query that fails loses nothing, stops nobody else, and what kept it from answering is forgotten once it is gone."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.index_asking import ask, make_experiment, rewrite, scan, service
from tests.store.test_index import process

from bioimageit_core.core.exceptions import DocumentError
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.plugins.store import disk
from bioimageit_core.plugins.store import index as index_module


def test_a_folder_that_is_no_dataset_stops_no_query(tmp_path: Path) -> None:
    local, experiment, raw = make_experiment(tmp_path, [{"P": "0"}, {"P": "1"}])
    first = process(local, experiment, raw, "first")
    other = process(local, experiment, first, "other")
    assert len(ask(local, other, "P=1")) == 1
    root = Path(experiment.md_uri).parent
    (root / "notes").mkdir()  # what a kill leaves of a dataset that was being made, or somebody's
    (root / "notes" / "stray.md.json").write_text("{")
    (root / "dataset.md.json").write_text("{}")
    (root / "first" / "processed_dataset.md.json").write_text("{")  # of another one, cut off
    for asked in (local, service()):
        assert len(ask(asked, other, "P=1")) == 1
    with pytest.raises(DocumentError, match="first"):
        list(local.query_data(first, "P=1"))


@pytest.mark.parametrize("fresh", [False, True], ids=["the same process", "another process"])
def test_results_of_a_dataset_that_is_gone_have_no_origin(tmp_path: Path, fresh: bool) -> None:
    local, experiment, raw = make_experiment(tmp_path, [{"P": "0"}, {"P": "1"}])
    first = process(local, experiment, raw, "first")
    other = process(local, experiment, first, "other")
    assert len(ask(local, other, "P=1")) == 1
    folder = Path(first.md_uri).parent
    shutil.move(folder, tmp_path / "aside")
    asked = service() if fresh else local
    assert ask(asked, other, "P=1") == []
    shutil.move(tmp_path / "aside", folder)
    assert len(ask(asked, other, "P=1")) == 1


def test_what_was_heard_of_is_not_lost_with_a_query_that_is_interrupted(tmp_path: Path, monkeypatch) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"} for _ in range(6)])
    assert ask(local, dataset, "P=7") == []
    for item in dataset.uris:
        rewrite(Path(item.md_uri), P="7")
    with monkeypatch.context() as patch:
        patch.setattr(index_module.Index, "_put", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(local.query_data(dataset, "P=7"))
    assert len(ask(local, dataset, "P=7")) == 6


def _interrupted(*_: object) -> bool:
    raise KeyboardInterrupt


def test_a_query_that_fails_keeps_no_other_waiting(tmp_path: Path) -> None:
    local, experiment, dataset = make_experiment(tmp_path, [{"P": "0"}])
    listing = Path(dataset.md_uri)
    whole = listing.read_text()
    listing.write_text(whole[:20])  # by an editor that has not done
    with pytest.raises(DocumentError, match="cut off"):
        list(local.query_data(dataset, "P=0"))
    with contextlib.closing(sqlite3.connect(Path(experiment.md_uri).parent / ".bioimageit/index.sqlite")) as other:
        other.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
    listing.write_text(whole)
    assert len(ask(local, dataset, "P=0")) == 1


@pytest.mark.parametrize("fresh", [False, True], ids=["the same process", "another process"])
def test_a_document_is_asked_again_whatever_kept_us_from_it(tmp_path: Path, monkeypatch, fresh: bool) -> None:
    monkeypatch.setattr(disk, "_TICK", 0)  # else it is read again because it was changed a moment ago
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"}, {"P": "0"}])
    assert len(ask(local, dataset, "P=0")) == 2
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    document = Path(dataset.uris[0].md_uri)
    rewrite(document, P="1")
    said = json.loads(document.read_text())
    said["common"]["url"] = str(elsewhere / "a.tif")
    document.write_text(json.dumps(said))
    with pytest.raises(DocumentError, match="trusted_dirs"):
        list(local.query_data(dataset, "P=1"))
    trusting = LocalMetadataService(durable=False, trusted_dirs=[str(elsewhere)])
    asked = trusting if fresh else local
    if not fresh:
        local.documents = trusting.documents
        local._indexes.clear()
    assert len(ask(asked, dataset, "P=1")) == 1
    assert len(ask(asked, dataset, "")) == 2


def _looping(path: Path) -> None:
    path.symlink_to(path.name)


def _under_a_file(path: Path) -> None:
    path.symlink_to("raw_dataset.md.json/below")


def _too_long(path: Path) -> None:
    path.symlink_to("x" * 300)


@pytest.mark.parametrize("stray", [_looping, _under_a_file, _too_long])
def test_a_stray_link_hides_nothing(tmp_path: Path, stray) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"}, {"P": "0"}])
    assert len(ask(local, dataset, "P=0")) == 2
    with contextlib.suppress(OSError):
        stray(Path(dataset.md_uri).with_name("stray.md.json"))
    rewrite(Path(dataset.uris[0].md_uri), P="1")
    for asked in (local, service()):
        assert len(ask(asked, dataset, "P=1")) == 1


def test_what_is_listed_and_lies_elsewhere_is_told(tmp_path: Path) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"}, {"P": "1"}])
    listing = Path(dataset.md_uri)
    said = json.loads(listing.read_text())
    inner = listing.parent / "sub" / "im0.md.json"
    inner.parent.mkdir()
    document = json.loads(Path(dataset.uris[0].md_uri).read_text())
    document["common"]["url"] = "../" + document["common"]["url"]
    inner.write_text(json.dumps(document))
    said["urls"][0]["url"] = "sub/im0.md.json"
    listing.write_text(json.dumps(said))
    with pytest.raises(DocumentError, match=r"sub/im0.md.json.*in the folder of its list"):
        list(local.query_data(dataset, ""))


def test_a_document_that_says_it_is_of_the_other_kind_is_told(tmp_path: Path) -> None:
    local, experiment, raw = make_experiment(tmp_path, [{"P": "0"}, {"P": "1"}])
    first = process(local, experiment, raw, "first")
    result = Path(local.get_dataset(first.md_uri).uris[0].md_uri)
    Path(raw.uris[0].md_uri).write_bytes(result.read_bytes())
    with pytest.raises(DocumentError, match="processed"):
        list(local.query_data(raw, ""))


def test_no_number_and_the_infinities_are_not_nothing(tmp_path: Path) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "x"}] * 4)
    for item, value in zip(dataset.uris, (None, math.nan, math.inf, -math.inf), strict=True):
        rewrite(Path(item.md_uri), P=value)
    for query in ("P", "NOT P", "P>1", "P<1", "P=NaN", "P=Infinity", "P~Inf"):
        assert ask(local, dataset, query) == scan(local, dataset, query), query
        assert ask(service(), dataset, query) == scan(local, dataset, query), query


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), ([1], [True])])
def test_a_value_that_python_holds_for_the_same_is_written(tmp_path: Path, before: object, after: object) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": before}])
    md_uri = dataset.uris[0].md_uri
    data = local.get_raw_data(md_uri)
    data.set_key_value_pair("P", after)
    local.update_raw_data(data)
    assert repr(local.get_raw_data(md_uri).key_value_pairs["P"]) == repr(after)
    local.annotate_data(dataset, {md_uri: {"P": before}})
    assert repr(local.get_raw_data(md_uri).key_value_pairs["P"]) == repr(before)


_FORKED = """
import os, sys
from bioimageit_core import Request
request = Request(sys.argv[1], log=False)
experiment = request.create_experiment("e")
take = lambda name: request.import_data(experiment, sys.argv[2], name, "ada", "imagetiff", "now", {"P": "1"})
take("parent.tif")
assert len(request.query(experiment, "data", "P=1")) == 1
children = []
for number in range(3):
    if not (child := os.fork()):
        take(f"child{number}.tif")
        os._exit(len(request.query(experiment, "data", "P=1")) < 2)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
take("after.tif")
assert len(request.query(experiment, "data", "P=1")) == 5
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_process_goes_on_after_a_fork(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"pixels")
    (tmp_path / "w").mkdir()
    config = tmp_path / "config.json"
    settings = {"user": {"name": "ada"}, "workspace": str(tmp_path / "w"), "metadata": {"service": "LOCAL"}}
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-W", "ignore", "-c", _FORKED, str(config), str(tmp_path / "a.tif")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
