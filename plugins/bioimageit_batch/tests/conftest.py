"""A Slurm of the tests' own, and stand-ins for the programs of PBS and LSF."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"bioimageit_batch_tests_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Slurm of one node, which `sbatch` and the others talk to."""
    module = _load("slurm")
    if why := module.why_not():
        if os.environ.get("CI"):
            pytest.fail(f"the tests need Slurm: {why}")
        pytest.skip(f"slurm: needs Slurm: {why}")
    running = module.Slurm(tmp_path_factory.mktemp("slurm"))
    patch = pytest.MonkeyPatch()
    patch.setenv("SLURM_CONF", str(running.conf))
    try:
        running.start()
        yield running
    finally:
        running.stop()
        patch.undo()


@pytest.fixture
def make_service(tmp_path: Path) -> Callable[..., Any]:
    """Make services that ask often, so that tests are short."""
    from bioimageit_batch.service import BatchRunnerService

    def make(**options: Any) -> BatchRunnerService:
        return BatchRunnerService(**{"shared_dir": str(tmp_path), "poll": 0.3, "patience": 1.0, **options})

    return make


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    def wait_until(is_so: Callable[[], Any], what: str, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {seconds:g} s for {what}")
            time.sleep(0.05)

    return wait_until


@pytest.fixture(scope="session")
def await_all(until: Callable[..., None]) -> Callable[..., list[Any]]:
    def wait(service: Any, tickets: list[str], seconds: float = 90.0) -> list[Any]:
        found: dict[str, Any] = {}

        def is_over() -> bool:
            found.update(service.status(tickets))
            return all(status.state.is_final for status in found.values())

        until(is_over, "the commands to end", seconds)
        return [found[ticket].finished for ticket in tickets]

    return wait
