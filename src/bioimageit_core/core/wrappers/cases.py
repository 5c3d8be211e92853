"""The ``<tests>`` of a wrapper, read: what to call it with, and what to expect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.case_files import CannotRunError, data_of_test, find_test_file
from bioimageit_core.core.wrappers.document import attributes, children, where
from bioimageit_core.core.wrappers.model import Definition, Param, walk_params
from bioimageit_core.core.wrappers.read_inputs import is_true
from bioimageit_core.core.wrappers.verify.assertions import Assertion

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["CannotRunError", "ExpectedOutput", "TestCase", "find_test_file", "read_cases"]

_GROUPS = ("conditional", "section", "repeat")


@dataclass(frozen=True)
class ExpectedOutput:
    """What a test expects of an output, of an element of a collection, or of a discovered dataset."""

    name: str
    facts: Mapping[str, str] = field(default_factory=dict)
    assertions: tuple[Assertion, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    elements: tuple[ExpectedOutput, ...] = ()
    discovered: tuple[ExpectedOutput, ...] = ()
    extra_files: tuple[ExpectedOutput, ...] = ()
    is_collection: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether what it is compared with would have to be downloaded."""
        inner = (*self.elements, *self.discovered, *self.extra_files)
        return bool(self.facts.get("location")) or any(item.is_elsewhere for item in inner)


@dataclass(frozen=True)
class TestCase:
    """One test of a wrapper.

    Attributes
    ----------
    values, inputs
        By the names that the test uses, flat or bare.
    place
        File and line.
    unknown
        Names that are no parameter of the tool: as in Galaxy, they count for nothing.
    expect_test_failure
        Whether the test passes where what it expects is not so.
    """

    __test__ = False

    number: int
    place: str
    values: Mapping[str, Any]
    inputs: Mapping[str, Any]
    outputs: tuple[ExpectedOutput, ...]
    stdout: tuple[Assertion, ...] = ()
    stderr: tuple[Assertion, ...] = ()
    command: tuple[Assertion, ...] = ()
    command_version: tuple[Assertion, ...] = ()
    unknown: tuple[str, ...] = ()
    expect_failure: bool = False
    expect_test_failure: bool = False
    expect_exit_code: int | None = None
    expect_num_outputs: int | None = None
    seconds: float | None = None


def read_cases(definition: Definition) -> Iterator[TestCase | tuple[int, str, ToolsServiceError]]:
    """Give the tests of a wrapper; for one that cannot be run here, its number, place and why."""
    for number, node in enumerate(definition.test_nodes, start=1):
        place = where(node, definition.path)
        try:
            yield _Reader(definition).read(number, node, place)
        except ToolsServiceError as error:
            yield number, place, error
        except (ValueError, KeyError, OSError) as error:
            yield number, place, ToolsServiceError(f"{place}: the test cannot be read: {error}")


