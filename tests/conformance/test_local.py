"""The LOCAL service keeps the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.testing import DataServiceTests, FaultCounter


class TestLocal(DataServiceTests):
    @pytest.fixture
    def service(self) -> LocalMetadataService:
        return LocalMetadataService(durable=False)

    @pytest.fixture
    def second_session(self) -> LocalMetadataService:
        return LocalMetadataService(durable=False)

    @pytest.fixture
    def destination(self, tmp_path: Path) -> str:
        workspace = tmp_path / "walls" / "workspace"
        workspace.mkdir(parents=True)
        return str(workspace)

    @pytest.fixture
    def raw(self) -> Callable[[str], dict[str, Any]]:
        return lambda md_uri: json.loads(Path(md_uri).read_bytes())

    @pytest.fixture
    def fault(self, service: LocalMetadataService, monkeypatch: pytest.MonkeyPatch):
        counter = FaultCounter()
        for name in ("write", "place", "append", "make_dir", "move"):
            original = getattr(service.files, name)

            def write(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
                counter.before_write()
                return original(*args, **kwargs)

            monkeypatch.setattr(service.files, name, write)
        return counter.at
