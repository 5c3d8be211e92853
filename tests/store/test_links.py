"""Links, pipes and damage where an experiment keeps what is its own: nothing elsewhere is changed or taken along."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, Run
from bioimageit_core.core.exceptions import DataServiceError, DocumentError


@pytest.mark.parametrize("kind", ["raw data", "processed data"])
def test_a_folder_that_becomes_a_link_is_noticed_by_who_read_it_before(
    home: Any, service: Any, kept: Any, kind: str, tmp_path: Path
) -> None:
    uri, read = kept[kind]
    folder = Path(uri).parent
    assert read(service)
    os.rename(folder, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", folder)
    with pytest.raises(DocumentError, match="outside its experiment"):
        read(service)
    with pytest.raises(DocumentError, match="outside its experiment"):
        list(service.query_data(service.get_dataset(str(next(folder.glob("*_dataset.md.json")))), ""))
    folder.unlink()
    os.rename(tmp_path / "elsewhere", folder)
    assert read(service)


@pytest.mark.parametrize("leads_to", ["", "precious.txt"])
def test_a_link_in_a_zarr_directory_takes_nothing_along(
    service: Any, experiment: Experiment, elsewhere: Path, tmp_path: Path, leads_to: str
) -> None:
    source = tmp_path / "i.zarr"
    (source / "0").mkdir(parents=True)
    (source / "0/c").write_bytes(b"chunk")
    data = service.import_data(experiment, str(source), "i.zarr", "ada", "imagezarr")
    os.symlink("c", f"{data.uri}/0/d")
    copy = Path(service.download_data(data.md_uri, str(tmp_path / "copy.zarr")))
    assert (copy / "0/d").read_bytes() == b"chunk"
    os.symlink(elsewhere / leads_to, f"{data.uri}/0/e")
    with pytest.raises(DocumentError, match="0/e' is a link that leads out of the data"):
        service.download_data(data.md_uri, str(tmp_path / "other.zarr"))
    assert not (tmp_path / "other.zarr").exists()


def test_a_link_inside_the_experiment_is_followed(home: Any, kept: Any) -> None:
    uri = kept["raw data"][1](home.make()).uri
    os.rename(uri, f"{uri}.real")
    os.symlink(f"{uri}.real", uri)
    assert kept["raw data"][1](home.make()).uri == uri


def test_an_experiment_behind_a_link_is_read(home: Any, kept: Any, tmp_path: Path) -> None:
    os.symlink(Path(kept["experiment"][0]).parent, tmp_path / "shortcut")
    experiment = home.make().get_experiment(str(tmp_path / "shortcut"))
    (item,) = home.make().get_dataset(experiment.raw_dataset.url).uris
    assert Path(home.make().get_raw_data(item.md_uri).uri).read_bytes() == b"content of a.tif"


def attempt_all(home: Any, kept: Any, sources: Path) -> list[str]:
    """Do all that changes an experiment; return what was said against it."""
    root, said = str(Path(kept["experiment"][0]).parent), []
    actions: list[Callable[[Any], Any]] = [
        lambda by: by.import_data(by.get_experiment(root), str(sources / "b.tif"), "b", "ada", "imagetiff"),
        lambda by: by.annotate_data(by.get_dataset(kept["raw dataset"][0]), {kept["raw data"][0]: {"Gene": "y"}}),
        lambda by: by.create_dataset(by.get_experiment(root), "more"),
        lambda by: by.create_run(by.get_dataset(kept["dataset"][0]), Run()),
        lambda by: list(by.query_data(by.get_dataset(kept["raw dataset"][0]), "Gene=x")),
        lambda by: list(by.check_experiment(root)),
        lambda by: list(by.repair_experiment(root)),
        lambda by: by.delete_data(root, [kept["processed data"][0]]),
        lambda by: by.delete_data(root, [], [kept["dataset"][0]]),
        lambda by: by.finish_deletions(root),
        lambda by: by.restore(root),
        lambda by: by.purge_trash(root),
    ]
    for action in actions:
        by = home.make()
        try:
            action(by)
        except DataServiceError as error:
            said.append(str(error))
        by.flush()
    return said


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lock",
        "lock.owner",
        "journal.jsonl",
        "index.sqlite",
        "checked.sqlite",
        "temp",
        "staging",
        "trash",
        "pending",
    ],
)
def test_through_a_link_in_our_folder_nothing_is_changed(
    home: Any, kept: Any, sources: Path, elsewhere: Path, name: str
) -> None:
    place = Path(kept["experiment"][0]).parent / ".bioimageit" / name
    if place.exists():
        os.rename(place, elsewhere.parent / "aside")
    is_folder = name in {"", "temp", "staging", "trash", "pending"}
    os.symlink(elsewhere if is_folder else elsewhere / "precious.txt", place)
    said = attempt_all(home, kept, sources)
    assert len(said) >= 9
    assert all(f"no link or pipe may be here '{str(place).rstrip('/')}'" in each for each in said)
    assert [(path.name, path.read_bytes()) for path in elsewhere.iterdir()] == [("precious.txt", b"precious\n")]


def put_in_trash(root: Path, state: str, *moves: str) -> Path:
    place = root / ".bioimageit/trash/entry"
    place.mkdir(parents=True)
    about = {"id": "entry", "time": "2024-01-01T00:00:00Z", "who": "", "what": "", "state": state, "moves": moves}
    (place / "trash.json").write_text(json.dumps(about))
    return place


@pytest.mark.parametrize("state", ["deleting", "restoring", "purging", "deleted"])
@pytest.mark.parametrize("linked", ["data", ".bioimageit/trash/entry/data", ".bioimageit/trash/entry"])
def test_through_a_link_nothing_is_deleted_restored_or_purged(
    home: Any, kept: Any, sources: Path, elsewhere: Path, state: str, linked: str
) -> None:
    root = Path(kept["experiment"][0]).parent
    place = put_in_trash(root, state, "data/precious.txt", "precious.txt")
    if (root / linked).exists():
        for path in (root / linked).iterdir():
            os.rename(path, elsewhere / path.name)
        (root / linked).rmdir()
    os.symlink(elsewhere, root / linked)
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir()}
    said = attempt_all(home, kept, sources)
    assert any("is a link" in each for each in said)
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == before
    assert place.exists()


@pytest.mark.parametrize("linked", ["mask", "mask/inner"])
def test_a_purge_follows_no_link(home: Any, kept: Any, elsewhere: Path, linked: str) -> None:
    root = Path(kept["experiment"][0]).parent
    (elsewhere / "x.md.json").write_bytes(b"{}")  # as the folder of another dataset has it
    place = put_in_trash(root, "deleted", "mask")
    if "/" in linked:
        (place / "mask").mkdir()
    os.symlink(elsewhere, place / linked)
    home.make().purge_trash(str(root))
    assert sorted(os.listdir(elsewhere)) == ["precious.txt", "x.md.json"]
    assert not os.path.lexists(place / linked)


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 100])
def test_a_damaged_entry_of_the_trash_stops_no_other(home: Any, kept: Any, service: Any, content: bytes) -> None:
    root = Path(kept["experiment"][0]).parent
    place = put_in_trash(root, "deleted", "data/x.tif")
    (place / "trash.json").write_bytes(content)
    (place / "data").mkdir()
    (place / "data/x.tif").write_bytes(b"x")
    entry = service.delete_data(str(root), [kept["processed data"][0]])
    assert [each.id for each in service.get_trash(str(root))] == [entry.id]
    (finding,) = service.check_experiment(str(root))
    assert (finding.kind, finding.uri, finding.repairable) == ("unreadable document", str(place / "trash.json"), False)
    with pytest.raises(DocumentError, match="is no manifest of the trash"):
        service.restore(str(root), "entry")
    service.restore(str(root))
    service.purge_trash(str(root))
    assert (place / "data/x.tif").read_bytes() == b"x"


def test_what_is_no_file_is_not_described_and_stops_no_repair(home: Any, kept: Any, elsewhere: Path) -> None:
    root = Path(kept["experiment"][0]).parent
    os.mkfifo(root / "data/a pipe")
    os.symlink(elsewhere / "precious.txt", root / "data/a link")
    os.symlink("nowhere", root / "data/lost")
    (root / "data/z.tif").write_bytes(b"z")
    by = home.make()
    assert list(by.repair_experiment(str(root))) == [f"described {root}/data/z.tif"]
    found = {Path(finding.uri).name: finding.kind for finding in by.check_experiment(str(root))}
    assert found == dict.fromkeys(["a pipe", "a link", "lost"], "orphan file")


@pytest.mark.parametrize("log", ["journal.jsonl", "pending/data.jsonl"])
def test_a_pipe_that_poses_as_a_log_is_told(home: Any, kept: Any, log: str) -> None:
    root = Path(kept["experiment"][0]).parent
    path = root / ".bioimageit" / log
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    by = home.make()
    with pytest.raises(DataServiceError, match=f"is not a regular file '{path}'"):
        by.get_dataset(kept["raw dataset"][0]) if "pending" in log else by.get_history(str(root))
    with pytest.raises(DataServiceError):
        list(by.check_experiment(str(root)))
