"""The command ``bioimageit``."""

from __future__ import annotations

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
    from bioimageit_core.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # names may hold what the terminal's encoding lacks
    app(args=None if arguments is None else list(arguments), prog_name="bioimageit")
