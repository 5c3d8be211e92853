"""Conformance kits for authors of plugins; they need the extra ``testing``.

A plugin is checked by a file of ten lines: subclass a kit, and give it the fixtures that it asks for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioimageit_core.testing.data import DataServiceTests
    from bioimageit_core.testing.data_fixtures import FaultCounter
    from bioimageit_core.testing.memory import MemoryMetadataService, MemoryStore
    from bioimageit_core.testing.runners import RunnerServiceTests
    from bioimageit_core.testing.tools import ToolsServiceTests
    from bioimageit_core.testing.verdicts import AbilityVerdict, verdict

_HOMES = {
    "AbilityVerdict": "verdicts",
    "DataServiceTests": "data",
    "FaultCounter": "data_fixtures",
    "MemoryMetadataService": "memory",
    "MemoryStore": "memory",
    "RunnerServiceTests": "runners",
    "ToolsServiceTests": "tools",
    "verdict": "verdicts",
}
__all__ = [
    "AbilityVerdict",
    "DataServiceTests",
    "FaultCounter",
    "MemoryMetadataService",
    "MemoryStore",
    "RunnerServiceTests",
    "ToolsServiceTests",
    "verdict",
]


def __getattr__(name: str) -> Any:
    # resolved on first use: this package is imported by every run of pytest, for its fixtures
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
