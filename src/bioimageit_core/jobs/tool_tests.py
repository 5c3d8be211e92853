"""Run the tests that wrappers bring, and verify what the tools wrote."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from bioimageit_core.core.exceptions import BioImageITError, ToolsServiceError
from bioimageit_core.core.wrappers.cases import CannotRunError, TestCase, read_cases
from bioimageit_core.core.wrappers.containers import tool_of
from bioimageit_core.core.wrappers.model import Definition
from bioimageit_core.core.wrappers.reader import read_definition
from bioimageit_core.jobs.tool_test_run import Execution, execution_for, run_case

__all__ = ["ToolTestReport", "ToolTestResult", "find_wrappers", "run_tool_tests"]

_SKIPPED = frozenset({"test-data", "tool-data", "static", "__pycache__"})


@dataclass(frozen=True)
class ToolTestResult:
    """What became of one test.

    Attributes
    ----------
    status
        ``'pass'``; ``'fail'``: an output or the exit status is not as expected; ``'error'``: it could not be run;
        ``'skip'``: it needs what there is not here.
    reason
        Why it did not pass; several reasons are joined by ``; ``.
    note
        What was not as the wrapper requires it, such as the releases of packages.
    """

    path: str
    tool: str
    number: int
    status: str
    reason: str = ""
    seconds: float = 0.0
    command: str = ""
    stdout: str = ""
    stderr: str = ""
    note: str = ""


@dataclass(frozen=True)
class ToolTestReport:
    """What became of all tests."""

    results: tuple[ToolTestResult, ...] = field(default_factory=tuple)

    def count(self, status: str) -> int:
        """Count the results of a status."""
        return Counter(result.status for result in self.results)[status]

    @property
    def is_ok(self) -> bool:
        """Whether no test failed or could not be run."""
        return not (self.count("fail") or self.count("error"))

    def as_dict(self) -> dict[str, Any]:
        """Give the report as what JSON can hold."""
        counts = {status: self.count(status) for status in ("pass", "fail", "error", "skip")}
        return {"counts": counts, "results": [asdict(result) for result in self.results]}


def find_wrappers(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Give the wrappers among files and in directories; files of macros and other XML are left out.

    Raises
    ------
    ToolsServiceError
        A path is not there.
    """
    from bioimageit_core.core.wrappers.document import parse_document

    found: list[str] = []
    for given in paths:
        path = os.path.abspath(os.fspath(given))
        if os.path.isfile(path):
            found.append(path)
            continue
        if not os.path.isdir(path):
            raise ToolsServiceError(f"{path}: there is no such file or directory")
        for top, inner, names in os.walk(path):
            inner[:] = sorted(name for name in inner if name not in _SKIPPED and not name.startswith("."))
            for name in sorted(names):
                candidate = os.path.join(top, name)
                if name.endswith(".xml") and (_root_tag(candidate, parse_document) in ("tool", "")):
                    found.append(candidate)
    return list(dict.fromkeys(found))


def _root_tag(path: str, parse: Callable[[str], Any]) -> str:
    """Give the root element's name; empty where the file cannot be read, so that its error is shown."""
    try:
        return str(parse(path).tag)
    except ToolsServiceError:
        return ""


def run_tool_tests(
    paths: Iterable[str | os.PathLike[str]],
    *,
    runner: Any = None,
    environment: str = "current",
    numbers: Sequence[int] = (),
    workers: int = 1,
    timeout: float = 600.0,
    keep_dir: str = "",
    on_result: Callable[[ToolTestResult], None] | None = None,
) -> ToolTestReport:
    """Run the ``<tests>`` of wrappers.

    Parameters
    ----------
    paths
        Wrappers, or directories that are searched for them.
    runner
        A runner service that makes each tool's environment (`RunnerService`); None to execute here.
    environment
        Where there is no runner: ``'current'`` for the environment of this process, or the directory of another
        Python environment whose programs come first.
    numbers
        Only the tests of these numbers, counted from 1; all where empty.
    workers
        How many tests to run at a time.
    timeout
        Seconds that one test may take, where it does not say so itself.
    keep_dir
        A directory that the tests' job directories are kept in; empty to remove them.
    on_result
        Is told of each result as it comes.

    Raises
    ------
    ToolsServiceError
        A path is not there, or the environment is not.
    """
    execution = execution_for(runner, environment, timeout, keep_dir)
    wrappers = find_wrappers(paths)
    results: list[ToolTestResult] = []
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        for result in pool.map(lambda task: task(), _tasks(wrappers, execution, numbers)):
            results.append(result)
            if on_result is not None:
                on_result(result)
    return ToolTestReport(tuple(results))


def _tasks(
    wrappers: Iterable[str], execution: Execution, numbers: Sequence[int]
) -> Iterator[Callable[[], ToolTestResult]]:
    for path in wrappers:
        try:
            definition = read_definition(path)
        except ToolsServiceError as error:
            yield _ready(ToolTestResult(path, os.path.basename(path), 0, "error", str(error)))
            continue
        if definition.unsupported:
            reason = "; ".join(definition.unsupported)
            yield _ready(ToolTestResult(path, definition.id, 0, "skip", f"cannot be executed here: {reason}"))
            continue
        if not definition.test_nodes:
            yield _ready(ToolTestResult(path, definition.id, 0, "skip", "it has no tests"))
        for case in read_cases(definition):
            number = case.number if isinstance(case, TestCase) else case[0]
            if numbers and number not in numbers:
                continue
            if isinstance(case, TestCase):
                yield _running(definition, case, execution)
            else:
                status = "skip" if isinstance(case[2], CannotRunError) else "error"
                yield _ready(ToolTestResult(path, definition.id, number, status, str(case[2])))


def _ready(result: ToolTestResult) -> Callable[[], ToolTestResult]:
    return lambda: result


def _running(definition: Definition, case: TestCase, execution: Execution) -> Callable[[], ToolTestResult]:
    def run() -> ToolTestResult:
        base = ToolTestResult(definition.path, definition.id, case.number, "error")
        try:
            outcome = run_case(definition, tool_of(definition), case, execution)
        except CannotRunError as error:
            return _with(base, "skip", str(error))
        except BioImageITError as error:
            return _with(base, "error", str(error))
        except Exception as error:  # noqa: BLE001  (of runners and of image readers; it is kept and shown)
            return _with(base, "error", f"{type(error).__name__}: {error}")
        return ToolTestResult(
            definition.path,
            definition.id,
            case.number,
            "fail" if outcome.problems else "pass",
            "; ".join(outcome.problems),
            outcome.seconds,
            outcome.command,
            outcome.stdout[-4000:],
            outcome.stderr[-4000:],
            outcome.note,
        )

    return run


def _with(base: ToolTestResult, status: str, reason: str) -> ToolTestResult:
    return ToolTestResult(base.path, base.tool, base.number, status, reason)
