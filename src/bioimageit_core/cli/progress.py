"""Progress on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bioimageit_core.cli.status import printable
from bioimageit_core.core.observer import Observer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["ProgressObserver"]


class ProgressObserver(Observer):
    """Draws one bar on standard error; where that is no terminal, warnings and errors are written and nothing else."""

    def __init__(self, title: str) -> None:
        super().__init__(debug=False)
        self.title = title
        self.warnings: list[str] = []
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> ProgressObserver:
        if sys.stderr.isatty():
            self._bar, self._task = _bar(self.title)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            if error is None:
                self._bar.update(self._task, completed=100, message="")
            self._bar.stop()
            self._bar = None

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:  # noqa: ARG002
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(self._task, completed=progress, message=printable(message).replace("\n", " "))

    def notify(self, message: str, job_id: int = 0) -> None:  # noqa: ARG002
        """Show a message beside the bar."""
        if self._bar is not None:
            self._bar.update(self._task, message=printable(message).replace("\n", " "))

    def notify_warning(self, message: str, job_id: int = 0) -> None:  # noqa: ARG002
        """Write a warning."""
        self.warnings.append(message)
        self._write(f"warning: {message}")

    def notify_error(self, message: str, job_id: int = 0) -> None:  # noqa: ARG002
        """Write what went wrong with an item."""
        self._write(message)

    def _write(self, message: str) -> None:
        text = printable(message)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr)


def _bar(title: str) -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
        console=Console(stderr=True),
        expand=True,
    )
    return bar, bar.add_task(printable(title), total=100, message="")
