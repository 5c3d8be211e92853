"""Whether an execution of a tool succeeded: exit statuses and regular expressions, as the wrapper says."""

from __future__ import annotations

import re

from bioimageit_core.core.wrappers.model import Definition, ExitCode, StdioRegex

__all__ = ["judge_run"]

_NOT_ZERO = (ExitCode(float("-inf"), -1), ExitCode(1, float("inf")))
_AGGRESSIVE = (
    StdioRegex("exception:", level="fatal"),
    StdioRegex("error:", level="fatal"),
    StdioRegex("MemoryError|std::bad_alloc|java.lang.OutOfMemoryError|Out of memory", level="fatal_oom"),
)
_FAILS = ("fatal", "fatal_oom")


def judge_run(definition: Definition, exit_status: int | None, stdout: str, stderr: str) -> str | None:
    """Say why an execution failed; None where it succeeded.

    Notes
    -----
    Profiles before 16.04 that say nothing of errors are judged by the exit status; that anything on stderr is an
    error, as Galaxy has it for those, is not taken over: libraries warn there.
    """
    if exit_status is None:
        return "it never started, or was lost"
    codes, regexes = definition.exit_codes, definition.regexes
    if definition.detect_errors in ("exit_code", "aggressive"):
        codes = (*codes, *_NOT_ZERO)
        if definition.oom_exit_code is not None:
            codes = (ExitCode(definition.oom_exit_code, definition.oom_exit_code, "fatal_oom", "out of memory"), *codes)
    if definition.detect_errors == "aggressive":
        regexes = (*regexes, *_AGGRESSIVE)
    for code in codes:
        if code.level in _FAILS and code.low <= exit_status <= code.high:
            return f"exit status {exit_status}{f': {code.description}' if code.description else ''}"
    for regex in regexes:
        if regex.level not in _FAILS:
            continue
        for name, is_meant, text in (("stdout", regex.in_stdout, stdout), ("stderr", regex.in_stderr, stderr)):
            match = re.search(regex.pattern, text, re.IGNORECASE) if is_meant else None
            if match is not None:
                line = text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0].strip()
                return f"{regex.description or f'{regex.pattern!r} in {name}'}: {line[:300]}"
    return None
