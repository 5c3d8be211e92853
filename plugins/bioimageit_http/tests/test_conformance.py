"""The HTTP service keeps the contract, through a real server."""

from __future__ import annotations

from typing import Any

import pytest
from bioimageit_http.service import HttpMetadataService

from bioimageit_core.testing import DataServiceTests


class TestHttp(DataServiceTests):
    max_examples = 5

    @pytest.fixture
    def service(self, make_service: Any) -> HttpMetadataService:
        service: HttpMetadataService = make_service()
        return service

    @pytest.fixture
    def second_session(self, make_service: Any) -> HttpMetadataService:
        service: HttpMetadataService = make_service()
        return service

    @pytest.fixture
    def destination(self) -> str:
        return ""
