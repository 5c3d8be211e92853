"""One test of a wrapper: prepare, execute, judge, verify."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import Tool
from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import RunnerExecError, ToolsServiceError
from bioimageit_core.core.wrappers.call import Call
from bioimageit_core.core.wrappers.cases import TestCase, find_test_file
from bioimageit_core.core.wrappers.collect import collect
from bioimageit_core.core.wrappers.datatypes import datatype_of_file, is_kind_of
from bioimageit_core.core.wrappers.engine import wrapper_directories
from bioimageit_core.core.wrappers.galaxy_call import SCRIPT, prepare_galaxy_call
from bioimageit_core.core.wrappers.judging import judge_run, remarks_on
from bioimageit_core.core.wrappers.model import Definition
from bioimageit_core.core.wrappers.plain_call import prepare_plain_call
from bioimageit_core.core.wrappers.specs import specs_of
from bioimageit_core.core.wrappers.values import ParameterError, State, build_state
from bioimageit_core.core.wrappers.verify.assertions import Assertion, check_assertions
from bioimageit_core.core.wrappers.verify.errors import VerificationError
from bioimageit_core.core.wrappers.verify.outputs import verify_outputs
from bioimageit_core.jobs.runners import Engine

__all__ = ["Execution", "Outcome", "execution_for", "run_case"]

_MAX_OUTPUT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Execution:
    """Where and how tests are executed."""

    runner: Any = None
    bin_dir: str = ""
    timeout: float = 600.0
    keep_dir: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a test gave: empty `problems` where it passed."""

    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    command: str = ""
    stdout: str = ""
    stderr: str = ""
    note: str = ""


@dataclass
class _Ended:
    exit_status: int | None
    stdout: str = ""
    stderr: str = ""
    version: str = ""
    reason: str = ""


def execution_for(runner: Any, environment: str, timeout: float, keep_dir: str) -> Execution:
    """Check where to execute.

    Raises
    ------
    ToolsServiceError
        There is no such environment.
    """
    if runner is not None or environment == "current":
        bin_dir = "" if runner is not None else os.path.dirname(sys.executable)
        return Execution(runner, bin_dir, timeout, keep_dir)
    for candidate in (os.path.join(environment, "bin"), environment):
        if os.path.exists(os.path.join(candidate, "python")):
            return Execution(None, os.path.abspath(candidate), timeout, keep_dir)
    raise ToolsServiceError(
        f"environment {environment!r}: 'current' or the directory of a Python environment is expected; "
        "environments of a tool's own are made by runners, such as UV"
    )


def run_case(definition: Definition, tool: Tool, case: TestCase, execution: Execution) -> Outcome:
    """Run one test and verify it.

    Raises
    ------
    ToolsServiceError
        The tool's command cannot be made.
    RunnerExecError
        The runner cannot execute it.
    """
    started = time.monotonic()
    try:
        state = build_state(definition, case.values, case.inputs, is_lenient=True)
    except ParameterError as error:
        # values that a tool refuses are a failure that a test may expect
        is_expected = case.expect_failure or case.expect_test_failure
        return Outcome(() if is_expected else (str(error),), time.monotonic() - started)
    if execution.keep_dir:
        os.makedirs(execution.keep_dir, exist_ok=True)
    job_dir = tempfile.mkdtemp(prefix=f"test_{case.number}_", dir=execution.keep_dir or None)
    try:
        return _run_in(os.path.realpath(job_dir), definition, tool, case, execution, state)
    finally:
        if not execution.keep_dir:
            shutil.rmtree(job_dir, ignore_errors=True)


def _run_in(
    job_dir: str, definition: Definition, tool: Tool, case: TestCase, execution: Execution, state: State
) -> Outcome:
    started = time.monotonic()
    try:
        call, command = _prepared(definition, state, job_dir)
    except ToolsServiceError as error:
        # a command that cannot be made is a failure that a test may expect
        if definition.unsupported or not (case.expect_failure or case.expect_test_failure):
            raise
        return Outcome((), time.monotonic() - started, stderr=str(error))
    _write(call)
    ended = _execute(call, definition, tool, case, execution)
    problems = _judged(definition, case, ended)
    problems += _said(case.command, command, "the command")
    problems += _said(case.stdout, _remarked(definition, ended, "stdout") + ended.stdout, "stdout")
    problems += _said(case.stderr, _remarked(definition, ended, "stderr") + ended.stderr, "stderr")
    problems += _said(case.command_version, ended.version, "the version command")
    if not problems and not case.expect_failure:
        specs = specs_of(definition, state)
        files = collect(definition, state, call, is_complete=False)
        problems += verify_outputs(case, specs, files, lambda name: find_test_file(definition, name))
    elif problems and ended.stderr.strip():
        problems.append(f"its stderr ends: {ended.stderr.strip()[-1000:]}")
    if case.expect_test_failure:
        problems = [] if problems else ["everything is as expected, although its test is expected to fail"]
    seconds = time.monotonic() - started
    return Outcome(tuple(problems), seconds, command, ended.stdout, ended.stderr, _note(execution.runner, tool))


def _note(runner: Any, tool: Tool) -> str:
    """Say what a runner took instead of what a tool requires; only some runners do so."""
    replaced = getattr(runner, "replaced", None)
    return ", ".join(replaced(tool)) if replaced is not None else ""


def _prepared(definition: Definition, state: State, job_dir: str) -> tuple[Call, str]:
    """Give a call, and its command as tests see it."""
    if definition.dialect == "plain":
        call = prepare_plain_call(definition, state, {}, job_dir)
        return call, shlex.join(call.argv)
    call = prepare_galaxy_call(definition, state, {}, job_dir)
    return call, call.files[SCRIPT].rstrip("\n").rpartition("\n")[2]


