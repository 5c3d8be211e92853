"""A real server on a free loopback port, that serves a LOCAL home."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bioimageit_http.service import HttpMetadataService, connect

from bioimageit_core.api import Request
from bioimageit_core.web.app import create_app
from bioimageit_core.web.serving import serving
from bioimageit_core.web.settings import Settings


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="session")
def served(place: Path) -> Iterator[Request]:
    (place / "workspace").mkdir()
    config = place / "config.json"
    document = {
        "workspace": str(place / "workspace"),
        "log_dir": str(place / "log"),
        "user": {"name": "ada"},
        "metadata": {"service": "LOCAL", "durable": False},
    }
    config.write_text(json.dumps(document))
    with Request(str(config), debug=False) as request:
        yield request


@pytest.fixture(scope="session")
def url(place: Path, served: Request) -> Iterator[str]:
    with serving(create_app(served, Settings(state_dir=str(place / "state"), token="kit-token"))) as url:
        yield url


@pytest.fixture
def make_service(url: str) -> Iterator[Any]:
    made: list[HttpMetadataService] = []

    def make() -> HttpMetadataService:
        made.append(connect(url, "kit-token"))
        return made[-1]

    yield make
    for service in made:
        service.close()
