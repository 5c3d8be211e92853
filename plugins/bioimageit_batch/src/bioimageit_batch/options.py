"""What a configuration says of the runner, checked: it goes into submit scripts."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any

from bioimageit_core.core.exceptions import ConfigError

__all__ = ["duration", "shared_directory", "whole_number", "word"]

_WORD = re.compile(r"[\w.@:+,=/%-]*")  # what stands in a submit script, in quotes


def shared_directory(given: str) -> str:
    """Check the directory that all machines share; empty for none."""
    path = os.path.abspath(os.path.expanduser(given)) if given else ""
    if re.search(r"[\"'$`\\\s\x00-\x1f]", path):
        raise ConfigError(
            f"runner.shared_dir: {path!r} has a space, quote, '$' or '\\', which submit scripts cannot say"
        )
    return path


def word(name: str, given: Any) -> str:
    """Check what is to stand in a submit script."""
    text = str(given)
    if not _WORD.fullmatch(text):
        raise ConfigError(f"runner.{name}: {text!r} has characters that cannot stand in a submit script")
    return text


def whole_number(name: str, value: Any, least: int) -> int:
    """Check a number of things."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"runner.{name}: {value!r} is not a whole number of at least {least}")
    return value


def duration(given: str | float | None) -> timedelta | None:
    """Read a limit of time.

    >>> duration("36:00:30"), duration(90)
    (datetime.timedelta(days=1, seconds=43230), datetime.timedelta(seconds=5400))
    """
    if given is None or given == "":
        return None
    match = re.fullmatch(r"(\d{1,5}):([0-5]?\d):([0-5]?\d)", str(given))
    if match:
        hours, minutes, seconds = map(int, match.groups())
        limit = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    elif re.fullmatch(r"\d{1,7}(\.\d+)?", str(given)) and not isinstance(given, bool):
        limit = timedelta(minutes=float(given))
    else:
        limit = timedelta(0)
    if limit <= timedelta(0):
        raise ConfigError(f"runner.walltime: {given!r} is neither HH:MM:SS nor a number of minutes")
    return limit
