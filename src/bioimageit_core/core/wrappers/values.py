"""From the values that a user gives to the state of a tool: typed, complete, checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.convert import BadValueError, convert
from bioimageit_core.core.wrappers.model import Conditional, Definition, Member, Param, Repeat, Section, walk_params
from bioimageit_core.core.wrappers.validators import check_data, check_value

__all__ = ["CURRENT_CASE", "Collection", "ParameterError", "State", "build_state", "flatten"]

CURRENT_CASE = "__current_case__"
_MAX_REPEATS = 10_000


class ParameterError(ToolsServiceError, ValueError):
    """Values that a tool does not take; all of them at once.

    Attributes
    ----------
    tool
        Name of the tool.
    problems
        Name of each parameter, and what is wrong with its value.
    """

    def __init__(self, tool: str, problems: Mapping[str, str]) -> None:
        super().__init__(tool, dict(problems))
        self.tool = tool
        self.problems = dict(problems)

    def __str__(self) -> str:
        said = "; ".join(f"{name!r}: {reason}" for name, reason in self.problems.items())
        return f"tool {self.tool!r} does not take these values: {said}"


@dataclass(frozen=True)
class Collection:
    """Files that are given together to a ``data_collection`` input.

    Attributes
    ----------
    type
        ``list``, ``paired``, ``list:paired``, ...
    elements
        Identifier of each element, with its file or the collection that it is.
    """

    type: str
    elements: Mapping[str, InputFile | Collection]
    name: str = ""

    def files(self) -> list[InputFile]:
        """Give all files, depth first."""
        found: list[InputFile] = []
        for element in self.elements.values():
            found.extend(element.files() if isinstance(element, Collection) else [element])
        return found


@dataclass
class State:
    """The values of a tool's parameters.

    Attributes
    ----------
    tree
        By name: a typed value, a dict for a conditional or section (with `CURRENT_CASE` for a conditional), a list
        of dicts for a repeat, `InputFile`, a list of them, a `Collection` or None for an input.
    flat
        The parameters without the inputs, by flat name (``cond|x``, ``rep_0|y``).
    """

    tree: dict[str, Any] = field(default_factory=dict)
    flat: dict[str, Any] = field(default_factory=dict)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give nested values flat names.

    Examples
    --------
    >>> flatten({"cond": {"sel": "a"}, "rep": [{"y": 1}, {"y": 2}], "z|w": 3})
    {'cond|sel': 'a', 'rep_0|y': 1, 'rep_1|y': 2, 'z|w': 3}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if key == CURRENT_CASE:
            continue
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}|"))
        elif isinstance(value, (list, tuple)) and value and all(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                flat.update(flatten(item, f"{name}_{index}|"))
        else:
            flat[name] = value
    return flat


def build_state(
    definition: Definition,
    values: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    is_lenient: bool = False,
    needs_inputs: bool = True,
) -> State:
    """Type, complete and check the values of a tool.

    Parameters
    ----------
    is_lenient
        Ignore values of parameters that the chosen cases of the conditionals do not have, as tests of older profiles
        have them.
    needs_inputs
        Whether an input that is not optional must have a file.

    Raises
    ------
    ParameterError
        With every problem.
    """
    builder = _Builder(definition, flatten(values), dict(inputs), is_lenient, needs_inputs)
    builder.walk(definition.members, "", builder.state.tree)
    builder.refuse_unknown()
    if builder.problems:
        raise ParameterError(definition.name or definition.id, builder.problems)
    return builder.state


class _Builder:
    """Walks a tool's parameters with the values that were given."""

    def __init__(
        self,
        definition: Definition,
        values: dict[str, Any],
        inputs: dict[str, Any],
        is_lenient: bool,
        needs_inputs: bool,
    ) -> None:
        self.definition = definition
        self.values = values
        self.inputs = inputs
        self.is_lenient = is_lenient
        self.needs_inputs = needs_inputs
        self.state = State()
        self.problems: dict[str, str] = {}
        self.used: set[str] = set()
        self.known = dict(walk_params(definition.members))
        counts: dict[str, int] = {}
        for name in self.known:
            bare = name.rpartition("|")[2]
            counts[bare] = counts.get(bare, 0) + 1
        self.bare = counts

    def walk(self, members: Sequence[Member], prefix: str, into: dict[str, Any]) -> None:
        for member in members:
            name = f"{prefix}{member.name}"
            if isinstance(member, Param):
                into[member.name] = self.param(member, name)
            elif isinstance(member, Conditional):
                into[member.name] = self.conditional(member, name)
            elif isinstance(member, Section):
                inner: dict[str, Any] = {}
                self.walk(member.members, f"{name}|", inner)
                into[member.name] = inner
            else:
                into[member.name] = self.repeat(member, name)

    def conditional(self, member: Conditional, name: str) -> dict[str, Any]:
        inner: dict[str, Any] = {}
        value = self.param(member.test, f"{name}|{member.test.name}")
        inner[member.test.name] = value
        for index, case in enumerate(member.cases):
            if case.value in _case_names(member.test, value):
                inner[CURRENT_CASE] = index
                self.walk(case.members, f"{name}|", inner)
                break
        return inner

    def repeat(self, member: Repeat, name: str) -> list[dict[str, Any]]:
        count = self._repeat_count(member, name)
        if name in self.problems:
            return []
        if member.maximum is not None and count > member.maximum:
            self.problems[name] = f"is given {count} times, at most {member.maximum} are possible"
        elif count < member.minimum:
            self.problems[name] = f"is given {count} times, at least {member.minimum} are needed"
        items = []
        for index in range(count):
            inner: dict[str, Any] = {}
            self.walk(member.members, f"{name}_{index}|", inner)
            items.append(inner)
        return items

    def _repeat_count(self, member: Repeat, name: str) -> int:
        given = self.values.get(name)
        if isinstance(given, (list, tuple)) and not given:
            self.used.add(name)
            return member.minimum
        highest = -1
        start = f"{name}_"
        for key in [*self.values, *self.inputs]:
            number = key[len(start) :].partition("|")[0] if key.startswith(start) else ""
            if number.isdigit() and "|" in key[len(start) :]:
                highest = max(highest, int(number[:9]))
        if highest >= _MAX_REPEATS:
            self.problems[name] = f"is given more than {_MAX_REPEATS} times"
            return 0
        return max(highest + 1, member.minimum if highest >= 0 else member.default)

    def param(self, param: Param, name: str) -> Any:
        if param.is_data:
            return self.data(param, name)
        is_given, raw = self._take(param, name, self.values)
        try:
            if param.unsupported and is_given:
                raise BadValueError(f"cannot be set: {param.unsupported}")
            if param.unsupported and not param.optional:
                raise BadValueError(f"is needed, but {param.unsupported}")
            value = None if param.unsupported else convert(param, raw, is_given, self.definition.profile)
            check_value(param, value)
        except BadValueError as error:
            self.problems[name] = str(error)
            return None
        self.state.flat[name] = value
        return value

    def data(self, param: Param, name: str) -> Any:
        is_given, raw = self._take(param, name, self.inputs)
        if not is_given and self._take(param, name, self.values)[1] not in (None, ""):
            self.problems[name] = "is an input: it takes files, not a value"
            return None
        files = _files(raw)
        if not files and not isinstance(raw, Collection):
            if self.needs_inputs and not param.optional:
                self.problems[name] = "is an input that needs a file"
            return [] if param.takes_many and param.type == "data" else None
        if param.type == "data_collection":
            value: Any = raw if isinstance(raw, Collection) else _as_collection(param, files)
        elif param.multiple:
            value = files
        elif len(files) > 1:
            self.problems[name] = f"takes one file, not {len(files)}"
            return None
        else:
            value = files[0]
        try:
            check_data(param, files)
            if isinstance(value, Collection):
                _check_collection(param, value)
        except BadValueError as error:
            self.problems[name] = str(error)
        return value

    def _take(self, param: Param, name: str, given: dict[str, Any]) -> tuple[bool, Any]:
        for key in (name, name.replace(param.name, param.argument) if param.argument else name):
            if key in given:
                self.used.add(key)
                return True, given[key]
        bare = param.name
        if bare != name and bare in given and bare not in self.known and self._stands_for(bare):
            self.used.add(bare)
            return True, given[bare]
        return False, None

    def _stands_for(self, bare: str) -> bool:
        """Say whether a bare name can stand for a nested one."""
        return self.is_lenient or self.bare[bare] == 1

    def refuse_unknown(self) -> None:
        for key in [*self.values, *self.inputs]:
            if key in self.used or key in self.problems:
                continue
            general = _without_indices(key)
            is_nested = key in self.known or general in {_without_indices(name) for name in self.known}
            if is_nested or self.bare.get(key):
                if not self.is_lenient and key not in self.inputs:
                    self.problems[key] = "is not used with the other values given"
                continue
            names = list(self.known)
            words = dict.fromkeys([*names, *(name.rpartition("|")[2] for name in names)])
            close = difflib.get_close_matches(key, list(words), 2)
            hint = (
                f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {', '.join(names) or 'none'}"
            )
            self.problems[key] = f"is not a parameter of this tool; {hint}"


