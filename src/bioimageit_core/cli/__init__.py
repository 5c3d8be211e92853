"""The command ``bioimageit``."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its status.

    Parameters
    ----------
    arguments
        What stands behind the command's name; by default that of this process.
    """
    if arguments is None:  # a process of its own, in which what is loaded stays: the collector would look at it in vain
        gc.set_threshold(50_000, 20, 20)

    from bioimageit_core.cli.app import make_app

    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # names may hold what the terminal's encoding lacks
    given = sys.argv[1:] if arguments is None else list(arguments)
    # the shell's completion asks for all commands
    app = make_app("" if "_BIOIMAGEIT_COMPLETE" in os.environ else _command_in(given))
    app(args=given, prog_name="bioimageit")


def _command_in(arguments: list[str]) -> str:
    """Return the word that is the command; empty where that is not plain to see."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            return word
        if word in {"-c", "--config"}:
            next(words, None)
        elif word != "--debug" and not word.startswith("--config="):
            return ""
    return ""
