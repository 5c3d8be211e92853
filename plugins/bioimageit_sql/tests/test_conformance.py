"""The SQL service keeps the contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bioimageit_sql.service import SqlMetadataService, connect

from bioimageit_core.testing import DataServiceTests


class SqlTests(DataServiceTests):
    @pytest.fixture
    def files(self, tmp_path: Path) -> str:
        return str(tmp_path / "files")

    @pytest.fixture
    def service(self, url: str, files: str) -> Iterator[SqlMetadataService]:
        service = connect(url, files)
        yield service
        service.close()

    @pytest.fixture
    def second_session(self, url: str, files: str) -> Iterator[SqlMetadataService]:
        service = connect(url, files)
        yield service
        service.close()

    @pytest.fixture
    def destination(self) -> str:
        return f"lab {uuid.uuid4()}"

    @pytest.fixture
    def raw(self, service: SqlMetadataService, read_row: Any) -> Any:
        return lambda md_uri: read_row(service, md_uri)

    @pytest.fixture
    def fault(self, service: SqlMetadataService, make_fault: Any) -> Any:
        return make_fault(service)


class TestSqlite(SqlTests):
    @pytest.fixture
    def url(self, tmp_path: Path, template: Path) -> str:
        shutil.copyfile(template, tmp_path / "lab.db")
        return f"sqlite:///{tmp_path}/lab.db"


@pytest.mark.postgresql
class TestPostgresql(SqlTests):
    @pytest.fixture
    def url(self, shared_postgresql_url: str) -> str:
        return shared_postgresql_url
