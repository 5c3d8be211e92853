"""A scheduler and workers, each a process of its own, on this machine alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest


class Cluster:
    """Processes of ``dask scheduler`` and ``dask worker``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0")
        wait_until(self.file.exists, "the scheduler to start")
        wait_until(lambda: bool(self.file.read_text().strip()), "the scheduler to say its address")
        self.address: str = json.loads(self.file.read_text())["address"]

    def add_worker(self) -> subprocess.Popen[bytes]:
        directory = self.folder / "scratch"
        directory.mkdir(exist_ok=True)
        arguments = ["--nthreads", "1", "--no-nanny", "--local-directory", str(directory)]
        started = self._start("worker", *arguments, env={"TMPDIR": str(directory), "KIT_TOKEN": "kit-token"})
        self.workers.append(started)
        return started

    def kill(self, pid: int) -> None:
        """End a worker as the kernel does when memory is short."""
        (worker,) = [worker for worker in self.workers if worker.pid == pid]
        worker.kill()
        worker.wait()
        self.workers.remove(worker)

    def close(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.send_signal(signal.SIGTERM)
        for process in [*self.workers, self.scheduler]:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, what: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(self.file)]
        variables = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "30s", **(env or {})}
        with (self.folder / f"{what}.log").open("ab") as log:
            argv = [sys.executable, "-m", "dask", what, *common, *arguments]
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables)


def wait_until(is_so: Callable[[], Any], what: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    return wait_until


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler with two workers; a test that kills one starts another in its place."""
    with contextlib.closing(Cluster(tmp_path_factory.mktemp("dask"))) as running:
        for _ in range(2):
            running.add_worker()
        yield running


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Make services that are closed after the test."""
    from bioimageit_dask.service import DaskRunnerService

    made = []

    def make(**options: Any) -> DaskRunnerService:
        made.append(DaskRunnerService(**options))
        return made[-1]

    yield make
    for service in made:
        service.close()
