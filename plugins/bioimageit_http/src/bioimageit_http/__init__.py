"""The HTTP data service: experiments that a server keeps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_http.service import HttpMetadataService

__all__ = ["HttpMetadataServiceBuilder", "plugin_info"]
__version__ = "0.1.0"

plugin_info = {"name": "HTTP", "type": "data", "builder": "HttpMetadataServiceBuilder"}


class HttpMetadataServiceBuilder:
    """Make the HTTP service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: HttpMetadataService | None = None
        self._lock = threading.Lock()

    def __call__(
        self, *, url: str = "", token: str = "", timeout: float = 60.0, **_ignored: Any
    ) -> HttpMetadataService:
        """Return the service; the server is not asked before it is used.

        Parameters
        ----------
        url
            Where the server is.
        token
            Who asks; by default what the variable ``BIOIMAGEIT_HTTP_TOKEN`` holds.
        timeout
            Seconds that an answer may take.
        """
        with self._lock:
            if self._instance is None:
                from bioimageit_http.service import connect

                self._instance = connect(url, token, timeout)
            return self._instance
