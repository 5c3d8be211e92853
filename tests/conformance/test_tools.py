"""The LOCAL tools service keeps the contract."""

from __future__ import annotations

import pytest

from bioimageit_core.plugins.tools_local import LocalToolsService
from bioimageit_core.testing import ToolsServiceTests


@pytest.fixture(scope="module")
def toolbox() -> LocalToolsService:
    return LocalToolsService()


class TestToolbox(ToolsServiceTests):
    @pytest.fixture
    def service(self, toolbox: LocalToolsService) -> LocalToolsService:
        return toolbox
