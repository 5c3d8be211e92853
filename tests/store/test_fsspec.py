"""What only a remote home has: credentials, large uploads, lost connections, local copies."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, ProcessedData, Run
from bioimageit_core.core.config import Config
from bioimageit_core.core.exceptions import ConfigError, DataServiceError
from bioimageit_core.core.observer import Observer
from bioimageit_core.plugins.data_fsspec import FsspecMetadataService, FsspecMetadataServiceBuilder
from bioimageit_core.plugins.store import writing
from bioimageit_core.plugins.store.cache import ContentCache, cache_bytes

HOMES = ("memory", "s3", "sftp")
SECRET = "a-very-secret-secret"


def refused(service: Any, workspace: str) -> str:
    with pytest.raises(DataServiceError) as caught:
        service.create_experiment("e", "ada", "now", [], workspace)
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text + repr(caught.value)
    return text


@pytest.mark.s3
@pytest.mark.parametrize("wrong", ["key", "secret"])
def test_wrong_credentials_of_s3_are_told_in_one_line(s3_server: Any, tmp_path: Path, wrong: str) -> None:
    options = {**s3_server.options, wrong: SECRET}
    said = refused(FsspecMetadataService(options, cache_dir=str(tmp_path)), f"{s3_server.url}/w")
    assert "access denied" in said
    assert "s3://tests/w" in said


@pytest.mark.s3
def test_a_bucket_that_is_not_there_is_told(s3_server: Any, tmp_path: Path) -> None:
    said = refused(FsspecMetadataService(s3_server.options, cache_dir=str(tmp_path)), "s3://no-such-bucket/w")
    assert "s3://no-such-bucket" in said


@pytest.mark.s3
def test_credentials_come_from_the_environment(s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.options["key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.options["secret"])
    options = {"endpoint_url": s3_server.options["endpoint_url"], "skip_instance_cache": True}
    service = FsspecMetadataService(options, cache_dir=str(tmp_path))
    made = service.create_experiment("e", "ada", "now", [], f"{s3_server.url}/{uuid.uuid4().hex}")
    assert service.get_experiment(made.md_uri).name == "e"


@pytest.mark.s3
def test_credentials_can_be_references_in_the_configuration(
    s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    monkeypatch.setenv("OUR_KEY", s3_server.options["key"])
    monkeypatch.setenv("OUR_SECRET", s3_server.options["secret"])
    storage = {**s3_server.options, "key": "${ENV:OUR_KEY}", "secret": "${ENV:OUR_SECRET}"}
    metadata = {"service": "FSSPEC", "storage_options": storage, "cache_size": "1 MB", "cache_dir": str(tmp_path / "c")}
    (tmp_path / "config.json").write_text(json.dumps({"metadata": metadata}))
    config = Config(str(tmp_path / "config.json"))
    builder = FsspecMetadataServiceBuilder()
    service = builder(**config.service_options("metadata"))
    made = service.create_experiment("e", "ada", "now", [], f"{s3_server.url}/{uuid.uuid4().hex}")
    assert service.get_experiment(made.md_uri).name == "e"
    assert builder() is service
    assert s3_server.options["secret"] not in repr(config) + repr(vars(service))


@pytest.mark.sftp
def test_a_wrong_password_of_sftp_is_told_in_one_line(sftp_server: Any, tmp_path: Path) -> None:
    options = {**sftp_server.options, "password": SECRET}
    assert "Authentication failed" in refused(FsspecMetadataService(options, cache_dir=str(tmp_path)), sftp_server.url)


@pytest.mark.sftp
def test_a_password_in_a_url_is_used_and_kept_nowhere(sftp_server: Any, tmp_path: Path) -> None:
    options = {key: value for key, value in sftp_server.options.items() if key not in {"password", "username"}}
    workspace = f"sftp://ada:{sftp_server.options['password']}@127.0.0.1/home"
    service = FsspecMetadataService(options, cache_dir=str(tmp_path))
    made = service.create_experiment(f"e {uuid.uuid4().hex}", "ada", "now", [], workspace)
    assert made.md_uri.startswith("sftp://ada@127.0.0.1/home/e")
    assert service.get_experiment(made.md_uri).uuid == made.uuid
    wrong = FsspecMetadataService(options, cache_dir=str(tmp_path))
    refused(wrong, f"sftp://ada:{SECRET}@127.0.0.1/home")


@pytest.mark.parametrize("workspace", ["nonsense://x/y", "./folder"])
def test_a_workspace_that_is_none(tmp_path: Path, workspace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    said = refused(FsspecMetadataService(cache_dir=str(tmp_path / "cache")), workspace)
    assert "nonsense" in said or "LOCAL keeps them in folders" in said
    assert os.listdir(tmp_path / "folder") == []


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    pytest.importorskip("paramiko")
    options = {"port": 1, "username": "a", "password": SECRET, "look_for_keys": False, "allow_agent": False}
    assert "127.0.0.1" in refused(FsspecMetadataService(options, cache_dir=str(tmp_path)), "sftp://127.0.0.1/x")


def test_a_hard_link_to_another_machine_is_refused(service: Any, experiment: Experiment, sources: Path) -> None:
    with pytest.raises(DataServiceError, match="cannot hard-link; copy or reference it"):
        service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", mode="link")


test_a_hard_link_to_another_machine_is_refused.homes = ("memory",)


class Told(Observer):
    def __init__(self) -> None:
        super().__init__()
        self.progress: list[float] = []

    def notify_progress(self, progress: float, message: str = "", job_id: int = 0) -> None:
        self.progress.append(progress)


@pytest.mark.s3
def test_a_large_file_goes_in_parts_with_progress(s3_server: Any, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    with open(folder / "large.tif", "wb") as file:
        file.write(os.urandom(1000))
        file.truncate(110 * 1024 * 1024)
        file.seek(-1000, os.SEEK_END)
        file.write(os.urandom(1000))
    service = FsspecMetadataService(s3_server.options, cache_size=0, cache_dir=str(tmp_path / "cache"))
    experiment = service.create_experiment("e", "ada", "now", [], f"{s3_server.url}/{uuid.uuid4().hex}")
    told = Told()
    service.import_dir(experiment, str(folder), "", "ada", "imagetiff", "now", "", [told])

    (item,) = service.get_dataset(experiment.raw_dataset.url).uris
    data = service.get_raw_data(item.md_uri)
    system, path = service.files.systems.at(data.uri)
    assert system.info(path)["ETag"].strip('"').endswith("-4")
    between = [percent for percent in told.progress if 0 < percent < 100]
    assert len(between) >= 3
    assert told.progress == sorted(told.progress)
    got = service.download_data(data.md_uri, str(tmp_path / "got"))
    with open(got, "rb") as one, open(folder / "large.tif", "rb") as other:
        assert hashlib.file_digest(one, "sha256").digest() == hashlib.file_digest(other, "sha256").digest()


def test_what_does_not_arrive_as_it_was_sent_is_an_error(
    service: Any, home: Any, experiment: Experiment, sources: Path, listed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, _ = service.files.systems.at(experiment.md_uri)
    target = system.ftp if home.name == "sftp" else system
    name = "put" if home.name == "sftp" else "put_file"
    original = getattr(target, name)

    def corrupt(path: str, to: str, *args: Any, **kwargs: Any) -> Any:
        other = sources / "corrupted"
        other.write_bytes(Path(path).read_bytes()[::-1])
        return original(str(other), to, *args, **kwargs)

    monkeypatch.setattr(target, name, corrupt)
    with pytest.raises(DataServiceError, match="what arrived is not what was sent"):
        service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    monkeypatch.undo()
    assert listed() == []
    assert home.names(experiment.raw_dataset.url.rpartition("/")[0]) == ["raw_dataset.md.json"]
    service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    assert [data.name for data in listed()] == ["a"]


@pytest.mark.sftp
def test_a_lost_connection_is_made_again(sftp_server: Any, tmp_path: Path, sources: Path) -> None:
    service = FsspecMetadataService(sftp_server.options, cache_dir=str(tmp_path / "cache"))
    experiment = service.create_experiment(uuid.uuid4().hex, "ada", "now", [], sftp_server.url)
    for number in range(3):
        system, _ = service.files.systems.at(experiment.md_uri)
        system.client.close()
        (sources / f"{number}.tif").write_bytes(b"%d" % number)
        service.import_data(experiment, str(sources / f"{number}.tif"), str(number), "ada", "imagetiff")
    assert service.get_dataset(experiment.raw_dataset.url).size() == 3


@pytest.mark.sftp
def test_a_lease_whose_owner_died_is_broken(sftp_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BROKEN_AFTER", 0.5)
    service = FsspecMetadataService(sftp_server.options, cache_dir=str(tmp_path))
    experiment = service.create_experiment(uuid.uuid4().hex, "ada", "now", [], sftp_server.url)
    root = experiment.md_uri.rpartition("/")[0]
    service.files.write(f"{root}/.bioimageit/lease", b"somebody", f"{root}/.bioimageit/temp")
    experiment.author = "grace"
    service.update_experiment(experiment)
    assert service.get_experiment(experiment.md_uri).author == "grace"
    assert "lease" not in service.files.names(f"{root}/.bioimageit")


def test_local_copies_are_used_again(
    service: Any, home: Any, experiment: Experiment, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    first = Path(service.get_data_uri(data))
    assert first.read_bytes() == b"content of a.tif"
    assert first.name == "a.tif"
    first.write_bytes(b"a tool that writes to its input")
    other = home.make()
    monkeypatch.setattr(other.files, "_fetch_file", lambda *_: pytest.fail("it was transferred again"))
    assert Path(other.download_data(data.md_uri, str(tmp_path / "again"))).read_bytes() == b"content of a.tif"
    assert other.needs_cleanning() is True


def test_what_a_tool_made_is_not_transferred_back(
    service: Any, home: Any, experiment: Experiment, sources: Path, make_result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    dataset = service.create_dataset(experiment, "m")
    result: ProcessedData = make_result(service, dataset, service.create_run(dataset, Run()), raw, "m", b"made")
    monkeypatch.setattr(service.files, "_fetch_file", lambda *_: pytest.fail("it was transferred"))
    assert Path(service.get_data_uri(result)).read_bytes() == b"made"


def test_a_changed_file_is_not_taken_from_the_cache(
    service: Any, home: Any, experiment: Experiment, sources: Path, tmp_path: Path
) -> None:
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    service.download_data(data.md_uri, str(tmp_path / "first"))
    home.write(data.uri, b"changed by somebody")
    assert Path(service.download_data(data.md_uri, str(tmp_path / "x"))).read_bytes() == b"changed by somebody"


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(str(tmp_path / "cache"), 25)


def writer(content: bytes, calls: list[bytes]) -> Callable[[str], None]:
    def write(path: str) -> None:
        calls.append(content)
        Path(path).write_bytes(content)

    return write


def kept(cache: ContentCache) -> list[bytes]:
    return sorted(path.read_bytes() for path in Path(cache.directory).glob("sha256/*/*"))


def test_the_least_recently_used_go_first(cache: ContentCache, tmp_path: Path) -> None:
    calls: list[bytes] = []
    for time, content in enumerate((b"a" * 10, b"b" * 10, b"a" * 10, b"c" * 10)):
        cache.fetch(content[:1].decode(), writer(content, calls), str(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == content
        digest = hashlib.sha256(content).hexdigest()
        os.utime(Path(cache.directory) / "sha256" / digest[:2] / digest, (time, time))
    assert [call[:1] for call in calls] == [b"a", b"b", b"c"]
    assert kept(cache) == [b"a" * 10, b"c" * 10]


def test_what_is_too_large_is_not_kept(cache: ContentCache, tmp_path: Path) -> None:
    calls: list[bytes] = []
    for _ in range(2):
        cache.fetch("x", writer(b"x" * 26, calls), str(tmp_path / "out"))
    assert len(calls) == 2
    assert kept(cache) == []


def test_content_is_kept_once(cache: ContentCache, tmp_path: Path) -> None:
    for key in ("one", "two"):
        cache.fetch(key, writer(b"same", []), str(tmp_path / key))
    assert kept(cache) == [b"same"]


@pytest.mark.parametrize("harm", [b"otherwise", b"", b"same length"])
def test_a_copy_that_somebody_touched_is_made_again(cache: ContentCache, tmp_path: Path, harm: bytes) -> None:
    calls: list[bytes] = []
    cache.fetch("x", writer(b"the content", calls), str(tmp_path / "out"))
    (path,) = Path(cache.directory).glob("sha256/*/*")
    path.write_bytes(harm)
    cache.fetch("x", writer(b"the content", calls), str(tmp_path / "out"))
    assert len(calls) == 2
    assert (tmp_path / "out").read_bytes() == b"the content"
    assert kept(cache) == [b"the content"]
    assert [name for name in os.listdir(tmp_path) if name.endswith(".part")] == []


def test_a_cache_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ContentCache(str(tmp_path / "file"), 100)
    cache.fetch("x", writer(b"content", []), str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"content"


def test_a_download_that_fails_leaves_nothing(cache: ContentCache, tmp_path: Path) -> None:
    def fail(path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(5, "lost")

    with pytest.raises(OSError, match="lost"):
        cache.fetch("x", fail, str(tmp_path / "out"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (1000, 1000), ("10 GB", 10**10), ("1.5 MiB", 1572864), ("3kb", 3000), ("0", 0)],
)
def test_sizes_of_caches(size: Any, expected: int) -> None:
    assert cache_bytes(size) == expected


@pytest.mark.parametrize("size", ["much", "-1", "1 parsec", None, True, ""])
def test_what_is_no_size_is_told(size: Any) -> None:
    with pytest.raises(ConfigError, match=r"metadata\.cache_size"):
        cache_bytes(size)
