"""The data services by name; module and object are part of the published contract."""

from bioimageit_core.plugins.registry import ServiceRegistry

__all__ = ["metadataServices"]

metadataServices = ServiceRegistry(  # noqa: N816 - the published name
    "data",
    {
        "LOCAL": "bioimageit_core.plugins.data_local:LocalMetadataServiceBuilder",
        "FSSPEC": "bioimageit_core.plugins.data_fsspec:FsspecMetadataServiceBuilder",
    },
)
