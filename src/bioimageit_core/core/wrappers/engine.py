"""What others do with a wrapper: read it, check values, prepare a call, find its outputs, judge it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import Call, InputFile, OutputFile
from bioimageit_core.core.wrappers.collect import collect
from bioimageit_core.core.wrappers.containers import definition_of, tool_of
from bioimageit_core.core.wrappers.galaxy_call import prepare_galaxy_call
from bioimageit_core.core.wrappers.judging import judge_run
from bioimageit_core.core.wrappers.model import Definition, Member, Param
from bioimageit_core.core.wrappers.plain_call import prepare_plain_call
from bioimageit_core.core.wrappers.reader import read_definition
from bioimageit_core.core.wrappers.specs import OutputSpec, specs_of
from bioimageit_core.core.wrappers.values import Collection, State, build_state

__all__ = [
    "Inputs",
    "check_values",
    "collect_outputs",
    "judge",
    "output_specs",
    "prepare_call",
    "read_wrapper",
    "wrapper_directories",
    "wrapper_sources",
]

Inputs = Mapping[str, InputFile | Sequence[InputFile] | Collection]


def read_wrapper(path: str | os.PathLike[str]) -> Tool:
    """Read a wrapper.

    Raises
    ------
    ToolsServiceError
        It cannot be read; the message names file and line.
    """
    return tool_of(read_definition(os.fspath(path)))


def wrapper_sources(tool: Tool) -> tuple[str, ...]:
    """Give the files that a tool's wrapper is made of: itself and its macros; none for a tool without a file."""
    return definition_of(tool).sources


def wrapper_directories(tool: Tool) -> list[str]:
    """Give the directories that a tool's command reads of its wrapper, as absolute paths: what a container must see.

    That is what the wrapper and its macros have above them in common, where tools of one collection keep the code that
    they share; unless that were a home directory, or one above it.
    """
    folders = list(dict.fromkeys(os.path.dirname(os.path.abspath(path)) for path in wrapper_sources(tool)))
    if not folders:
        return [os.path.dirname(os.path.abspath(tool.uri))] if tool.uri else []
    common, home = os.path.commonpath(folders), os.path.expanduser("~")
    is_too_much = os.path.commonpath([common, home]) == common
    return folders if is_too_much else [common]


def check_values(tool: Tool, values: Mapping[str, Any], inputs: Inputs | None = None) -> dict[str, Any]:
    """Type, complete and check the values of a tool's parameters, before anything runs.

    Parameters
    ----------
    values
        Nested (``{"cond": {"sel": "a", "x": 1}, "rep": [{"y": 2}]}``) or by flat name (``cond|sel``, ``rep_0|y``).
    inputs
        The files of each input; without them only the parameters are checked.

    Returns
    -------
    dict
        Every parameter that is in use, with its typed value, by flat name.

    Raises
    ------
    ParameterError
        Names every parameter that is unknown, missing or wrong.
    """
    return build_state(_of(tool), values, inputs or {}, needs_inputs=inputs is not None).flat


def prepare_call(
    tool: Tool, values: Mapping[str, Any], inputs: Inputs, outputs: Mapping[str, str], job_dir: str
) -> Call:
    """Make the command of one execution; nothing is written or read.

    Parameters
    ----------
    outputs
        Absolute path that each output is to have in the end. A Galaxy wrapper writes into `job_dir` first;
        `collect_outputs` moves its outputs here.
    job_dir
        Absolute path of a directory for this execution alone; it need not exist yet.

    Raises
    ------
    ParameterError
        Values or inputs do not fit.
    ToolsServiceError
        The tool cannot be executed here, or its command cannot be made.
    """
    definition = _of(tool)
    state = build_state(definition, values, inputs)
    job_dir = os.path.abspath(job_dir)
    if definition.dialect == "plain":
        return prepare_plain_call(definition, state, outputs, job_dir)
    return prepare_galaxy_call(definition, state, outputs, job_dir)


def output_specs(tool: Tool, values: Mapping[str, Any], inputs: Inputs | None = None) -> list[OutputSpec]:
    """Give the outputs that these values lead to: filters applied, formats and labels resolved.

    Raises
    ------
    ParameterError
        Values do not fit.
    """
    definition = _of(tool)
    return specs_of(definition, build_state(definition, values, inputs or {}, needs_inputs=False))


def collect_outputs(
    tool: Tool, call: Call, values: Mapping[str, Any], inputs: Inputs, *, is_complete: bool = True
) -> list[OutputFile]:
    """Find what a call left, and move each output to the path in ``call.outputs``.

    Discovered datasets, and elements of collections, stay in ``call.job_dir``: the caller takes them from there.

    Raises
    ------
    ToolsServiceError
        The tool wrote nothing for an output, and `is_complete`.
    """
    definition = _of(tool)
    state: State = build_state(definition, values, inputs, needs_inputs=False)
    return collect(definition, state, call, is_complete=is_complete)


def judge(tool: Tool, exit_status: int | None, stdout: str = "", stderr: str = "") -> str | None:
    """Say why an execution counts as failed by what the wrapper says of errors; None where it succeeded."""
    return judge_run(_of(tool), exit_status, stdout, stderr)


def _of(tool: Tool) -> Definition:
    definition = definition_of(tool)
    if not definition.id:
        raise ToolsServiceError("a tool needs an id")
    if tool.type == "merge" and definition.dialect == "plain":
        return replace(definition, members=tuple(_many(member) for member in definition.members))
    return definition


def _many(member: Member) -> Member:
    """Let an input of a merge tool take all files of a selection."""
    return replace(member, multiple=True) if isinstance(member, Param) and member.type == "data" else member
