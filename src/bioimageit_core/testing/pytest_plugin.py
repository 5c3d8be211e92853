"""What pytest learns from this package: the marker of the kits, and a verdict ability by ability."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["pytest_addoption", "pytest_configure", "pytest_runtest_makereport", "pytest_sessionfinish"]

_MODULES = (
    "data",
    "data_arrival",
    "data_concurrent",
    "data_experiments",
    "data_fixtures",
    "data_hostile",
    "data_import",
    "data_lineage",
    "data_machine",
    "data_queries",
    "reference",
    "runners",
    "tools",
)
_VERDICT = pytest.StashKey[list[dict[str, Any]]]()

pytest.register_assert_rewrite(*(f"bioimageit_core.testing.{name}" for name in _MODULES))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes a verdict."""
    group = parser.getgroup("bioimageit")
    group.addoption(
        "--bioimageit-verdict", metavar="FILE", default="", help="write the outcome of each ability as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the kits."""
    config.addinivalue_line("markers", "bioimageit_ability(name): which ability of a plugin a test is about")
    config.stash[_VERDICT] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the outcome of each test of an ability."""
    report = yield
    marker = item.get_closest_marker("bioimageit_ability")
    if marker is None or not (report.when == "call" or report.outcome != "passed"):
        return report
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    elif report.failed and call.excinfo is not None:
        reason = call.excinfo.exconly(tryshort=True)[:2000]
    else:
        reason = ""
    item.config.stash[_VERDICT].append(
        {
            "ability": marker.args[0],
            "node": item.nodeid,
            "test": item.name,
            "outcome": report.outcome,
            "reason": reason,
        }
    )
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the verdict."""
    path = session.config.getoption("--bioimageit-verdict")
    if path:
        Path(path).write_text(json.dumps(session.config.stash[_VERDICT]), encoding="utf-8")
