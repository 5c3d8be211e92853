"""Queries of LOCAL go through an index; a scan of the documents says what is right."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.index_asking import ask, make_experiment, rewrite, scan, service

from bioimageit_core.containers import Dataset, Experiment, ProcessedData, Run
from bioimageit_core.core.exceptions import DataQueryError, DataServiceError, DocumentError
from bioimageit_core.core.query import Compare, Has, In
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.plugins.store import index as index_module
from bioimageit_core.plugins.store import index_rows

VALUES = [
    "1",
    "1.0",
    " 1",
    "10",
    "x",
    "",
    " ",
    "2024-05-01",
    "2024-05",
    "é",
    1,
    1.5,
    10**20,
    True,
    None,
    ["1", 2],
    {"a": 1},
]
KEYS = ["P", "n", "date", "author", "Gene name"]


leaves = st.one_of(
    st.builds(
        Compare,
        st.sampled_from([*KEYS, "name", "format", "absent"]),
        st.sampled_from(["=", "!=", "==", "~"]),
        st.sampled_from(["1", "1.0", " 1", "x", "", "2024", "im 1", "ada", "true"]),
    ),
    st.builds(
        Compare,
        st.sampled_from([*KEYS, "name"]),
        st.sampled_from(["<", "<=", ">", ">="]),
        st.sampled_from(["1", "1.5", "100000000000000000000", "2024-05", "2024-05-01"]),
    ),
    st.builds(Has, st.sampled_from([*KEYS, "absent"])),
    st.builds(
        In, st.sampled_from([*KEYS, "name"]), st.lists(st.sampled_from(["1", "x", "10", ""]), min_size=1).map(tuple)
    ),
)
queries = st.recursive(
    leaves.map(str),
    lambda q: st.one_of(
        st.tuples(q, st.sampled_from([" AND ", " OR "]), q).map(lambda t: f"({t[0]}){t[1]}({t[2]})"),
        q.map(lambda s: f"NOT ({s})"),
    ),
    max_leaves=4,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=4), min_size=1, max_size=6),
    st.lists(queries, min_size=10, max_size=20),
)
def test_the_index_answers_as_a_scan_does(tmp_path_factory, pairs, asked) -> None:
    local, _, dataset = make_experiment(tmp_path_factory.mktemp("q"), pairs)
    for query in asked:
        assert ask(local, dataset, query) == scan(local, dataset, query), query


def process(local: LocalMetadataService, experiment: Experiment, source: Dataset, name: str) -> Dataset:
    dataset = local.create_dataset(experiment, name)
    run = local.create_run(dataset, Run())
    is_raw = source.md_uri == experiment.raw_dataset.url
    for item in source.uris:
        parent = local.get_raw_data(item.md_uri) if is_raw else local.get_processed_data(item.md_uri)
        made = ProcessedData()
        made.set_info(f"{name}_{parent.name}", "bo", "2025-01-01", "imagetiff", "")
        made.add_input("i", parent)
        made.set_output("o" if len(made.name) % 2 else "t", "label")
        local.create_data_uri(dataset, run, made)
        Path(made.uri).write_text(made.name)
        local.create_data(dataset, run, made)
    return local.get_dataset(dataset.md_uri)


def test_processed_data_at_depth_three_are_found_by_the_annotations_of_their_origin(tmp_path: Path) -> None:
    local, experiment, raw = make_experiment(tmp_path, [{"P": str(n % 2), "date": "x" if n else ""} for n in range(6)])
    dataset = raw
    for name in ("a", "b", "c"):
        dataset = process(local, experiment, dataset, name)
    raws = [local.get_raw_data(item.md_uri) for item in raw.uris]
    origins = {item.uuid: origin for item, origin in zip(dataset.uris, raws, strict=True)}

    for query in [
        "P=1",
        "NOT P=1",
        "name=c_b",
        "author=bo",
        "author=ada",
        "date=x",
        "date=2025",
        "P=0 AND name=im",
        "zz",
    ]:
        assert ask(local, dataset, query) == scan(local, dataset, query, origins), query
    outputs = {local.get_processed_data(item.md_uri).output["name"] for item in dataset.uris}
    assert sum(len(ask(local, dataset, "", output)) for output in outputs) == 6


def test_a_result_that_is_read_again_keeps_its_origin(tmp_path: Path) -> None:
    local, experiment, raw = make_experiment(tmp_path, [{"P": "1"}])
    dataset = process(local, experiment, raw, "a")
    assert len(ask(local, dataset, "P=1")) == 1

    for item in dataset.uris:  # as an editor does that saves what it did not change
        os.utime(item.md_uri, (1, 1))

    assert len(ask(local, dataset, "P=1")) == 1


def test_a_document_that_cannot_be_read_is_named_until_it_is_mended(tmp_path: Path) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": "0"} for _ in range(3)])
    path = Path(dataset.uris[1].md_uri)
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    with pytest.raises(DocumentError, match=r"im 1\.md\.json: is cut off"):
        ask(local, dataset, "P=0")
    path.write_bytes(whole)
    assert len(ask(local, dataset, "P=0")) == 3


@pytest.mark.parametrize("harm", ["deleted", "garbage", "another version", "cut off", "a directory"])
def test_an_index_that_is_lost_or_damaged_is_made_again(tmp_path: Path, harm: str) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": str(n)} for n in range(4)])
    expected = ask(local, dataset, "P=2")
    index = tmp_path / "e" / ".bioimageit" / "index.sqlite"
    if harm == "another version":
        with sqlite3.connect(index) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
    elif harm == "cut off":
        index.write_bytes(index.read_bytes()[:5000])
    else:
        index.unlink()
        if harm == "garbage":
            index.write_bytes(b"no database" * 1000)
        if harm == "a directory":
            index.mkdir()
    assert ask(service(), dataset, "P=2") == expected == ask(local, dataset, "P=2")


def test_an_experiment_without_a_folder_of_ours_is_queried_in_memory(tmp_path: Path) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": str(n)} for n in range(4)])
    local.flush()
    shutil.rmtree(tmp_path / "e" / ".bioimageit")
    assert len(ask(service(), dataset, "P>=2")) == 2
    assert not (tmp_path / "e" / ".bioimageit").exists()


def test_a_query_that_cannot_be_understood_says_so(tmp_path: Path) -> None:
    local, _, dataset = make_experiment(tmp_path, [{}])
    with pytest.raises(DataQueryError):
        ask(local, dataset, "P=1 AND")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork(2)")
def test_an_index_whose_writer_was_killed_in_a_transaction_is_as_before_it(tmp_path: Path) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": str(n % 2)} for n in range(80)])
    assert len(ask(local, dataset, "P=1")) == 40
    for item in dataset.uris:
        path = Path(item.md_uri)
        rewrite(path, P="x" if json.loads(path.read_text())["key_value_pairs"]["P"] == "1" else "y", Long="z" * 5000)
    child = os.fork()
    if child == 0:
        try:
            _be_killed_while_writing(dataset)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    index = tmp_path / "e" / ".bioimageit" / "index.sqlite"
    assert index.stat().st_size > 300_000, "nothing of the transaction reached the file"
    for query in ("P=x", "P=y", "P=1", ""):
        assert ask(service(), dataset, query) == scan(local, dataset, query)
    with contextlib.closing(sqlite3.connect(index)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _be_killed_while_writing(dataset: Dataset) -> None:
    put, connect = index_rows.Rows.put, index_module.connect

    def small(path: str, **options: object) -> sqlite3.Connection:
        database = connect(path, **options)
        database.execute("PRAGMA cache_size = 1")  # so that pages go to the file before the transaction ends
        return database

    def killed(self: index_rows.Rows, *args: object) -> bool:
        put(self, *args)
        os.kill(os.getpid(), signal.SIGKILL)
        return False

    index_module.connect, index_rows.Rows.put = small, killed
    ask(service(), dataset, "P=1")


def test_a_copy_of_an_index_is_not_believed(tmp_path: Path) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": str(n)} for n in range(4)])
    index = tmp_path / "e" / ".bioimageit" / "index.sqlite"
    assert len(ask(local, dataset, "P=2")) == 1
    other = index.with_name("other.sqlite")
    other.write_bytes(index.read_bytes())
    with contextlib.closing(sqlite3.connect(other)) as database:
        database.execute("DELETE FROM pair")  # as a copy in the middle of a transaction may be
        database.commit()
    index.rename(index.with_name("aside"))
    other.rename(index)
    assert len(ask(service(), dataset, "P=2")) == 1


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_name_that_is_not_utf_8_hides_no_data(tmp_path: Path) -> None:
    local, experiment, dataset = make_experiment(tmp_path, [{"P": "1"}])
    strange = os.fsencode(Path(dataset.md_uri).parent) + b"/\xff.md.json"
    Path(os.fsdecode(strange)).write_bytes(Path(dataset.uris[0].md_uri).read_bytes())
    assert len(ask(service(), dataset, "P=1")) == 1 == len(ask(local, dataset, "P=1"))
    (finding,) = local.check_experiment(experiment.md_uri)
    assert (finding.kind, finding.repairable, finding.uri.isascii()) == ("orphan file", False, True)
    assert list(local.repair_experiment(experiment.md_uri)) == []


def test_half_a_surrogate_pair_hides_no_data(tmp_path: Path) -> None:
    local, experiment, dataset = make_experiment(tmp_path, [{"P": "1"}, {"P": "2"}, {"P": "3"}])
    made = process(local, experiment, dataset, "m")
    path = Path(dataset.uris[0].md_uri)
    document = json.loads(path.read_text())
    document["common"]["name"] = "a \ud800"  # as other software writes it for a name that is no UTF-8
    document["key_value_pairs"] |= {"Q": "\udcff", "\udcfe": ["\udcfd"]}
    path.write_text(json.dumps(document))
    (path.parents[1] / os.fsdecode(b"\xff")).mkdir()
    assert ask(service(), dataset, "P>=1") == scan(local, dataset, "P>=1") == [item.uuid for item in dataset.uris]
    for query in ("Q=\udcff", "name=a", "Q"):
        assert ask(local, dataset, query) == [dataset.uris[0].uuid]
    assert len(ask(local, made, "P=1")) == 1
    local.annotate_data(dataset, {dataset.uris[1].md_uri: {"Q": "\udc80"}})
    assert len(ask(local, dataset, "Q")) == 2


@pytest.mark.parametrize("place", ["e/data/im 1.md.json", "e/.bioimageit/trash/x/trash.json"])
def test_what_is_too_large_is_not_read(tmp_path: Path, place: str) -> None:
    local, experiment, dataset = make_experiment(tmp_path, [{"P": "1"}, {"P": "2"}, {"P": "3"}])
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    os.truncate(tmp_path / place, 1 << 42)  # of which nothing is on the disk
    (finding,) = local.check_experiment(experiment.md_uri)
    assert (finding.kind, finding.uri, finding.repairable) == ("unreadable document", str(tmp_path / place), False)
    if "data" in place:
        with pytest.raises(DataServiceError, match="is larger than 536870912 bytes; that is no metadata"):
            ask(local, dataset, "P=1")


@pytest.mark.parametrize("table", ["body", "pair", "value", "doc"])
def test_an_index_that_shows_its_damage_when_it_is_asked_is_made_again(tmp_path: Path, table: str) -> None:
    local, _, dataset = make_experiment(tmp_path, [{"P": str(n % 2)} for n in range(6)])
    assert len(ask(local, dataset, "P=1")) == 3
    index = tmp_path / "e/.bioimageit/index.sqlite"
    with contextlib.closing(sqlite3.connect(index)) as database:
        place = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        size = database.execute("PRAGMA page_size").fetchone()[0]
    with index.open("r+b") as file:
        file.seek((place - 1) * size)
        file.write(b"\xff" * size)
    assert len(ask(service(), dataset, "P=1")) == 3
    assert service().list_values(dataset, "P") == ["0", "1"]
