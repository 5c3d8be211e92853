"""Whether an execution of a tool succeeded: exit statuses and regular expressions, as the wrapper says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bioimageit_core.core.wrappers.model import Definition, ExitCode, StdioRegex

__all__ = ["Remark", "judge_run", "remarks_on"]

_NOT_ZERO = (ExitCode(float("-inf"), -1), ExitCode(1, float("inf")))
_NEVER_RAN = (
    ExitCode(126, 127, description="the command cannot be executed"),
    ExitCode(129, 159, description="killed"),
)
_AGGRESSIVE = (
    *(
        StdioRegex(pattern, level="fatal_oom")
        for pattern in ("MemoryError", "std::bad_alloc", "java.lang.OutOfMemoryError", "Out of memory")
    ),
    StdioRegex("exception:", level="fatal"),
    StdioRegex("error:", level="fatal"),
)
_FAILS = ("fatal", "fatal_oom")
_LEVELS = {
    "log": "Log",
    "qc": "QC",
    "warning": "Warning",
    "fatal": "Fatal error",
    "fatal_oom": "Out of memory error",
}
_MAX_MATCH = 256


@dataclass(frozen=True)
class Remark:
    """What one rule of a wrapper found in an execution.

    Attributes
    ----------
    stream
        ``'stdout'`` or ``'stderr'``: in front of which of them Galaxy shows it.
    text
        In the words that Galaxy has for it.
    reason
        The same for people who look for what went wrong.
    """

    stream: str
    level: str
    text: str
    reason: str

    @property
    def is_failure(self) -> bool:
        """Whether an execution with it failed."""
        return self.level in _FAILS


def judge_run(definition: Definition, exit_status: int | None, stdout: str, stderr: str) -> str | None:
    """Say why an execution failed; None where it succeeded.

    Notes
    -----
    Profiles before 16.04 that say nothing of errors are judged by the exit status; that anything on stderr is an
    error, as Galaxy has it for those, is not taken over: libraries warn there. Whatever a wrapper says, a command that
    the shell did not find, and one that a signal ended, did not succeed.
    """
    if exit_status is None:
        return "it never started, or was lost"
    found = remarks_on(definition, exit_status, stdout, stderr)
    return next((remark.reason for remark in found if remark.is_failure), None)


def remarks_on(definition: Definition, exit_status: int, stdout: str, stderr: str) -> list[Remark]:
    """Give what the wrapper's rules find, in the order of the rules; none are asked after one that is out of memory."""
    found: list[Remark] = []
    for remark in _all_remarks(definition, exit_status, stdout, stderr):
        found.append(remark)
        if remark.level == "fatal_oom":
            break
    return found


def _all_remarks(definition: Definition, exit_status: int, stdout: str, stderr: str) -> Iterator[Remark]:
    codes, regexes = definition.exit_codes, definition.regexes
    if definition.detect_errors != "stdio":
        if definition.oom_exit_code is not None:
            oom = ExitCode(definition.oom_exit_code, definition.oom_exit_code, "fatal_oom", "Out of Memory")
            codes = (*codes, oom)
        codes = (*codes, *_NOT_ZERO)
    else:
        codes = (*codes, *_NEVER_RAN)
    if definition.detect_errors == "aggressive":
        regexes = (*regexes, *_AGGRESSIVE)
    for code in codes:
        if code.low <= exit_status <= code.high:
            reason = f"exit status {exit_status}{f': {code.description}' if code.description else ''}"
            text = f"{_LEVELS[code.level]}: Exit code {exit_status} ({code.description})"
            yield Remark("stderr", code.level, text, reason)
    for regex in regexes:
        for name, is_meant, text in (("stderr", regex.in_stderr, stderr), ("stdout", regex.in_stdout, stdout)):
            match = re.search(regex.pattern, text, re.IGNORECASE) if is_meant else None
            if match is not None:
                yield _of_match(regex, match, name)


def _of_match(regex: StdioRegex, match: re.Match[str], stream: str) -> Remark:
    found, text = match[0], match.string
    shown = f"{found[:_MAX_MATCH]}..." if len(found) > _MAX_MATCH else found
    try:
        said = match.expand(regex.description) if regex.description else f"Matched on {shown}"
    except (re.error, IndexError):
        said = regex.description  # it only looks as if it referred to groups of the pattern
    line = text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0].strip()
    reason = f"{regex.description or f'{regex.pattern!r} in {stream}'}: {line[:300]}"
    return Remark(stream, regex.level, f"{_LEVELS[regex.level]}: {said}", reason)
