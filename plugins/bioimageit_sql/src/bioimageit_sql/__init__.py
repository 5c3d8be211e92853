"""The SQL data service: experiments in a database, and their files stored once by content."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_sql.service import SqlMetadataService

__all__ = ["SqlMetadataServiceBuilder", "plugin_info"]
__version__ = "0.1.0"

plugin_info = {"name": "SQL", "type": "data", "builder": "SqlMetadataServiceBuilder"}


class SqlMetadataServiceBuilder:
    """Make the SQL service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: SqlMetadataService | None = None
        self._lock = threading.Lock()

    def __call__(self, *, url: str = "", files: str = "", **options: Any) -> SqlMetadataService:
        """Return the service; nothing is opened before it is used.

        Parameters
        ----------
        url
            Of the database, as SQLAlchemy writes it: ``sqlite:///lab.db``, ``postgresql+psycopg://ada@host/lab``.
        files
            Directory, or URL of fsspec, that the files are stored in. Left out with SQLite: beside the database.
        options
            See `bioimageit_sql.service.connect`.
        """
        with self._lock:
            if self._instance is None:
                from bioimageit_sql.service import connect

                self._instance = connect(url, files, **options)
            return self._instance
