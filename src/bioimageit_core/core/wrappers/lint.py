"""What is wrong, or could be better, in a wrapper."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.core.wrappers.datatypes import KNOWN_DATATYPES
from bioimageit_core.core.wrappers.galaxy_call import prepare_galaxy_call
from bioimageit_core.core.wrappers.lint_tests import lint_tests
from bioimageit_core.core.wrappers.model import Conditional, Definition, Member, Param, Section, walk_params
from bioimageit_core.core.wrappers.plain_call import prepare_plain_call
from bioimageit_core.core.wrappers.reader import read_definition
from bioimageit_core.core.wrappers.validators import KNOWN_VALIDATORS, REFUSED_VALIDATORS
from bioimageit_core.core.wrappers.values import Collection, build_state

__all__ = ["LintMessage", "lint_tool"]


@dataclass(frozen=True)
class LintMessage:
    """One finding.

    Attributes
    ----------
    level
        ``'error'``: it cannot work here; ``'warning'``: it may go wrong; ``'info'``: it could be better.
    place
        File and line.
    """

    level: str
    message: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}: {self.level}: {self.message}"


def lint_tool(path: str | os.PathLike[str]) -> list[LintMessage]:
    """Look through a wrapper; nothing is executed and nothing raised.

    Returns
    -------
    list of LintMessage
        Errors first; empty where there is nothing to say.
    """
    file = os.path.abspath(os.fspath(path))
    try:
        definition = read_definition(file)
    except ToolsServiceError as error:
        return [LintMessage("error", str(error).removeprefix(f"{file}: "), file)]
    found = [*_head(definition), *_params(definition), *_groups(definition.members), *_outputs(definition)]
    found += [*_command(definition)]
    found += [LintMessage(level, message, place) for level, message, place in lint_tests(definition)]
    order = ("error", "warning", "info")
    return sorted(dict.fromkeys(found), key=lambda item: order.index(item.level))


def _head(definition: Definition) -> Iterator[LintMessage]:
    place = definition.path
    for reason in definition.unsupported:
        yield LintMessage("error", f"it cannot be executed here: {reason}", place)
    if re.search(r"\s", definition.id):
        yield LintMessage("error", f"its id {definition.id!r} has white space", place)
    if not definition.version or "@" in definition.version:
        yield LintMessage("warning", f"its version is {definition.version!r}", place)
    if not definition.description:
        yield LintMessage("info", "it has no description", place)
    if not definition.help:
        yield LintMessage("warning", "it has no help", place)
    if not definition.outputs:
        yield LintMessage("warning", "it has no outputs", place)
    packages = [item for item in definition.requirements if item["origin"] == "package"]
    if not definition.requirements:
        yield LintMessage("warning", "it says nothing of what it requires", place)
    for item in packages if definition.dialect == "galaxy" else ():
        if not item["version"] and item["name"] != "python":
            yield LintMessage("warning", f"requirement {item['name']!r} has no version: runs cannot be repeated", place)
        if "@" in item["version"] or "@" in item["name"]:
            yield LintMessage("error", f"requirement {item['name']} {item['version']}: a token is not defined", place)


def _params(definition: Definition) -> Iterator[LintMessage]:
    for name, param in walk_params(definition.members):
        if param.unsupported:
            level = "warning" if param.optional else "error"
            yield LintMessage(level, f"param {name!r} cannot be set here: {param.unsupported}", param.place)
        if not param.label and not param.argument and param.type != "hidden":
            yield LintMessage("info", f"param {name!r} has no label", param.place)
        if param.type == "select" and not (param.options or param.unsupported or param.is_open):
            yield LintMessage("error", f"param {name!r} has no choices", param.place)
        values = [option.value for option in param.options]
        if len(set(values)) != len(values):
            yield LintMessage("error", f"param {name!r} has the same choice twice", param.place)
        if param.is_data:
            yield from _data_param(name, param)
        yield from _barriers(name, param)


def _data_param(name: str, param: Param) -> Iterator[LintMessage]:
    if not param.formats and param.type == "data":
        yield LintMessage("warning", f"input {name!r} does not say which formats it takes", param.place)
    for kind in param.formats:
        if kind.lower() not in KNOWN_DATATYPES:
            yield LintMessage("info", f"input {name!r} takes {kind!r}, a datatype that is not known here", param.place)


def _barriers(name: str, param: Param) -> Iterator[LintMessage]:
    sanitizer = param.sanitizer
    if sanitizer is not None and param.type == "text":
        if not sanitizer.is_active:
            yield LintMessage("warning", f"param {name!r} reaches the shell as it is: sanitize='false'", param.place)
        elif "'" in sanitizer.valid:
            yield LintMessage("warning", f"the sanitizer of {name!r} lets quotes pass to the shell", param.place)
    for validator in param.validators:
        if validator.type in REFUSED_VALIDATORS:
            message = f"validator {validator.type!r} of {name!r} needs a Galaxy server, and is not run"
            yield LintMessage("warning", message, param.place)
        elif validator.type not in KNOWN_VALIDATORS:
            yield LintMessage("error", f"validator {validator.type!r} of {name!r} is not known", param.place)


def _groups(members: tuple[Member, ...]) -> Iterator[LintMessage]:
    for member in members:
        if isinstance(member, Param):
            continue
        if isinstance(member, Conditional):
            yield from _conditional(member)
            for case in member.cases:
                yield from _groups(case.members)
        else:
            yield from _groups(member.members)
            if isinstance(member, Section) and not member.members:
                yield LintMessage("info", f"section {member.name!r} is empty", "")


def _conditional(member: Conditional) -> Iterator[LintMessage]:
    cases = {case.value for case in member.cases}
    if member.test.type == "select" and not (member.test.unsupported or member.test.is_open):
        values = {option.value for option in member.test.options}
        for value in sorted(cases - values):
            message = f"conditional {member.name!r}: <when value={value!r}> is no choice of {member.test.name!r}"
            yield LintMessage("error", message, member.place)
        for value in sorted(values - cases):
            yield LintMessage("warning", f"conditional {member.name!r} has no <when> for {value!r}", member.place)
    if member.test.optional:
        message = f"conditional {member.name!r} depends on {member.test.name!r}, which is optional"
        yield LintMessage("warning", message, member.place)


def _outputs(definition: Definition) -> Iterator[LintMessage]:
    place = definition.path
    names = {part for name, _ in walk_params(definition.members) for part in (name, name.rpartition("|")[2])}
    for output in definition.outputs:
        if output.unsupported:
            yield LintMessage("error", f"output {output.name!r}: {output.unsupported}", place)
        if output.format.lower() not in KNOWN_DATATYPES and not output.format_source:
            message = f"output {output.name!r} is of {output.format!r}, a datatype that is not known here"
            yield LintMessage("info", message, place)
        source = re.sub(r"\[\d+\]", "_0", output.format_source).replace(".", "|")
        if source and source not in names and source.rpartition("|")[2] not in names:
            message = f"output {output.name!r} takes its format from {output.format_source!r}, which is no input"
            yield LintMessage("error", message, place)
        for action in output.actions:
            if action.unsupported:
                message = f"an action of output {output.name!r} has no effect here: {action.unsupported}"
                yield LintMessage("info", message, place)
        for text in output.filters:
            try:
                compile(text, "<filter>", "eval")
            except SyntaxError as error:
                yield LintMessage("error", f"filter {text!r} of output {output.name!r}: {error.msg}", place)


def _command(definition: Definition) -> Iterator[LintMessage]:
    """Make the command with the defaults and made-up inputs, and look for values that stand unquoted."""
    place = definition.command_place
    if definition.unsupported:
        return
    if definition.dialect == "galaxy":
        yield from _unquoted(definition)
    inputs = {name: _made_up(param) for name, param in walk_params(definition.members) if param.is_data}
    given = {name: value for name, value in inputs.items() if value is not None}
    try:
        state = build_state(definition, {}, given, is_lenient=True, needs_inputs=False)
    except ToolsServiceError:
        return  # some values must be given: nothing can be said of the command without them
    try:
        if definition.dialect == "plain":
            prepare_plain_call(definition, state, {}, "/job")
        else:
            prepare_galaxy_call(definition, state, {}, "/job")
    except ToolsServiceError as error:
        yield LintMessage("warning", f"with default values and made-up inputs: {error}", place)


def _made_up(param: Param) -> InputFile | list[InputFile] | Collection | None:
    kind = param.formats[0] if param.formats else "data"
    file = InputFile("/data/a", "a", kind)
    if param.type == "data_collection":
        if param.collection_types and param.collection_types[0] not in ("list", "paired"):
            return None
        if param.collection_types == ("paired",):
            return Collection("paired", {"forward": file, "reverse": file})
        return [file]
    return [file] if param.multiple else file


def _unquoted(definition: Definition) -> Iterator[LintMessage]:
    text = re.sub(r"^\s*#.*$", "", definition.command, flags=re.MULTILINE)
    for name, param in walk_params(definition.members):
        if param.type not in ("text", "data") or param.multiple:
            continue
        dotted = re.escape(name.replace("|", "."))
        if re.search(rf"(?:^|\s)\$\{{?{dotted}\}}?(?:\s|$)", text):
            message = f"the command has {param.type} {name!r} without quotes: write '${name.replace('|', '.')}'"
            yield LintMessage("warning", message, definition.command_place)
