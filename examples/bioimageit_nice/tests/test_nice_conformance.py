"""NICE keeps the contract: the whole test of a runner plugin."""

import pytest
from bioimageit_nice import NiceRunnerServiceBuilder

from bioimageit_core.testing import RunnerServiceTests


class TestNice(RunnerServiceTests):
    @pytest.fixture
    def service(self):
        return NiceRunnerServiceBuilder()()
