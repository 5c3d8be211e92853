"""ONEFILE keeps the contract: the whole test of a data plugin."""

import pytest
from bioimageit_onefile.service import OneFileService

from bioimageit_core.testing import DataServiceTests


class TestOneFile(DataServiceTests):
    @pytest.fixture
    def service(self):
        return OneFileService()

    @pytest.fixture
    def destination(self, tmp_path):
        return str(tmp_path)
