"""The BATCH runner: commands of tools as batch jobs of Slurm, PBS or LSF."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_batch.service import BatchRunnerService

__all__ = ["BatchRunnerServiceBuilder", "plugin_info"]
__version__ = "0.1.0"

plugin_info = {"name": "BATCH", "type": "runner", "builder": "BatchRunnerServiceBuilder"}


class BatchRunnerServiceBuilder:
    """Make the BATCH service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: BatchRunnerService | None = None
        self._lock = threading.Lock()

    def __call__(self, **options: Any) -> BatchRunnerService:
        """Return the service; nothing is submitted or looked for before it is used.

        Parameters
        ----------
        options
            See `bioimageit_batch.service.BatchRunnerService`.
        """
        with self._lock:
            if self._instance is None:
                from bioimageit_batch.service import BatchRunnerService

                self._instance = BatchRunnerService(**options)
            return self._instance
