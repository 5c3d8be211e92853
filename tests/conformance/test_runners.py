"""The LOCAL runner keeps the contract."""

from __future__ import annotations

import pytest

from bioimageit_core.plugins.runner_local import LocalRunnerService
from bioimageit_core.testing import RunnerServiceTests


class TestLocal(RunnerServiceTests):
    @pytest.fixture
    def service(self) -> LocalRunnerService:
        return LocalRunnerService()


class Older:
    """A runner as they were published first: without ``job_id``."""

    def __init__(self) -> None:
        self._runner = LocalRunnerService()

    def set_up(self, tool):
        self._runner.set_up(tool)

    def exec(self, tool, args):
        self._runner.exec(tool, args)

    def tear_down(self, tool):
        self._runner.tear_down(tool)


class TestOlder(RunnerServiceTests):
    @pytest.fixture
    def service(self) -> Older:
        return Older()
