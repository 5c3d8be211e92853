"""The FSSPEC service keeps the contract, on every kind of filesystem."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from bioimageit_core.plugins.data_fsspec import FsspecMetadataService
from bioimageit_core.testing import DataServiceTests, FaultCounter
from bioimageit_core.testing.data_fixtures import DataFixtures


class FsspecFixtures(DataFixtures):
    max_examples = 5

    @pytest.fixture(scope="class")
    @classmethod
    def options(cls) -> dict[str, Any]:
        return {}

    # connections are dear: one service, and a second one, for all tests of a class

    @pytest.fixture(scope="class")
    @classmethod
    def service(cls, options: dict[str, Any], tmp_path_factory: Any) -> FsspecMetadataService:
        return FsspecMetadataService(options, cache_dir=str(tmp_path_factory.mktemp("cache")))

    @pytest.fixture(scope="class")
    @classmethod
    def second_session(cls, options: dict[str, Any], tmp_path_factory: Any) -> FsspecMetadataService:
        return FsspecMetadataService(options, cache_dir=str(tmp_path_factory.mktemp("cache")))

    @pytest.fixture
    def raw(self, service: FsspecMetadataService) -> Callable[[str], dict[str, Any]]:
        def read(md_uri: str) -> dict[str, Any]:
            system, path = service.files.systems.at(md_uri)
            return json.loads(system.cat_file(path))

        return read

    @pytest.fixture
    def fault(self, service: FsspecMetadataService, monkeypatch: pytest.MonkeyPatch):
        counter = FaultCounter()
        for name in ("write", "place", "append", "make_dir", "move"):
            original = getattr(service.files, name)

            def write(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
                counter.before_write()
                return original(*args, **kwargs)

            monkeypatch.setattr(service.files, name, write)
        return counter.at


class TestMemory(FsspecFixtures, DataServiceTests):
    @pytest.fixture
    def destination(self) -> Iterator[str]:
        workspace = f"memory://kit-{uuid.uuid4().hex[:12]}"
        yield workspace
        system = fsspec.filesystem("memory")
        if system.exists(workspace):
            system.rm(workspace, recursive=True)


class TestAnyOther(FsspecFixtures, DataServiceTests):
    """A filesystem of which nothing is known but what fsspec asks of all: it gets leases."""

    max_examples = 2

    @pytest.fixture
    def destination(self, tmp_path: Path) -> str:
        workspace = tmp_path / "walls" / "workspace"
        workspace.mkdir(parents=True)
        return f"file://{workspace}"


@pytest.mark.s3
class TestS3(FsspecFixtures, DataServiceTests):
    max_examples = 2

    @pytest.fixture(scope="class")
    @classmethod
    def options(cls, s3_server: Any) -> dict[str, Any]:
        return s3_server.options

    @pytest.fixture
    def destination(self, s3_server: Any) -> str:
        return f"{s3_server.url}/kit-{uuid.uuid4().hex[:12]}"


@pytest.mark.sftp
class TestSftp(FsspecFixtures, DataServiceTests):
    max_examples = 1  # each request takes its time

    @pytest.fixture(scope="class")
    @classmethod
    def options(cls, sftp_server: Any) -> dict[str, Any]:
        return sftp_server.options

    @pytest.fixture
    def destination(self, service: FsspecMetadataService, sftp_server: Any) -> str:
        url = f"{sftp_server.url}/kit-{uuid.uuid4().hex[:12]}"
        service.files.make_dir(url)
        return url
