"""The DASK runner: commands of tools on the workers of a Dask scheduler."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_dask.service import DaskRunnerService

__all__ = ["DaskRunnerServiceBuilder", "plugin_info"]
__version__ = "0.1.0"

plugin_info = {"name": "DASK", "type": "runner", "builder": "DaskRunnerServiceBuilder"}


class DaskRunnerServiceBuilder:
    """Make the DASK service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: DaskRunnerService | None = None
        self._lock = threading.Lock()

    def __call__(self, **options: Any) -> DaskRunnerService:
        """Return the service; nothing is connected to before it is used.

        Parameters
        ----------
        options
            See `bioimageit_dask.service.DaskRunnerService`.
        """
        with self._lock:
            if self._instance is None:
                from bioimageit_dask.service import DaskRunnerService

                self._instance = DaskRunnerService(**options)
            return self._instance
