"""What the plugin engine makes the service with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_omero.service import OmeroMetadataService

__all__ = ["OmeroMetadataServiceBuilder"]


class OmeroMetadataServiceBuilder:
    """Make the service, the same each time; see `bioimageit_omero.settings.Settings` for the configuration."""

    def __init__(self) -> None:
        self._instance: OmeroMetadataService | None = None

    def __call__(self, **config: Any) -> OmeroMetadataService:  # noqa: D102
        if self._instance is None:
            from bioimageit_omero.service import OmeroMetadataService
            from bioimageit_omero.settings import Settings

            self._instance = OmeroMetadataService(Settings.from_config(config))
        return self._instance
