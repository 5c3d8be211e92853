"""Execute a tool on plain files: no experiment, no record."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from threading import Event
from typing import Any

from bioimageit_core.containers import IO_INPUT, Tool
from bioimageit_core.core.command import Command, failure_of
from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.wrappers.call import InputFile
from bioimageit_core.jobs.progress import Progress
from bioimageit_core.jobs.runners import Engine

__all__ = ["exec_tool"]


def exec_tool(
    tool: Tool,
    values: Mapping[str, Any],
    *,
    runner: Any,
    observers: Iterable[Observer] = (),
    job_id: int = 0,
    timeout: float | None = None,
    memory: int | None = None,
) -> dict[str, list[str]]:
    """Execute a tool on files and give the files that it wrote, by the name of the output.

    Parameters
    ----------
    values
        By name: the path of each input (several for an input that takes many), the path that each output is to have,
        and parameters. An output that is discovered after the execution is given a directory.

    Raises
    ------
    RunnerExecError
        The command failed.
    ToolsServiceError
        A value does not fit the tool, or an input is not there.
    """
    from bioimageit_core.core.wrappers import collect_outputs, judge, prepare_call, wrapper_directories
    from bioimageit_core.jobs.job_dir import write_job_dir

    told = Progress(list(observers), job_id, 1)
    names = {parameter.name for parameter in tool.inputs if parameter.is_data or parameter.io == IO_INPUT}
    wanted = {output.name: os.path.abspath(values[output.name]) for output in tool.outputs if values.get(output.name)}
    inputs = {name: _files(name, value) for name, value in values.items() if name in names and value not in (None, "")}
    parameters = {name: value for name, value in values.items() if name not in names and name not in wanted}
    engine = Engine(runner, tool, job_id, Event())
    if engine.shared_dir:
        os.makedirs(engine.shared_dir, exist_ok=True)
    job_dir = tempfile.mkdtemp(prefix="bioimageit-", dir=engine.shared_dir or None)
    try:
        call = prepare_call(tool, parameters, inputs, wanted, job_dir)
        write_job_dir(call)
        for path in wanted.values():
            os.makedirs(os.path.dirname(path), exist_ok=True)
        reads = [*wrapper_directories(tool), *_paths(inputs)]
        writes = sorted({os.path.dirname(path) for path in wanted.values()})
        command = Command(
            list(call.argv), job_dir, dict(call.env), tuple(filter(None, reads)), tuple(writes), timeout, memory,
            name=tool.name,
        )  # fmt: skip
        try:
            engine.set_up()
            finished = engine.execute(command)
        finally:
            engine.tear_down()
        status = finished.exit_status
        reason = finished.reason or (
            None if status is not None and status < 0 else judge(tool, status, finished.stdout, finished.stderr)
        )
        if reason or status is None or status < 0:
            said = finished.reason if finished.reason else "" if reason == f"exit status {status}" else reason or ""
            raise failure_of(command, finished, said)
        written: dict[str, list[str]] = {}
        for found in collect_outputs(tool, call, parameters, inputs):
            path = _kept(found.path, job_dir, wanted.get(found.name, ""), found.designation)
            if path:
                written.setdefault(found.name, []).append(path)
        told.notify(f"{tool.name}: done")
        return written
    finally:
        shutil.rmtree(job_dir, ignore_errors=True)


def _files(name: str, value: Any) -> InputFile | list[InputFile]:
    if isinstance(value, (list, tuple)):
        return [_file(name, item) for item in value]
    return _file(name, value)


def _file(name: str, value: Any) -> InputFile:
    if isinstance(value, InputFile):
        return value
    path = os.path.abspath(os.fspath(value))
    if not os.path.exists(path):
        raise ToolsServiceError(f"input {name!r}: {path} is not there")
    return InputFile(path, os.path.basename(path))


def _paths(inputs: Mapping[str, Any]) -> list[str]:
    return [
        file.path
        for value in inputs.values()
        for file in (value if isinstance(value, list) else [value])
        if isinstance(file, InputFile)
    ]


def _kept(path: str, job_dir: str, wanted: str, designation: str) -> str:
    """Give where a file stays after the job's directory is gone; empty where nobody asked for it."""
    if not path.startswith(job_dir + os.sep):
        return path
    if not wanted:
        return ""
    if not designation:
        return shutil.move(path, wanted)
    os.makedirs(wanted, exist_ok=True)
    return shutil.move(path, os.path.join(wanted, os.path.basename(path)))