def _without_indices(name: str) -> str:
    import re

    return re.sub(r"_\d+\|", "_0|", name)


def _case_names(param: Param, value: Any) -> tuple[str, ...]:
    if param.type == "boolean":
        return (param.true_value, "true", "True") if value else (param.false_value, "false", "False")
    return ("" if value is None else str(value),)


def _files(raw: Any) -> list[InputFile]:
    if raw is None:
        return []
    if isinstance(raw, InputFile):
        return [raw]
    if isinstance(raw, Collection):
        return raw.files()
    return [item for item in raw if item is not None]


def _as_collection(param: Param, files: list[InputFile]) -> Collection:
    kind = param.collection_types[0] if param.collection_types else "list"
    if kind == "paired" and len(files) == 2:
        return Collection("paired", {"forward": files[0], "reverse": files[1]})
    elements: dict[str, InputFile | Collection] = {}
    for file in files:
        name, number = file.name, 2
        while name in elements:
            name, number = f"{file.name}_{number}", number + 1
        elements[name] = file
    return Collection("list", elements)


def _check_collection(param: Param, value: Collection) -> None:
    if param.collection_types and value.type not in param.collection_types:
        wanted = " or ".join(param.collection_types)
        raise BadValueError(f"takes a collection of type {wanted}, not {value.type}")
