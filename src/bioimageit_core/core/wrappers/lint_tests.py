"""What is wrong in the tests of a wrapper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.cases import CannotRunError, ExpectedOutput, TestCase, find_test_file, read_cases
from bioimageit_core.core.wrappers.model import Definition
from bioimageit_core.core.wrappers.values import ParameterError, build_state
from bioimageit_core.core.wrappers.verify.assertions import KNOWN_ASSERTIONS, Assertion
from bioimageit_core.core.wrappers.verify.compare import COMPARISONS

__all__ = ["lint_tests"]


def lint_tests(definition: Definition) -> Iterator[tuple[str, str, str]]:
    """Give level, message and place of each finding."""
    if not definition.test_nodes:
        yield "warning", "it has no tests", definition.path
        return
    for case in read_cases(definition):
        if isinstance(case, TestCase):
            for level, message in _case(definition, case):
                yield level, f"test {case.number}: {message}", case.place
        else:
            yield ("warning" if isinstance(case[2], CannotRunError) else "error"), f"test {case[0]}: {case[2]}", case[1]


def _case(definition: Definition, case: TestCase) -> Iterator[tuple[str, str]]:
    if not case.expect_failure:
        try:
            build_state(definition, case.values, case.inputs, is_lenient=True)
        except ParameterError as error:
            for name, reason in error.problems.items():
                yield "error", f"{name!r}: {reason}"
    for name in case.unknown:
        yield "warning", f"{name!r} is not a parameter of this tool: it is ignored"
    said = (case.stdout, case.stderr, case.command, case.command_version)
    if not case.outputs and not case.expect_failure and not any(said) and case.expect_exit_code is None:
        yield "warning", "it expects nothing"
    names = {output.name for output in definition.outputs}
    for expected in case.outputs:
        if expected.name and expected.name not in names:
            yield "error", f"there is no output {expected.name!r}"
        yield from _expected(definition, expected)
    for assertions in said:
        yield from _assertions(assertions)


def _expected(definition: Definition, expected: ExpectedOutput) -> Iterator[tuple[str, str]]:
    name = expected.facts.get("file") or expected.facts.get("value")
    if name:
        try:
            find_test_file(definition, name)
        except ToolsServiceError as error:
            yield "error", f"output {expected.name!r}: {error}"
    mode = expected.facts.get("compare", "diff")
    if mode not in COMPARISONS:
        yield "error", f"output {expected.name!r}: compare={mode!r} is not known"
    yield from _assertions(expected.assertions)
    for inner in (*expected.elements, *expected.discovered):
        yield from _expected(definition, inner)


def _assertions(assertions: Sequence[Assertion]) -> Iterator[tuple[str, str]]:
    for assertion in assertions:
        if assertion.name not in KNOWN_ASSERTIONS:
            yield "error", f"assertion {assertion.name!r} is not known"
        yield from _assertions(assertion.inner)
