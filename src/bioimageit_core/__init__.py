"""One Python API between a biologist's images and everything done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_core.api import APIAccess, Request
    from bioimageit_core.core.config import Config, ConfigAccess

__version__ = "0.1.0"
__all__ = ["APIAccess", "Config", "ConfigAccess", "Request", "__version__"]

_HOMES = {
    "APIAccess": "bioimageit_core.api",
    "Request": "bioimageit_core.api",
    "Config": "bioimageit_core.core.config",
    "ConfigAccess": "bioimageit_core.core.config",
}


def __getattr__(name: str) -> Any:
    # resolved on first use, so that importing the package costs nothing
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
