"""The LOCAL data service: experiments in folders of this machine."""

from __future__ import annotations

from typing import Any

from bioimageit_core.core import paths
from bioimageit_core.plugins.store.local_files import LocalFiles
from bioimageit_core.plugins.store.lookout import Lookout
from bioimageit_core.plugins.store.querying import IndexedQueries
from bioimageit_core.plugins.store.service import Store

__all__ = ["LocalMetadataService", "LocalMetadataServiceBuilder", "plugin_info"]

plugin_info = {"name": "LOCAL", "type": "data", "builder": "LocalMetadataServiceBuilder"}


class LocalMetadataServiceBuilder:
    """Make the LOCAL service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: LocalMetadataService | None = None

    def __call__(
        self,
        *,
        import_mode: str = "copy",
        trusted_dirs: Any = (),
        durable: bool = True,
        lookout: bool = True,
        **_ignored: Any,
    ) -> LocalMetadataService:
        """Return the service.

        Parameters
        ----------
        import_mode
            What importing does with a file when it is not told: ``copy``, ``link`` or ``reference``.
        trusted_dirs
            Directories that documents may point into although they lie outside their experiment.
        durable
            Wait until what is written is on the disk.
        lookout
            Let a process listen, between commands, to what is changed in datasets of ten thousand images and more.
        """
        if not self._instance:
            self._instance = LocalMetadataService(
                import_mode=import_mode, trusted_dirs=trusted_dirs, durable=durable, lookout=lookout
            )
        return self._instance


class LocalMetadataService(IndexedQueries, Store):
    """Experiments in folders of this machine, as JSON documents that other software reads too."""

    def __init__(
        self, *, import_mode: str = "copy", trusted_dirs: Any = (), durable: bool = True, lookout: bool = False
    ) -> None:
        files = LocalFiles(durable)
        super().__init__(files, import_mode=import_mode, trusted_dirs=trusted_dirs, lookout=Lookout(lookout))

    @staticmethod
    def relative_path(file: str, reference_file: str) -> str:
        """Say where `file` is, seen from `reference_file`.

        Examples
        --------
        >>> LocalMetadataService.relative_path("a/data/x.tif", "a/data/x.md.json")
        'x.tif'
        """
        return paths.relative_path(file, reference_file)

    @staticmethod
    def absolute_path(file: str, reference_file: str) -> str:
        """Resolve `file` as it stands in `reference_file`.

        Examples
        --------
        >>> LocalMetadataService.absolute_path("x.tif", "a/data/x.md.json")
        'a/data/x.tif'
        """
        return paths.absolute_path(file, reference_file)

    @staticmethod
    def simplify_path(path: str) -> str:
        """Return `path` without ``.`` and ``..`` in its middle."""
        return paths.simplify_path(path)
