"""The SQL home keeps its files behind S3 and SFTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import DataServiceError


@pytest.fixture(params=[pytest.param("s3", marks=pytest.mark.s3), pytest.param("sftp", marks=pytest.mark.sftp)])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def connect(server: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    from bioimageit_sql.service import connect

    made = []

    def make(**options: Any) -> Any:
        cache = {"cache_dir": str(tmp_path / "cache"), "cache_size": 0}
        storage = {**server.options, **options}
        files = f"{server.url}/{uuid.uuid4().hex}/files"
        made.append(connect(f"sqlite:///{tmp_path}/lab.db", files, storage_options=storage, **cache))
        return made[-1]

    yield make
    for service in made:
        service.close()


def test_files_and_zarr_stores_go_there_and_come_back(connect: Any, tmp_path: Path) -> None:
    service = connect()
    (tmp_path / "a.zarr" / "0").mkdir(parents=True)
    (tmp_path / "a.zarr" / "zarr.json").write_bytes(b"{}")
    (tmp_path / "a.zarr" / "0" / "c").write_bytes(b"chunk")
    (tmp_path / "a.tif").write_bytes(b"a" * 100_000)
    experiment = service.create_experiment("e", "ada", "now", [], "lab")
    for name, format_ in (("a.tif", "imagetiff"), ("a.zarr", "imagezarr"), ("a.tif", "imagetiff")):
        service.import_data(experiment, str(tmp_path / name), name, "ada", format_)

    file, store = (service.get_raw_data(item.md_uri) for item in service.get_dataset(experiment.raw_dataset.url).uris)
    back = Path(service.download_data(file.md_uri, str(tmp_path / "back.tif")))
    assert back.read_bytes() == b"a" * 100_000
    back = Path(service.download_data(store.md_uri, str(tmp_path / "back.zarr")))
    assert {path.name: path.read_bytes() for path in back.rglob("*") if path.is_file()} == {
        "zarr.json": b"{}",
        "c": b"chunk",
    }
    assert list(service.check_experiment(experiment.md_uri)) == []


def test_what_does_not_arrive_as_it_was_sent_is_an_error_and_no_data(
    connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = connect()
    experiment = service.create_experiment("e", "ada", "now", [], "lab")
    (tmp_path / "a.tif").write_bytes(b"content")
    with monkeypatch.context() as broken:
        broken.setattr("bioimageit_core.plugins.store.uploads._Upload._has_arrived", lambda *_: False)
        with pytest.raises(DataServiceError, match="what arrived is not what was sent"):
            service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    assert service.get_dataset(experiment.raw_dataset.url).uris == []

    data = service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    assert Path(service.get_data_uri(data)).read_bytes() == b"content"


def test_wrong_credentials_are_told_without_them(connect: Any, server: Any, tmp_path: Path) -> None:
    secret = "secret" if "secret" in server.options else "password"
    service = connect(**{secret: "a-very-secret-secret"})
    experiment = service.create_experiment("e", "ada", "now", [], "lab")
    (tmp_path / "a.tif").write_bytes(b"content")
    with pytest.raises(DataServiceError) as caught:
        service.import_data(experiment, str(tmp_path / "a.tif"), "a", "ada", "imagetiff")
    assert "a-very-secret-secret" not in str(caught.value)
    assert "cannot" in str(caught.value)
