"""The DASK runner keeps the contract: with workers of their own processes, and within this process."""

from __future__ import annotations

from typing import Any

import pytest
from bioimageit_core.testing import RunnerServiceTests

LACKS = dict.fromkeys(("run_command", "time limit", "cancelling"), "commands are submitted, not waited for")


class TestDask(RunnerServiceTests):
    lacks = LACKS

    @pytest.fixture
    def service(self, make_service: Any, cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
        return make_service(address=cluster.address, shared_dir=str(tmp_path_factory.mktemp("shared")))


class TestLocalDask(RunnerServiceTests):
    lacks = LACKS

    @pytest.fixture
    def service(self, make_service: Any) -> Any:
        return make_service(workers=2)
