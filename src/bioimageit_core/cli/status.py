"""What the command's exit status says, and how an error is told."""

from __future__ import annotations

import os
import sys
import traceback
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from bioimageit_core.core.exceptions import (
    BioImageITError,
    DataQueryError,
    InvalidNameError,
    JobFailedError,
    NotFoundError,
    PluginNotFoundError,
    ToolNotFoundError,
)

__all__ = ["STATUS_HELP", "Commands", "Status", "printable", "status_of"]

STATUS_HELP = (
    "Exit status: 0 done · 1 failed · 2 the command or a query in it cannot be understood · 3 the experiment, dataset, "
    "data, tool or plugin is not there · 4 done in part (items failed, or a check found something) · 130 interrupted."
)


class Status(IntEnum):
    """Exit statuses of the command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    PARTIAL = 4
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class Commands(TyperGroup):
    """A group of commands whose errors are told in a line or two."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the options of the group itself."""
        try:
            return super().make_context(*args, **options)
        except Exception as error:
            _exit_if_misused(error)
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error becomes a message and an exit status."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _tell("interrupted; what was done is kept, and the same command goes on from there")
            raise typer.Exit(int(Status.INTERRUPTED)) from None
        except BrokenPipeError:
            # whoever read has gone; nothing more can be said to them, not even when Python flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(int(Status.PIPE_CLOSED)) from None
        except (BioImageITError, OSError) as error:
            _tell_error(error, ctx)
            raise typer.Exit(int(status_of(error))) from None
        except Exception as error:
            _exit_if_misused(error)
            if hasattr(error, "exit_code"):  # the command line's own: it is over
                raise
            _tell_unexpected(error, ctx)
            raise typer.Exit(int(Status.FAILED)) from None


def status_of(error: BaseException) -> Status:
    """Return the exit status that says what went wrong."""
    from bioimageit_core.jobs.errors import JobCancelledError, JobError

    if isinstance(error, JobFailedError):
        return Status.PARTIAL if error.done else Status.FAILED
    if isinstance(error, JobCancelledError):
        return Status.INTERRUPTED
    if isinstance(error, JobError):
        return Status.USAGE
    if isinstance(error, NotFoundError | ToolNotFoundError | PluginNotFoundError | FileNotFoundError):
        return Status.NOT_FOUND
    if isinstance(error, DataQueryError | InvalidNameError):
        return Status.USAGE
    return Status.FAILED


def printable(text: str) -> str:
    r"""Return a text that cannot steer a terminal: no control characters but line breaks.

    Examples
    --------
    >>> printable("a\x1b[2Jb")
    'a?[2Jb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else "?" for c in text)


def _exit_if_misused(error: Exception) -> None:
    """Tell in one line what the command line cannot understand; other errors are left alone."""
    context = getattr(error, "ctx", None)
    if context is None or not hasattr(error, "format_message") or type(error).__name__ == "NoArgsIsHelpError":
        return
    message = str(error.format_message()).rstrip(".")
    _tell(_masked(f"error: {message} (see '{context.command_path} --help')", context))
    raise typer.Exit(int(Status.USAGE)) from None


def _tell_error(error: Exception, ctx: Any) -> None:
    if isinstance(error, OSError) and not isinstance(error, BioImageITError):
        where = f"{error.filename}: " if error.filename else ""
        _tell(_masked(f"error: {where}{error.strerror or error}", ctx))
    else:
        _tell(_masked(f"error: {error}", ctx))
    _tell_trace(error, ctx)


def _tell_unexpected(error: Exception, ctx: Any) -> None:
    _tell(_masked(f"error: unexpected {type(error).__name__}: {error}", ctx))
    if not _is_debug(ctx):
        _tell("This is a fault of the program: run it again with 'bioimageit --debug …' to see where it comes from.")
    _tell_trace(error, ctx)


def _tell_trace(error: Exception, ctx: Any) -> None:
    if _is_debug(ctx):
        _tell(_masked("".join(traceback.format_exception(error)), ctx))


def _masked(text: str, ctx: Any) -> str:
    """Take secrets out of what is told: a URL that was given may hold a password, and terminals are recorded."""
    from bioimageit_core.cli.session import session_of

    return session_of(ctx).mask(text)


def _is_debug(ctx: Any) -> bool:
    return bool(getattr(ctx.find_root().obj, "is_debug", False))


def _tell(message: str) -> None:
    typer.echo(printable(message), err=True)
