"""Documents, names and places that are wrong: each a clear error that names what it is about, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import (
    ConflictError,
    DataServiceError,
    DocumentError,
    InvalidNameError,
    NotFoundError,
)
from bioimageit_core.plugins.data_local import LocalMetadataService

KINDS = ["experiment", "raw dataset", "dataset", "raw data", "processed data", "run"]


def check(
    home: Any, entry: tuple[str, Callable[[Any], Any]], said: str, error: type[Exception] = DocumentError
) -> None:
    uri, read = entry
    content = Path(uri).read_bytes()
    with pytest.raises(error, match=said) as caught:
        read(home.make())
    assert uri in str(caught.value)
    assert "\n" not in str(caught.value)
    assert Path(uri).read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b'{\n    "uuid": "x', "is cut off"),
        (b"not JSON", "is not JSON"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not JSON"),
        (b"[]", "expected a JSON object, found list"),
        (b"{}", "lacks the required field"),
        (b"[" * 50_000, "nested too deeply|is cut off"),
    ],
)
def test_a_file_that_is_no_document(home: Any, kept: Any, kind: str, content: bytes, said: str) -> None:
    Path(kept[kind][0]).write_bytes(content)
    check(home, kept[kind], said)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_document_that_is_cut_off_anywhere(home: Any, kept: Any, kind: str, share: float) -> None:
    path = Path(kept[kind][0])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    check(home, kept[kind], "is cut off")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [2, 99, "new"])
def test_a_document_of_a_newer_version(home: Any, kept: Any, kind: str, version: Any) -> None:
    home.change(kept[kind][0], format_version=version)
    check(home, kept[kind], r"\$\.format_version: was written in format version .*; this software reads up to 1")


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("experiment", {"keys": "Gene"}, r"\$\.keys: expected `array`"),
        ("experiment", {"keys": ["Gene", 3]}, r"\$\.keys\[1\]: expected `str`, got `int`"),
        ("experiment", {"information": []}, r"\$\.information: expected `object`"),
        ("raw dataset", {"urls": {}}, r"\$\.urls: expected `array`"),
        ("raw dataset", {"urls": [{"uuid": 1}]}, r"\$\.urls\[0\]\.uuid: expected `str`"),
        ("raw data", {"common": {"name": 7}}, r"\$\.common\.name: expected `str`"),
        ("raw data", {"key_value_pairs": ["a"]}, r"\$\.key_value_pairs: expected `object`"),
        ("raw data", {"metadata": None}, r"\$\.metadata: expected `object`"),
        ("processed data", {"origin": {"type": "processed", "inputs": 1}}, r"\$\.origin\.inputs: expected `array`"),
        ("run", {"process": "t"}, r"\$\.process: expected `object`"),
        ("run", {"inputs": [{"query": 1}]}, r"\$\.inputs\[0\]\.query: expected `str`"),
    ],
)
def test_a_value_of_the_wrong_type(home: Any, kept: Any, kind: str, change: dict[str, Any], said: str) -> None:
    home.change(kept[kind][0], **change)
    check(home, kept[kind], said)


def test_a_document_of_another_kind(home: Any, kept: Any) -> None:
    uri = kept["raw data"][0]
    Path(uri).write_bytes(Path(kept["processed data"][0]).read_bytes())
    check(home, kept["raw data"], "expected raw data, found processed data")
    Path(uri).write_bytes(Path(kept["experiment"][0]).read_bytes())
    check(home, kept["raw data"], "expected raw data, found experiment")


OUTSIDE = [
    "../../etc/passwd",
    "../../../../../../../../etc/passwd",
    "/etc/passwd",
    "..",
    "../..",
    "x/../../../y",
    "file:///etc/passwd",
    "s3://bucket/x",
    "http://127.0.0.1/x",
    "a\0b",
]


@pytest.mark.parametrize("url", OUTSIDE)
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("experiment", lambda url: {"raw_dataset": {"name": "data", "url": url, "uuid": "u"}}),
        ("experiment", lambda url: {"processed_datasets": [{"name": "d", "url": url, "uuid": "u"}]}),
        ("raw dataset", lambda url: {"urls": [{"uuid": "u", "url": url}]}),
        ("raw data", lambda url: {"common": {"name": "a", "url": url}}),
        ("processed data", lambda url: {"common": {"name": "a", "url": url}}),
        ("processed data", lambda url: {"origin": {"type": "processed", "run": {"url": url}}}),
        ("processed data", lambda url: {"origin": {"type": "processed", "inputs": [{"url": url}]}}),
        ("run", lambda url: {"processed_dataset": {"url": url}}),
    ],
    ids=["raw dataset", "processed dataset", "list", "raw", "processed", "run of", "input of", "dataset of run"],
)
def test_a_url_that_leaves_its_experiment(home: Any, kept: Any, kind: str, change: Any, url: str) -> None:
    home.change(kept[kind][0], **change(url))
    check(home, kept[kind], "leaves its experiment|cannot be that of a file")


@pytest.mark.parametrize("reference", [True, {}, {"size": "1", "sha256": "x"}, "yes"])
def test_saying_so_is_not_enough_to_leave(home: Any, kept: Any, reference: Any) -> None:
    home.change(kept["raw data"][0], common={"name": "a", "url": "/etc/passwd"}, reference=reference)
    check(home, kept["raw data"], "leaves its experiment")
    home.change(kept["processed data"][0], common={"url": "/etc/passwd"}, reference={"size": 1, "sha256": "0" * 64})
    check(home, kept["processed data"], "leaves its experiment")


def test_what_a_document_only_says_was_imported_by_reference_is_not_copied(
    home: Any, kept: Any, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    said = {"size": 6, "sha256": "0" * 64}
    home.change(kept["raw data"][0], common={"name": "a", "url": str(secret)}, reference=said)
    with pytest.raises(DocumentError, match="is not what was imported by reference"):
        home.make().download_data(kept["raw data"][0], str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()
    home.make(trusted_dirs=str(tmp_path)).download_data(kept["raw data"][0], str(tmp_path / "copy"))
    said = {"size": 6, "sha256": hashlib.sha256(b"secret").hexdigest()}
    home.change(kept["raw data"][0], reference=said)
    home.make().download_data(kept["raw data"][0], str(tmp_path / "copy"))


def test_a_trusted_directory_may_be_pointed_into(home: Any, kept: Any, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "x.tif").write_bytes(b"shared")
    home.change(kept["raw data"][0], common={"name": "a", "url": str(shared / "x.tif")})
    check(home, kept["raw data"], "trusted_dirs")
    for trusted in (str(shared), [str(shared)], [str(tmp_path / "other"), f"{shared}/"]):
        by = home.make(trusted_dirs=trusted)
        assert by.get_raw_data(kept["raw data"][0]).uri == str(shared / "x.tif")
    with pytest.raises(DocumentError):
        home.make(trusted_dirs=[f"{shared}-not"]).get_raw_data(kept["raw data"][0])


@pytest.mark.parametrize("kind", ["raw data", "processed data"])
def test_a_link_that_leaves_the_experiment(home: Any, kept: Any, kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    uri = kept[kind][1](home.make()).uri
    os.unlink(uri)
    os.symlink(secret, uri)
    check(home, kept[kind], "is a link to .*secret.*outside its experiment")
    assert kept[kind][1](home.make(trusted_dirs=str(tmp_path))).uri == uri


def test_a_folder_that_is_a_link_and_leaves_the_experiment(home: Any, kept: Any, tmp_path: Path) -> None:
    folder = Path(kept["raw data"][0]).parent
    os.rename(folder, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", folder)
    check(home, kept["raw data"], "outside its experiment")


def test_a_pipe_that_poses_as_a_document_is_told(home: Any, kept: Any) -> None:
    uri = kept["raw data"][0]
    os.unlink(uri)
    os.mkfifo(uri)
    with pytest.raises(DataServiceError, match="is not a regular file"):
        home.make().get_raw_data(uri)


@pytest.mark.parametrize("bad", ["/nowhere/at/all", "nowhere", "a\0b", "", "\ud800", "s3://bucket/x"])
def test_a_workspace_that_is_missing(service: Any, bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if bad:
        with pytest.raises(DataServiceError):
            service.get_workspace_experiments(bad)
        with pytest.raises(DataServiceError):
            service.create_experiment("e", "ada", "now", [], bad)
    for read in ("get_experiment", "get_raw_data", "get_dataset", "get_run", "get_processed_data"):
        with pytest.raises(NotFoundError):
            getattr(service, read)(bad)
    assert os.listdir(tmp_path) == ["workspace"]


def test_one_broken_experiment_hides_no_other(home: Any, service: Any, kept: Any) -> None:
    other = service.create_experiment("other", "ada", "now", [], home.workspace)
    Path(other.md_uri).write_bytes(b"{")
    mine, broken = service.get_workspace_experiments(home.workspace)
    assert (mine["info"].name, "error" in mine) == ("my experiment", False)
    assert broken["md_uri"] == other.md_uri
    assert broken["error"].startswith(f"{other.md_uri}: is cut off")


@pytest.mark.parametrize("name", ["a/b", "..", "", "a\0b", "n" * 300, "CON", "a\\b", ".", "x\ny"])
def test_names_that_cannot_be(home: Any, service: Any, experiment: Experiment, sources: Path, name: str) -> None:
    before = sorted(str(path) for path in Path(home.workspace).rglob("*") if not path.name.startswith("lock"))
    with pytest.raises(InvalidNameError):
        service.create_experiment(name, "ada", "now", [], home.workspace)
    with pytest.raises(InvalidNameError):
        service.create_dataset(experiment, name)
    with pytest.raises(InvalidNameError):
        service.import_data(experiment, str(sources / "a.tif"), name, "ada", "imagetiff")
    after = sorted(str(path) for path in Path(home.workspace).rglob("*") if not path.name.startswith("lock"))
    assert after == before


@pytest.mark.parametrize("name", ["data", "DATA", ".bioimageit", ".hidden", "experiment.md.json"])
def test_names_of_datasets_that_are_taken(service: Any, experiment: Experiment, name: str) -> None:
    with pytest.raises((ConflictError, InvalidNameError)):
        service.create_dataset(experiment, name)


def test_no_experiment_lies_where_the_workspace_keeps_what_is_ours(home: Any, service: Any) -> None:
    for name in (".bioimageit", ". BioImageIT"):
        with pytest.raises(InvalidNameError, match="its own"):
            service.create_experiment(name, "ada", "now", [], home.workspace)


def test_names_that_differ_only_in_case_are_one(home: Any, service: Any, experiment: Experiment) -> None:
    service.create_dataset(experiment, "Mask")
    for same in ("mask", "MASK"):
        with pytest.raises(ConflictError):
            service.create_dataset(experiment, same)
    with pytest.raises(ConflictError):
        service.create_experiment("MyExperiment", "ada", "now", [], home.workspace)


@pytest.mark.parametrize("pattern", ["[", "(", "*", "(?P<", "a{2,1}", "\\"])
def test_a_regular_expression_that_does_not_compile(
    service: Any, sources: Path, import_all: Callable[..., None], listed: Any, pattern: str
) -> None:
    with pytest.raises(DataServiceError, match="is not a regular expression"):
        import_all(sources, pattern)
    assert listed() == []


def test_a_format_that_is_not_known(service: Any, experiment: Experiment, sources: Path, listed: Any) -> None:
    from bioimageit_core.core.exceptions import BioImageITError

    with pytest.raises(BioImageITError, match="imagetif"):
        service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetif")
    with pytest.raises(BioImageITError, match="imagetif"):
        service.import_dir(experiment, str(sources), "", "ada", "imagetif", "now")
    assert listed() == []


@pytest.mark.parametrize("missing", ["nowhere.tif", "a\0b", "\ud800", ""])
def test_a_source_that_is_not_there(
    service: Any, experiment: Experiment, sources: Path, listed: Any, missing: str
) -> None:
    with pytest.raises(DataServiceError):
        service.import_data(experiment, str(sources / "x" / missing) if missing else "", "a", "ada", "imagetiff")
    with pytest.raises(DataServiceError):
        service.import_dir(experiment, str(sources / "x" / missing), "", "ada", "imagetiff", "now")
    assert listed() == []


def test_a_directory_is_no_file(service: Any, experiment: Experiment, sources: Path) -> None:
    with pytest.raises(DataServiceError, match="is a directory and not a Zarr store; import_dir"):
        service.import_data(experiment, str(sources), "a", "ada", "imagetiff")


def test_a_pipe_is_no_source(service: Any, experiment: Experiment, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(DataServiceError, match="is not a regular file"):
        service.import_data(experiment, str(tmp_path / "pipe.tif"), "a", "ada", "imagetiff")


@pytest.mark.parametrize("mode", ["copy", "link", "reference"])
def test_what_is_no_file_stops_no_other(
    service: Any, sources: Path, import_all: Callable[..., None], listed: Any, mode: str
) -> None:
    os.mkfifo(sources / "b pipe.tif")
    os.symlink("b loop.tif", sources / "b loop.tif")
    os.symlink("nowhere.tif", sources / "b lost.tif")
    with pytest.raises(
        DataServiceError, match=r"^3 of 6 files were not imported: .*Too many levels.*No such file.*pipe"
    ):
        import_all(sources, mode=mode)
    assert [data.name for data in listed()] == ["a.tif", "b.tif", "c.tif"]


def test_what_json_cannot_say_is_refused_and_nothing_changes(home: Any, kept: Any, service: Any) -> None:
    uri = kept["raw data"][0]
    before = Path(uri).read_bytes()
    for value in (b"bytes", {1, 2}, object()):
        data = service.get_raw_data(uri)
        data.set_key_value_pair("Gene", value)
        with pytest.raises(DataServiceError, match="cannot be written as JSON"):
            service.update_raw_data(data)
    assert Path(uri).read_bytes() == before


def test_a_url_that_would_leave_is_not_written(kept: Any, service: Any) -> None:
    uri = kept["raw data"][0]
    before = Path(uri).read_bytes()
    data = service.get_raw_data(uri)
    data.uri = "/etc/passwd"
    with pytest.raises(DocumentError, match="leaves its experiment"):
        service.update_raw_data(data)
    assert Path(uri).read_bytes() == before


def test_an_import_mode_that_there_is_not() -> None:
    with pytest.raises(DataServiceError, match="import mode 'move': expected one of copy, link, reference"):
        LocalMetadataService(import_mode="move")


def test_a_journal_with_garbage_stops_nothing(home: Any, service: Any, kept: Any, sources: Path) -> None:
    root = Path(kept["experiment"][0]).parent
    with open(root / ".bioimageit/journal.jsonl", "ab") as journal:
        journal.write(b'\xff\xfe garbage\n{"cut": ')
    pending = root / ".bioimageit/pending"
    pending.mkdir(exist_ok=True)
    (pending / "data.jsonl").write_bytes(b'garbage\n["only a uuid"]\n{"a": 1}\n["cut", ')
    by = home.make()
    by.import_data(by.get_experiment(str(root)), str(sources / "b.tif"), "b", "ada", "imagetiff")
    by.flush()
    urls = [link["url"] for link in json.loads((root / "data/raw_dataset.md.json").read_bytes())["urls"]]
    assert urls == ["a.md.json", "b.md.json"]


def test_a_waiting_list_cannot_lead_outside(home: Any, service: Any, kept: Any) -> None:
    root = Path(kept["experiment"][0]).parent
    pending = root / ".bioimageit/pending"
    pending.mkdir(exist_ok=True)
    (pending / "data.jsonl").write_bytes(b'["u", "../../../etc/passwd"]\n["v", "/etc/passwd"]\n')
    dataset = home.make().get_dataset(kept["raw dataset"][0])
    assert [item.md_uri for item in dataset.uris] == [kept["raw data"][0]]
