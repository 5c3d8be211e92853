"""The older dialect: values are put, one by one, into the tokens of a command; no shell is involved."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import Call, InputFile
from bioimageit_core.core.wrappers.dialect import PLACEHOLDER
from bioimageit_core.core.wrappers.model import Definition, Param, walk_params
from bioimageit_core.core.wrappers.specs import OutputSpec, specs_of
from bioimageit_core.core.wrappers.values import Collection, State

__all__ = ["prepare_plain_call", "split_command"]

_OPERATORS = frozenset(["|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1"])


def split_command(command: str, origin: str = "") -> list[str]:
    """Split the template of a command into tokens, before any value is put into it.

    Raises
    ------
    ToolsServiceError
        Quotes are not closed, or the command needs a shell.

    Examples
    --------
    >>> split_command("python '${__tool_directory__}/x.py' -i ${i}")
    ['python', '${__tool_directory__}/x.py', '-i', '${i}']
    """
    try:
        tokens = list(_tokens(command))
    except ValueError as error:
        raise ToolsServiceError(f"{origin}: command {command.strip()!r}: {error}") from error
    if not tokens:
        raise ToolsServiceError(f"{origin}: the command is empty")
    shell = [token for token in tokens if token in _OPERATORS or token.endswith(";")]
    if shell:
        raise ToolsServiceError(
            f"{origin}: the command needs a shell ({' '.join(shell)}), and values are put into argv"
        )
    return tokens


@functools.lru_cache(maxsize=64)
def _tokens(command: str) -> tuple[str, ...]:
    return tuple(shlex.split(command))


def prepare_plain_call(definition: Definition, state: State, outputs: Mapping[str, str], job_dir: str) -> Call:
    """Put values into the tokens of a command; nothing is written.

    Raises
    ------
    ToolsServiceError
        The command names what is no parameter, input or output, or the command needs a shell.
    """
    params = dict(walk_params(definition.members))
    specs = specs_of(definition, state)
    wanted = {spec.name: outputs.get(spec.name) or _default_output(spec, job_dir) for spec in specs}
    names: dict[str, list[str]] = {"__tool_directory__": [definition.directory]}
    for name, param in params.items():
        names[name] = _texts(param, state.flat.get(name), state.tree.get(name))
    names.update({name: [path] for name, path in wanted.items()})
    argv: list[str] = []
    for token in split_command(definition.command, definition.command_place):
        argv.extend(_fill(token, names, params, definition))
    return Call(argv, job_dir, {}, {}, {}, wanted)


def _default_output(spec: OutputSpec, job_dir: str) -> str:
    return os.path.join(job_dir, f"{spec.name}.{spec.extension}" if spec.extension else spec.name)


def _texts(param: Param, value: Any, data: Any) -> list[str]:
    if param.is_data:
        if isinstance(data, InputFile):
            return [os.path.abspath(data.path)]
        files: Sequence[InputFile] = data.files() if isinstance(data, Collection) else data or []
        return [os.path.abspath(file.path) for file in files]
    if param.type == "boolean":
        return [param.true_value if value else param.false_value]
    if isinstance(value, list):
        return [param.separator.join(map(str, value))]
    return ["" if value is None else str(value)]


def _fill(token: str, names: dict[str, list[str]], params: dict[str, Param], definition: Definition) -> list[str]:
    """Give the tokens that one token of the template becomes: several where an input has several files."""
    found = [match[1] or match[2] for match in PLACEHOLDER.finditer(token)]
    for name in found:
        if name not in names:
            known = ", ".join(sorted(names))
            raise ToolsServiceError(
                f"{definition.command_place}: the command names {name!r}, which is no parameter, input or output "
                f"(known: {known})"
            )
    many = next((name for name in found if len(names[name]) != 1), None)
    if many is not None:
        return [one for text in names[many] for one in _fill(token, {**names, many: [text]}, params, definition)]
    filled = PLACEHOLDER.sub(lambda match: names[match[1] or match[2]][0], token)
    if not filled and len(found) == 1 and PLACEHOLDER.fullmatch(token):
        param = params.get(found[0])
        if param is not None and (param.type in ("boolean", "select") or param.optional):
            # a flag that is off is no argument, whereas an empty text is one
            return []
    return [filled]
