"""What is said of wrappers: by looking through them, and by running their tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.cli.output import show_json, show_text
from bioimageit_core.cli.status import Status

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.jobs.tool_tests import ToolTestResult

__all__ = ["lint_wrappers", "run_tests"]

_SHOWN_LINES = 8


def lint_wrappers(paths: Sequence[str], as_json: bool) -> bool:
    """Show what is wrong, or could be better, in wrappers; say whether there is no error.

    Raises
    ------
    ToolsServiceError
        A path is not there.
    """
    from bioimageit_core.core.wrappers import lint_tool
    from bioimageit_core.jobs.tool_tests import find_wrappers

    found = {path: lint_tool(path) for path in find_wrappers(paths)}
    if as_json:
        show_json(
            {
                "wrappers": [
                    {"path": path, "messages": [dataclasses.asdict(each) for each in messages]}
                    for path, messages in found.items()
                ]
            }
        )
    else:
        for messages in found.values():
            for each in messages:
                show_text(str(each))
        show_text(f"{len(found)} wrappers, {sum(map(len, found.values()))} messages")
    return not any(each.level == "error" for messages in found.values() for each in messages)


def run_tests(request: Request, paths: Sequence[str], as_json: bool, **options: Any) -> Status:
    """Run the tests of wrappers, show each result as it comes, and return the exit status.

    Raises
    ------
    ToolsServiceError
        A path or the environment is not there.
    """
    report = request.test_tools(paths, on_result=None if as_json else _show_result, **options)
    counts = {status: report.count(status) for status in ("pass", "fail", "error", "skip")}
    if as_json:
        show_json(report.as_dict())
    else:
        show_text(f"\n{', '.join(f'{number} {status}' for status, number in counts.items() if number) or 'no tests'}")
    if report.is_ok:
        return Status.DONE
    return Status.PARTIAL if counts["pass"] else Status.FAILED


def _show_result(result: ToolTestResult) -> None:
    what = f"{result.tool} {result.number}" if result.number else result.tool
    reason = f": {result.reason}" if result.reason else f"  ({result.seconds:.1f} s)"
    note = f"  [{result.note}]" if result.note else ""
    show_text(f"{result.status:5} {what}{reason}{note}")
    if result.status in ("fail", "error"):
        for line in result.stderr.strip().splitlines()[-_SHOWN_LINES:]:
            show_text(f"      {line}")
