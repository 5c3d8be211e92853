"""Checks tell of files that are missing, damaged or nobody's; a repair removes the last, and never somebody's."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bioimageit_sql.service import SqlMetadataService, connect

DAY = 24 * 3600


@pytest.fixture(params=["directory", "memory"])
def service(request: pytest.FixtureRequest, tmp_path: Path, template: Path, monkeypatch: Any) -> Iterator[Any]:
    shutil.copyfile(template, tmp_path / "lab.db")
    files = str(tmp_path / "files") if request.param == "directory" else f"memory://{uuid.uuid4().hex}"
    made = connect(f"sqlite:///{tmp_path}/lab.db", files, cache_dir=str(tmp_path / "cache"))
    # a file is an orphan only after a day
    monkeypatch.setattr("bioimageit_sql.checking.time.time", lambda: __import__("time").time_ns() / 1e9 + 2 * DAY)
    yield made
    made.close()


@pytest.fixture
def take_in(tmp_path: Path) -> Callable[..., Any]:
    def take(service: SqlMetadataService, experiment: Any, name: str) -> Any:
        path = tmp_path / name
        if name.endswith(".zarr"):
            (path / "0").mkdir(parents=True)
            (path / "0" / "zarr.json").write_text("{}")
        else:
            path.write_text(name)
        return service.import_data(experiment, str(path), name, "ada", "raw")

    return take


def place_of(service: SqlMetadataService, data: Any) -> str:
    return f"{service.contents._opened()[1]}/{'/'.join(data.uri.rsplit('/', 2)[-2:])}"


def orphan(service: SqlMetadataService, path: Path) -> str:
    """Store a file as an import does that fails before its record is there."""
    from bioimageit_sql.scanning import scan

    path.write_text(f"nobody's {path.name}")
    scanned = scan(str(path))
    service.contents.put(scanned)
    return scanned.key


def test_what_is_missing_damaged_or_nobodys_is_found(service: Any, take_in: Any, tmp_path: Path) -> None:
    experiment = service.create_experiment("e", "ada", destination="lab")
    kept, gone, harmed, store = (take_in(service, experiment, name) for name in ("a.txt", "b.txt", "c.txt", "d.zarr"))
    filesystem = service.contents._filesystem
    filesystem.rm_file(place_of(service, gone))
    if service.contents.is_local:
        os.chmod(place_of(service, harmed), 0o644)
    filesystem.pipe_file(place_of(service, harmed), b"c.tx?")
    key = orphan(service, tmp_path / "o.json")

    found = {(each.kind, each.uri) for each in service.check_experiment(experiment.md_uri)}

    orphaned = ("orphan file", service.contents.uri(key))
    assert found == {("missing file", gone.md_uri), ("checksum", harmed.md_uri), orphaned}
    assert {kept.md_uri, store.md_uri}.isdisjoint(uri for _, uri in found)
    quick = {each.kind for each in service.check_experiment(experiment.md_uri, content=False)}
    assert quick == {"missing file", "orphan file"}


def test_a_repair_removes_what_is_nobodys_and_nothing_else(service: Any, take_in: Any, tmp_path: Path) -> None:
    one, other = (service.create_experiment(name, "ada", destination="lab") for name in ("one", "other"))
    kept = [take_in(service, one, "a.txt"), take_in(service, other, "b.txt"), take_in(service, other, "d.zarr")]
    key = orphan(service, tmp_path / "o.txt")
    service.contents.set_aside(service.contents.key(kept[0].uri))  # a repair that was killed

    assert len(list(service.repair_experiment(one.md_uri))) == 1

    assert not service.contents.is_there(key)
    assert all(service.contents.is_there(service.contents.key(data.uri)) for data in kept)
    assert list(service.check_experiment(other.md_uri)) == []


def test_a_file_that_is_imported_while_a_repair_removes_it_stays(
    service: Any, take_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = service.create_experiment("e", "ada", destination="lab")
    (tmp_path / "a.txt").write_text("a.txt")
    from bioimageit_sql.scanning import scan

    service.contents.put(scan(str(tmp_path / "a.txt")))
    write = service._write

    def repaired_first(work: Any) -> Any:
        monkeypatch.setattr(service, "_write", write)
        list(service.repair_experiment(experiment.md_uri))
        return write(work)

    monkeypatch.setattr(service, "_write", repaired_first)
    data = take_in(service, experiment, "a.txt")
    assert Path(service.get_data_uri(data)).read_text() == "a.txt"


def test_a_young_file_is_left_alone(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    experiment = service.create_experiment("e", "ada", destination="lab")
    key = orphan(service, tmp_path / "o.txt")
    assert list(service.repair_experiment(experiment.md_uri)) == []
    assert service.contents.is_there(key)


def test_a_file_that_has_the_name_of_a_directorys_list_is_none(service: Any, tmp_path: Path) -> None:
    experiment = service.create_experiment("e", "ada", destination="lab")
    for name in ("same", "same.json"):
        (tmp_path / name).write_text('["x"]')
    first, second = (service.import_data(experiment, str(tmp_path / n), n, "ada", "raw") for n in ("same", "same.json"))
    for data in (first, second):
        assert Path(service.download_data(data.md_uri, str(tmp_path / f"out {data.name}"))).read_text() == '["x"]'
