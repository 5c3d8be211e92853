"""A scheduler to talk to: one that runs already, or one within this process."""

from __future__ import annotations

import logging
import os
from typing import Any

from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.far_end import sign_of_sharing

from bioimageit_dask.worker import CommandsPlugin, sees

__all__ = ["check_sharing", "connect", "make_local"]

logger = logging.getLogger(__name__)


def make_local(workers: int) -> Any:
    """Make a scheduler with workers inside this process: nobody else can send it tasks, and nothing outlives it.

    Their tasks wait for processes of tools, so threads are as good as processes for them.
    """
    import dask
    from distributed import LocalCluster

    pages: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    with dask.config.set(pages):  # each has an HTTP server, whatever it is told: on this machine alone, without pages
        return LocalCluster(
            n_workers=max(1, workers or _cpus()),
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            worker_dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.ERROR,
            memory_limit=0,
        )


def connect(address: Any, seconds: float, tls: tuple[str, str, str]) -> Any:
    """Connect to a scheduler, and prepare its workers.

    Parameters
    ----------
    address
        Of a scheduler, or a local cluster.
    tls
        Paths of the authority's certificate, of the own certificate and of its key; empty for none.

    Raises
    ------
    RunnerExecError
        Nothing answers, or the workers lack what they need.
    """
    from distributed import Client, Security

    security = None
    if any(tls):
        authority, certificate, key = tls
        security = Security(
            tls_ca_file=authority, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
        )
    try:
        client = Client(address, timeout=seconds, set_as_default=False, security=security)
    except (OSError, ValueError, TypeError) as error:
        raise RunnerExecError(
            f"no Dask scheduler answers at {address!r} ({type(error).__name__}); start one (dask scheduler, and dask "
            f"worker {address} on each machine), correct runner.address, or leave it out for a local one"
        ) from error
    try:
        client.register_plugin(CommandsPlugin())
    except Exception as error:
        client.close()
        raise RunnerExecError(
            f"the Dask scheduler or its workers at {address!r} cannot execute commands: {error}; install "
            f"bioimageit-core and bioimageit-dask, in the versions used here, where they run"
        ) from error
    return client


def check_sharing(client: Any, directory: str) -> None:
    """Check that all workers see a directory of this machine.

    Raises
    ------
    RunnerExecError
        Some do not; the message names them.
    """
    with sign_of_sharing(directory) as path:
        seen = client.run(sees, path, on_error="return")
    blind = sorted(worker for worker, is_there in seen.items() if is_there is not True)
    if not seen:
        logger.warning("the Dask scheduler has no workers yet; commands wait for them")
    if blind:
        raise RunnerExecError(
            f"runner.shared_dir {directory!r} is not the same directory for all Dask workers: "
            f"{', '.join(blind[:5])}{' and others' if len(blind) > 5 else ''} cannot see it; give a directory of a "
            f"filesystem that this machine and all workers share"
        )


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
