"""The FSSPEC data service: experiments on any filesystem that fsspec reaches."""

from __future__ import annotations

import os
from typing import Any

from bioimageit_core.plugins.store.cache import ContentCache, cache_bytes, default_cache_dir
from bioimageit_core.plugins.store.fsspec_files import FsspecFiles
from bioimageit_core.plugins.store.service import Store

__all__ = ["FsspecMetadataService", "FsspecMetadataServiceBuilder", "plugin_info"]

plugin_info = {"name": "FSSPEC", "type": "data", "builder": "FsspecMetadataServiceBuilder"}


class FsspecMetadataServiceBuilder:
    """Make the FSSPEC service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: FsspecMetadataService | None = None

    def __call__(
        self,
        *,
        storage_options: dict[str, Any] | None = None,
        import_mode: str = "copy",
        trusted_dirs: Any = (),
        cache_size: int | str = "10 GB",
        cache_dir: str = "",
        **_ignored: Any,
    ) -> FsspecMetadataService:
        """Return the service.

        Parameters
        ----------
        storage_options
            What fsspec gets to make the filesystem: ``{"key": ..., "secret": ..., "endpoint_url": ...}`` for S3, for
            example. What is left out comes from where the client looks (``AWS_ACCESS_KEY_ID``, ``~/.aws``, ...).
        import_mode
            What importing does with a file when it is not told: ``copy`` or ``reference``.
        trusted_dirs
            Directories that documents may point into although they lie outside their experiment.
        cache_size
            How much local copies may take, ``"10 GB"`` for example; 0 for none.
        cache_dir
            Where local copies are kept; the user's cache directory if empty.
        """
        if not self._instance:
            self._instance = FsspecMetadataService(
                storage_options,
                import_mode=import_mode,
                trusted_dirs=trusted_dirs,
                cache_size=cache_size,
                cache_dir=cache_dir,
            )
        return self._instance


class FsspecMetadataService(Store):
    """Experiments behind a URL (``s3://bucket/workspace``, ``memory://workspace``, ``sftp://host/workspace``, ...)."""

    def __init__(
        self,
        storage_options: dict[str, Any] | None = None,
        *,
        import_mode: str = "copy",
        trusted_dirs: Any = (),
        cache_size: int | str = "10 GB",
        cache_dir: str = "",
    ) -> None:
        cache = ContentCache(os.path.expanduser(cache_dir) or default_cache_dir(), cache_bytes(cache_size))
        super().__init__(FsspecFiles(storage_options, cache), import_mode=import_mode, trusted_dirs=trusted_dirs)

    def needs_cleanning(self) -> bool:
        """Say that copies for tools are to be removed after a run: the data are elsewhere."""
        return True
