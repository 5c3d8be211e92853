"""TOML keeps the contract: the whole test of a tools plugin."""

from pathlib import Path

import pytest
from bioimageit_toml import TomlToolsServiceBuilder

from bioimageit_core.testing import ToolsServiceTests


class TestToml(ToolsServiceTests):
    @pytest.fixture
    def service(self):
        return TomlToolsServiceBuilder()(file=str(Path(__file__).parent / "tools.toml"))
