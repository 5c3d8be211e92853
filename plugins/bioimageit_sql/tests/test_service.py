"""What the SQL service does beyond the contract."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import sqlalchemy as sa
from bioimageit_sql import SqlMetadataServiceBuilder
from bioimageit_sql.service import SqlMetadataService, connect

from bioimageit_core.containers import Experiment, ProcessedData, Run
from bioimageit_core.core.exceptions import ConfigError, DataServiceError, NotFoundError
from bioimageit_core.plugins.registry import ServiceRegistry


@pytest.fixture
def url(tmp_path: Path, template: Path) -> str:
    shutil.copyfile(template, tmp_path / "lab.db")
    return f"sqlite:///{tmp_path}/lab.db"


@pytest.fixture
def service(url: str, tmp_path: Path) -> Iterator[SqlMetadataService]:
    service = connect(url, str(tmp_path / "files"))
    yield service
    service.close()


@pytest.fixture
def experiment(service: SqlMetadataService) -> Experiment:
    return service.create_experiment("e", "ada", "now", ["a", "b"], "lab")


def _stored(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_plugin_is_found_by_name_and_its_builder_gives_one_service(url: str, tmp_path: Path) -> None:
    service = ServiceRegistry("data", {}).get("SQL", url=url, files=str(tmp_path / "files"))
    builder = SqlMetadataServiceBuilder()

    assert isinstance(service, SqlMetadataService)
    assert builder(url=url) is builder(url=url)


def test_nothing_is_opened_before_it_is_used(tmp_path: Path) -> None:
    connect(f"sqlite:///{tmp_path}/none/lab.db")
    connect("postgresql://ada@host.invalid/lab", "s3://nowhere/files")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "lab.db", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_be_used_is_an_error_that_says_what_is_expected(url: str) -> None:
    with pytest.raises(ConfigError, match="expected sqlite:///"):
        connect(url)


def test_a_database_that_is_not_there_is_an_error_when_it_is_used(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match="no directory"):
        connect(f"sqlite:///{tmp_path}/none/lab.db").get_workspace_experiments("lab")


@pytest.mark.postgresql
def test_a_server_that_cannot_be_reached_is_an_error_without_the_password(postgresql_url: str, tmp_path: Path) -> None:
    wrong = postgresql_url.replace("test@", "test:s3cr3t@").replace("host=", "host=/nowhere")
    with pytest.raises(DataServiceError) as caught:
        connect(wrong, str(tmp_path)).get_workspace_experiments("lab")

    shown = [str(caught.value), repr(caught.value.__cause__)]
    assert not any("s3cr3t" in text for text in shown)


def test_a_content_is_stored_once(service: SqlMetadataService, experiment: Experiment, tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(b"the same")
        service.import_data(experiment, str(tmp_path / name), name, "ada", "imagetiff")
    dataset = service.create_dataset(experiment, "copies")
    run = service.create_run(dataset, Run())
    new = ProcessedData(name="a", format="imagetiff")
    new = service.create_data_uri(dataset, run, new)
    Path(new.uri).write_bytes(b"the same")
    service.create_data(dataset, run, new)

    assert len(_stored(tmp_path / "files")) == 1
    assert os.listdir(tmp_path / "files" / "staging") == []


def test_a_stored_content_cannot_be_changed_by_a_tool(
    service: SqlMetadataService, experiment: Experiment, tmp_path: Path
) -> None:
    (tmp_path / "a.tif").write_bytes(b"content")
    data = service.import_data(experiment, str(tmp_path / "a.tif"), "a.tif", "ada", "imagetiff")

    assert not os.stat(service.get_data_uri(data)).st_mode & 0o222


def test_a_damaged_content_is_an_error(service: SqlMetadataService, experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"content")
    data = service.import_data(experiment, str(tmp_path / "a.tif"), "a.tif", "ada", "imagetiff")
    os.chmod(data.uri, 0o644)
    Path(data.uri).write_bytes(b"damaged")

    with pytest.raises(DataServiceError, match="SHA-256"):
        service.download_data(data.md_uri, str(tmp_path / "out.tif"))
    assert not (tmp_path / "out.tif").exists()


def test_remote_files_are_copied_into_a_cache_of_limited_size(url: str, tmp_path: Path) -> None:
    files = f"memory://kit-{uuid.uuid4().hex}"
    service = connect(url, files, cache_dir=str(tmp_path / "cache"), cache_size=250)
    experiment = service.create_experiment("e", "ada", "now", [], "lab")
    paths = []
    for number in range(4):
        (tmp_path / f"{number}.tif").write_bytes(bytes([number]) * 100)
        data = service.import_data(experiment, str(tmp_path / f"{number}.tif"), f"{number}.tif", "ada", "imagetiff")
        paths.append(Path(service.get_data_uri(data)))
        os.utime(paths[-1], (number, number))

    assert paths[-1].read_bytes() == b"\3" * 100
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert len(fsspec.filesystem("memory").find(files)) == 4
    service.close()


def test_a_zarr_store_travels_to_remote_files_and_back(url: str, tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    (store / "0").mkdir(parents=True)
    (store / "zarr.json").write_bytes(b"{}")
    (store / "0" / "c").write_bytes(b"chunk")
    service = connect(url, f"memory://kit-{uuid.uuid4().hex}", cache_dir=str(tmp_path / "cache"))
    experiment = service.create_experiment("e", "ada", "now", [], "lab")
    data = service.import_data(experiment, str(store), "a.zarr", "ada", "imagezarr")

    path = Path(service.download_data(data.md_uri, str(tmp_path / "back.zarr")))
    assert _stored(path) == ["0/c", "zarr.json"]
    assert (path / "0" / "c").read_bytes() == b"chunk"
    service.close()


def test_two_who_annotate_one_data_both_stay(
    service: SqlMetadataService, url: str, experiment: Experiment, tmp_path: Path
) -> None:
    (tmp_path / "a.tif").write_bytes(b"a")
    data = service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    other = connect(url, str(tmp_path / "files"))
    mine, theirs = service.get_raw_data(data.md_uri), other.get_raw_data(data.md_uri)
    mine.set_key_value_pair("a", "1")
    theirs.set_key_value_pair("b", "2")
    service.update_raw_data(mine)
    other.update_raw_data(theirs)

    assert service.get_raw_data(data.md_uri).key_value_pairs == {"a": "1", "b": "2"}
    dataset = service.get_dataset(experiment.raw_dataset.url)
    assert len(list(service.query_data(dataset, "a=1 AND b=2"))) == 1
    other.close()


def test_an_old_list_unlists_nothing_that_others_added(
    service: SqlMetadataService, experiment: Experiment, tmp_path: Path
) -> None:
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(name.encode())
    first = service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    old = service.get_dataset(experiment.raw_dataset.url)
    second = service.import_data(experiment, str(tmp_path / "b.tif"), "b", "ada", "imagetiff")
    old.uris.clear()
    service.update_dataset(old)

    assert [entry.md_uri for entry in service.get_dataset(old.md_uri).uris] == [second.md_uri]
    assert service.get_raw_data(first.md_uri).name == "a"


def test_a_record_of_another_database_is_not_taken_for_ones_own(
    service: SqlMetadataService, experiment: Experiment, tmp_path: Path
) -> None:
    other = connect(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "files"))
    theirs = other.create_experiment("e", "ada", "now", [], "lab")

    assert theirs.md_uri.rpartition("/")[2] == experiment.md_uri.rpartition("/")[2]
    with pytest.raises(NotFoundError):
        service.get_experiment(theirs.md_uri)
    other.close()


def test_lineage_across_experiments_is_refused(
    service: SqlMetadataService, experiment: Experiment, tmp_path: Path
) -> None:
    (tmp_path / "a.tif").write_bytes(b"a")
    data = service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    elsewhere = service.create_experiment("other", "ada", "now", [], "lab")
    dataset = service.create_dataset(elsewhere, "results")
    run = service.create_run(dataset, Run())
    new = ProcessedData(name="r", format="imagetiff", uri=str(tmp_path / "a.tif"))
    new.add_input("i", data)

    with pytest.raises(DataServiceError, match="another experiment"):
        service.create_data(dataset, run, new)


def test_queries_use_the_indexes(service: SqlMetadataService, experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"a")
    service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff", "now", {"a": "1", "b": "2"})
    statements: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(
        service.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, parameters, *_rest: statements.append((statement, parameters)),
    )
    dataset = service.get_dataset(experiment.raw_dataset.url)
    list(service.query_data(dataset, "a=p53 AND b>=2"))

    statement, parameters = next(found for found in statements if "annotation" in found[0])
    with service.database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    plan = "\n".join(str(row) for row in rows)
    assert "ix_annotation_text" in plan
    assert "ix_annotation_number" in plan
    assert "SCAN annotation" not in plan


_IMPORT = """
import sys
from pathlib import Path
from bioimageit_sql.service import connect
url, files, md_uri, folder, who = sys.argv[1:]
service = connect(url, files)
experiment = service.get_experiment(md_uri)
for number in range(10):
    path = Path(folder, f"{who}-{number}.tif")
    path.write_bytes(path.name.encode())
    service.import_data(experiment, str(path), path.name, "ada", "imagetiff", "now", {f"{who} {number}": "1"})
