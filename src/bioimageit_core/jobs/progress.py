"""One progress for a whole job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.observer import Observer

if TYPE_CHECKING:
    from bioimageit_core.jobs.plan import Plan
    from bioimageit_core.jobs.record import ItemRecord

__all__ = ["Progress"]

logger = logging.getLogger(__name__)

_TOLD = ("name", "reason", "error", "argv", "exit_status", "seconds", "host", "stderr")


class Progress:
    """Tells observers how far a job is; an observer that fails does not stop the job."""

    def __init__(self, observers: Sequence[Observer], job_id: int, total: int) -> None:
        self._observers = observers
        self._job_id = job_id
        self._total = max(1, total)
        self._done = 0

    def plan(self, plan: Plan) -> None:
        """Tell what will be done, where that is not simply all."""
        counts = plan.counts()
        if set(counts) != {"run"}:
            said = ", ".join(f"{number} to {action}" for action, number in sorted(counts.items()))
            self.notify(f"{plan.tool.name}: {said}")

    def begin(self, plan: Plan) -> None:
        """Tell which items there are."""
        for number, item in enumerate(plan.items):
            self._tell_item(number, "waiting", {"name": item.name, "reason": item.reason})

    def started(self, number: int, name: str) -> None:
        """Tell that an item is worked on; called from several threads."""
        self._tell_item(number, "running", {"name": name})

    def item(self, record: ItemRecord, number: int = 0) -> None:
        """Tell that an item has ended."""
        self._done += 1
        percent = 100 * self._done // self._total
        message = f"{record.name}: {record.state}"
        facts = {field: value for field in _TOLD if (value := getattr(record, field)) not in ("", [], None)}
        self._tell_item(number, record.state, facts)
        for observer in self._observers:
            self._tell(observer.notify_progress, percent, message, self._job_id)
            if record.state == "failed":
                self._tell(observer.notify_error, f"{record.name}: {record.error}", self._job_id)

    def end(self, counts: Mapping[str, int]) -> None:
        """Tell how it ended."""
        self.notify(", ".join(f"{number} {state}" for state, number in sorted(counts.items())))

    def notify(self, message: str) -> None:
        """Tell a message."""
        for observer in self._observers:
            self._tell(observer.notify, message, self._job_id)

    def _tell_item(self, number: int, state: str, facts: Mapping[str, Any]) -> None:
        for observer in self._observers:
            if callable(method := getattr(observer, "notify_item", None)):  # those of published plugins have none
                self._tell(method, number, state, facts, self._job_id)

    def _tell(self, method: Callable[..., Any], *arguments: Any) -> None:
        try:
            method(*arguments)
        except Exception:
            logger.exception("an observer failed")