class _Reader:
    """Reads one test."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.values: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        self.params: dict[str, Param] = {}
        self.bare: dict[str, list[Param]] = {}
        self.turns: dict[str, int] = {}
        self.unknown: list[str] = []
        for name, param in walk_params(definition.members):
            self.params.setdefault(name, param)
            self.bare.setdefault(param.name, []).append(param)

    def read(self, number: int, node: _Element, place: str) -> TestCase:
        self._walk(node, "")
        exit_code, count = node.get("expect_exit_code"), node.get("expect_num_outputs")
        return TestCase(
            number=number,
            place=place,
            values=self.values,
            inputs=self.inputs,
            outputs=tuple(_expected(item) for item in children(node, "output", "output_collection")),
            stdout=_assertions(node.find("assert_stdout")),
            stderr=_assertions(node.find("assert_stderr")),
            command=_assertions(node.find("assert_command")),
            command_version=_assertions(node.find("assert_command_version")),
            unknown=tuple(self.unknown),
            expect_failure=is_true(node.get("expect_failure")),
            expect_test_failure=is_true(node.get("expect_test_failure")),
            expect_exit_code=int(exit_code) if exit_code else None,
            expect_num_outputs=int(count) if count else None,
            seconds=float(node.get("maxseconds", "") or 0) or None,
        )

    def _walk(self, node: _Element, prefix: str) -> None:
        turns: dict[str, int] = {}
        for item in children(node, "param", *_GROUPS):
            name = item.get("name", "")
            if item.tag == "param":
                for full in self._full_names(f"{prefix}{name}"):
                    self._param(item, full)
            elif item.tag == "repeat":
                turn = turns.get(name, 0)
                turns[name] = turn + 1
                before = len(self.values) + len(self.inputs)
                self._walk(item, f"{prefix}{name}_{turn}|")
                if len(self.values) + len(self.inputs) == before:
                    self._empty_turn(f"{prefix}{name}_{turn}|", f"{prefix}{name}_0|")
            else:
                self._walk(item, f"{prefix}{name}|")

    def _empty_turn(self, prefix: str, pattern: str) -> None:
        """Make a turn of a repeat that sets nothing count, by a value that is the default anyway."""
        for name, param in self.params.items():
            if name.startswith(pattern) and not param.is_data and param.default is not None:
                self.values[prefix + name[len(pattern) :]] = param.default
                return

    def _full_names(self, name: str) -> list[str]:
        """Give the flat names that a test's name stands for: any end of one does, and a name may come many times.

        Each time is another turn of the repeat that the parameter is in.
        """
        if _general(name) in self.params:
            return [name]
        found = [full for full in self.params if full.endswith(f"|{name}")]
        if not found or ("|" not in name and not any("_0|" in full for full in found)):
            return [name]
        turn = self.turns.get(name, 0)
        self.turns[name] = turn + 1
        return [full.replace("_0|", f"_{turn}|", 1) for full in found]

    def _lookup(self, name: str) -> Param | None:
        general = _general(name)
        if general in self.params:
            return self.params[general]
        found = self.bare.get(name.rpartition("|")[2])
        return found[0] if found else None

    def _param(self, item: _Element, name: str) -> None:
        param = self._lookup(name)
        if param is None:
            self.unknown.append(name)
        elif param.is_data:
            self.inputs[name] = data_of_test(self.definition, item, param)
        elif item.get("value_json") is not None:
            self.values[name] = json.loads(item.get("value_json", ""))
        elif param.type == "data_column" and item.get("value") is not None:
            self.values[name] = self._columns(item.get("value", ""))
        elif item.get("values") is not None:
            self.values[name] = item.get("values", "").split(",")
        elif param.type == "boolean" and item.get("value") is None:
            self.values[name] = item.get("checked", param.default)
        elif item.get("value") is not None:
            self.values[name] = item.get("value", "")

    def _columns(self, text: str) -> str:
        """Let a test name a column by its header."""
        headers: list[str] = []
        for value in self.inputs.values():
            first = value[0] if isinstance(value, list) and value else value
            if isinstance(first, InputFile) and first.metadata.get("column_names"):
                headers = first.metadata["column_names"].split(",")
        return ",".join(
            str(headers.index(part) + 1) if part in headers and not part.isdigit() else part for part in text.split(",")
        )


def _general(name: str) -> str:
    """Give the name that a parameter has in the first turn of the repeats it is in."""
    return re.sub(r"_\d+\|", "_0|", name)


def _expected(item: _Element) -> ExpectedOutput:
    return ExpectedOutput(
        name=item.get("name", "") or item.get("designation", ""),
        facts=attributes(item),
        assertions=_assertions(item.find("assert_contents")),
        metadata={entry.get("name", ""): entry.get("value", "") for entry in children(item, "metadata")},
        elements=tuple(_expected(entry) for entry in children(item, "element")),
        discovered=tuple(_expected(entry) for entry in children(item, "discovered_dataset")),
        extra_files=tuple(_expected(entry) for entry in children(item, "extra_files")),
        is_collection=item.tag == "output_collection",
    )


def _assertions(node: _Element | None) -> tuple[Assertion, ...]:
    found = []
    for item in children(node):
        facts = attributes(item)
        # the older form: <assert tag="has_text" .../>
        name = str(facts.pop("tag", "")) if item.tag == "assert" else str(item.tag)
        found.append(Assertion(name, facts, _assertions(item)))
    return tuple(found)