"""


def _import_from_many(service: SqlMetadataService, url: str, files: str, folder: Path) -> None:
    experiment = service.create_experiment(f"many {uuid.uuid4()}", "ada", "now", [], "lab")
    argv = [sys.executable, "-c", _IMPORT, url, files, experiment.md_uri, str(folder)]
    processes = [subprocess.Popen([*argv, who]) for who in ("a", "b", "c")]

    assert [process.wait(120) for process in processes] == [0, 0, 0]
    dataset = service.get_dataset(experiment.raw_dataset.url)
    names = sorted(data.name for data in service.query_data(dataset, ""))
    assert names == sorted(f"{who}-{number}.tif" for who in "abc" for number in range(10))
    assert len(service.get_experiment(experiment.md_uri).keys) == 30


def test_many_processes_import_at_once_and_nothing_is_lost(
    service: SqlMetadataService, url: str, tmp_path: Path
) -> None:
    _import_from_many(service, url, str(tmp_path / "files"), tmp_path)


@pytest.mark.postgresql
def test_many_clients_of_postgresql_import_at_once_and_nothing_is_lost(
    shared_postgresql_url: str, tmp_path: Path
) -> None:
    service = connect(shared_postgresql_url, str(tmp_path / "files"))
    _import_from_many(service, shared_postgresql_url, str(tmp_path / "files"), tmp_path)
    service.close()
