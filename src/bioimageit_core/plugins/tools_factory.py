"""The tools services by name; module and object are part of the published contract."""

from bioimageit_core.plugins.registry import ServiceRegistry

__all__ = ["toolsServices"]

toolsServices = ServiceRegistry(  # noqa: N816 - the published name
    "tools",
    {
        "LOCAL": "bioimageit_core.plugins.tools_local:LocalToolsServiceBuilder",
    },
)