def _write(call: Call) -> None:
    for name, text in call.files.items():
        path = os.path.join(call.job_dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    for name, source in call.links.items():
        path = os.path.join(call.job_dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        lines = _posix_lines(source) if name.endswith(".dat") else None
        if lines is None:
            os.symlink(source, path)
        else:
            with open(path, "wb") as copy:
                copy.write(lines)


def _posix_lines(path: str) -> bytes | None:
    """Give the content of a text as Galaxy takes it in: every line ended by a line feed; None where it is so."""
    if not os.path.isfile(path) or not is_kind_of(datatype_of_file(path).name, "text"):
        return None
    with open(path, "rb") as file:
        content = file.read(_MAX_OUTPUT)
    is_so = not content or (b"\r" not in content and content.endswith(b"\n"))
    if is_so or len(content) == _MAX_OUTPUT or b"\0" in content:
        return None
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return lines if lines.endswith(b"\n") else lines + b"\n"


def _execute(call: Call, definition: Definition, tool: Tool, case: TestCase, execution: Execution) -> _Ended:
    """Execute a call with all its output kept, whatever the runner does with output."""
    keys = ("stdout", "stderr", "exit_status", "version")
    paths = {key: os.path.join(call.job_dir, f"tool_{key}") for key in keys}
    quoted = {key: shlex.quote(path) for key, path in paths.items()}
    script = os.path.join(call.job_dir, "tool_test.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write(
            f"cd {shlex.quote(call.job_dir)} || exit 1\n"
            f"{_version_line(definition, quoted['version']) if case.command_version else ''}"
            f"{shlex.join(call.argv)} < /dev/null > {quoted['stdout']} 2> {quoted['stderr']}\n"
            f"echo $? > {quoted['exit_status']}\n"
        )
    seconds = case.seconds or execution.timeout
    argv = ["bash", script]
    if execution.runner is None:
        reason = _run_here(argv, call, execution.bin_dir, seconds)
    else:
        reason = _run_by(execution.runner, argv, call, tool, seconds)
    status = _text(paths["exit_status"]).strip()
    return _Ended(
        int(status) if status else None,
        _text(paths["stdout"]),
        _text(paths["stderr"]),
        _text(paths["version"]),
        reason if not status else "",
    )


def _version_line(definition: Definition, path: str) -> str:
    """Run what says the version, as the wrapper's own code, in a shell of its own."""
    command = definition.version_command.replace("$__tool_directory__", definition.directory)
    return f"( {command}\n) < /dev/null > {path} 2>&1\n" if command else ""


def _text(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, "rb") as file:
        return file.read(_MAX_OUTPUT).decode("utf-8", "replace")


def _run_here(argv: Sequence[str], call: Call, bin_dir: str, seconds: float) -> str:
    env: Mapping[str, str] = {
        **{key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH")},
        "PATH": os.pathsep.join([bin_dir, os.environ.get("PATH", os.defpath)]),
        "MPLBACKEND": "Agg",
        **call.env,
    }
    process = subprocess.Popen(
        list(argv),
        cwd=call.job_dir,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"it took longer than {seconds:g} s"
    finally:
        # the session is the test's own: nothing of it outlives the test
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return ""


def _run_by(runner: Any, argv: Sequence[str], call: Call, tool: Tool, seconds: float) -> str:
    engine = Engine(runner, tool, 0, threading.Event())
    reads = [*call.links.values(), *wrapper_directories(tool)]
    command = Command(argv, call.job_dir, dict(call.env), reads=reads, timeout=seconds, name=f"test of {tool.id}")
    engine.set_up()
    try:
        finished = engine.execute(command)
    finally:
        engine.tear_down()
    if finished.state is not CommandState.ENDED:
        return finished.reason or finished.state.value
    if finished.exit_status not in (0, None):
        raise RunnerExecError(f"the runner could not execute it: {finished.stderr[-1000:]}", argv, finished.exit_status)
    return finished.reason


def _judged(definition: Definition, case: TestCase, ended: _Ended) -> list[str]:
    if ended.exit_status is None:
        return [] if case.expect_failure else [ended.reason or "it was ended before it was done"]
    problems = []
    if case.expect_exit_code is not None and ended.exit_status != case.expect_exit_code:
        problems.append(f"exit status {ended.exit_status}, expected {case.expect_exit_code}")
    reason = judge_run(definition, ended.exit_status, ended.stdout, ended.stderr)
    # Galaxy asks old wrappers that say nothing of errors for their words alone, not for their exit status
    is_by_words = definition.detect_errors == "default"
    if case.expect_failure and reason is None and not (is_by_words and ended.stderr.strip()):
        problems.append("it succeeded, although a failure is expected")
    is_meant = case.expect_failure or (is_by_words and case.expect_exit_code == ended.exit_status)
    if reason is not None and not is_meant:
        problems.append(f"it failed: {reason}")
    return problems


def _remarked(definition: Definition, ended: _Ended, stream: str) -> str:
    """Give what Galaxy shows in front of a stream: what the wrapper's rules found."""
    if ended.exit_status is None:
        return ""
    remarks = remarks_on(definition, ended.exit_status, ended.stdout, ended.stderr)
    return "".join(f"{remark.text}\n" for remark in remarks if remark.stream == stream)


def _said(assertions: Sequence[Assertion], text: str, what: str) -> list[str]:
    try:
        check_assertions(assertions, text.encode())
    except VerificationError as error:
        return [f"{what}: {error}"]
    return []
