"""The BATCH runner keeps the contract, on a real Slurm."""

from __future__ import annotations

from typing import Any

import pytest
from bioimageit_core.testing import RunnerServiceTests

pytestmark = pytest.mark.slurm


class TestSlurm(RunnerServiceTests):
    lacks = dict.fromkeys(("run_command", "time limit", "cancelling"), "commands are submitted, not waited for")

    @pytest.fixture
    def service(self, slurm: Any, make_service: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
        return make_service(shared_dir=str(tmp_path_factory.mktemp("shared")))
