"""Long output through the user's pager, as it is made."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from typing import IO, cast

__all__ = ["show_pages"]


def show_pages(texts: Iterable[str]) -> None:
    """Write texts to the pager that ``PAGER`` names (else ``less`` or ``more``), each when it is asked for.

    Without a pager they go to standard output.
    """
    command = _pager()
    if not command:
        for text in texts:
            sys.stdout.write(text)
        return
    environment = {"LESS": "-RFXS", **os.environ}
    pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    pipe = cast("IO[bytes]", pager.stdin)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):  # the user has seen enough
        for text in texts:
            pipe.write(text.encode("utf-8", "replace"))
            pipe.flush()
    with contextlib.suppress(BrokenPipeError):
        pipe.close()
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # it is the pager's: less goes on
            pager.wait()
            return


def _pager() -> list[str]:
    for text in (os.environ.get("PAGER", ""), "less", "more"):
        words: list[str] = []
        with contextlib.suppress(ValueError):  # a quote that does not end
            words = shlex.split(text)
        program = shutil.which(words[0]) if words else None
        if program:
            return [program, *words[1:]]
    return []
