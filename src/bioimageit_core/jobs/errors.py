"""What jobs raise beyond the common vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bioimageit_core.core.exceptions import BioImageITError, ToolsServiceError

__all__ = ["JobCancelledError", "JobError", "PreflightError"]


class JobError(BioImageITError, ValueError):
    """A job that cannot be done as it is asked for."""


class PreflightError(ToolsServiceError, ValueError):
    """Inputs do not fit what the tool accepts; nothing was run.

    Attributes
    ----------
    misfits
        One line for each that does not fit.
    """

    def __init__(self, tool: str, misfits: Sequence[str]) -> None:
        super().__init__(tool, tuple(misfits))
        self.tool = tool
        self.misfits = tuple(misfits)

    def __str__(self) -> str:
        more = f"; and {len(self.misfits) - 10} more" if len(self.misfits) > 10 else ""
        return f"{self.tool} cannot run on {len(self.misfits)} of its inputs: {'; '.join(self.misfits[:10])}{more}"


class JobCancelledError(BioImageITError):
    """A job was stopped on request; what it had done is recorded, and running it again does the rest.

    Attributes
    ----------
    done, left
        How many items succeeded, and how many did not or were not begun.
    run
        The run's container; None where nothing was begun.
    """

    def __init__(self, done: int, left: int, run: Any = None) -> None:
        super().__init__(done, left, run)
        self.done = done
        self.left = left
        self.run = run

    def __str__(self) -> str:
        return f"cancelled: {self.done} items done, {self.left} left; run it again to do the rest"
