"""A data plugin that keeps all metadata of a workspace in one JSON file, ``book.json``, and the files beside it."""

from typing import Any

plugin_info = {"name": "ONEFILE", "type": "data", "builder": "OneFileServiceBuilder"}


class OneFileServiceBuilder:
    """Make the service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: Any = None

    def __call__(self, **_ignored: Any) -> Any:
        if not self._instance:
            from bioimageit_onefile.service import OneFileService

            self._instance = OneFileService()
        return self._instance
