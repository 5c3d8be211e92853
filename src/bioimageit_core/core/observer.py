"""Observers: how long work tells of its progress."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

__all__ = ["Observable", "Observer"]

logger = logging.getLogger("bioimageit_core")


class Observer:
    """Hear of progress; by default it goes to the log.

    Subclass it and override what you want to hear. An observer hears of progress, not instead of exceptions.
    """

    def __init__(self, debug: bool = True) -> None:
        self.debug = debug
        self.jobs_id: list[int] = []

    def new_job(self, job_id: int) -> None:
        """Hear that a job begins."""
        self.jobs_id.append(job_id)

    def notify(self, message: str, job_id: int = 0) -> None:
        """Hear a message."""
        logger.info("%s", message, extra={"job_id": job_id})

    def notify_warning(self, message: str, job_id: int = 0) -> None:
        """Hear of something that may be wrong."""
        logger.warning("%s", message, extra={"job_id": job_id})

    def notify_error(self, message: str, job_id: int = 0) -> None:
        """Hear of something that went wrong."""
        logger.error("%s", message, extra={"job_id": job_id})

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        """Hear how far the work is, in percent."""
        logger.debug("%s %s%%", message, progress, extra={"job_id": job_id})

    def notify_item(self, number: int, state: str, facts: Mapping[str, Any], job_id: int = 0) -> None:
        """Hear what becomes of one item of a job.

        Parameters
        ----------
        number
            Of the item in the job, from 0.
        state
            ``waiting``, ``running``, ``done``, ``failed``, ``skipped``, ``reused`` or ``cancelled``.
        facts
            Its ``name`` and, where they are known, ``reason``, ``error``, ``argv``, ``exit_status``, ``seconds``,
            ``host`` and ``stderr``.
        """


class Observable:
    """Tell observers of progress."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []
        self.job_id = 0

    @property
    def observers(self) -> list[Observer]:
        """Who hears of progress."""
        return self._observers

    def add_observer(self, observer: Observer) -> None:
        """Let `observer` hear of progress."""
        self._observers.append(observer)

    def remove_observer(self, observer: Observer) -> None:
        """Let `observer` hear of no more progress; nothing happens if it did not."""
        if observer in self._observers:
            self._observers.remove(observer)

    def new_job(self) -> int:
        """Begin a job and return its id, 1 for the first."""
        self.job_id += 1
        for observer in self._observers:
            observer.new_job(self.job_id)
        return self.job_id

    def notify_observers(self, progress: int, message: str = "", job_id: int = 0) -> None:
        """Tell all observers of progress, in percent."""
        for observer in self._observers:
            observer.notify_progress(progress, message, job_id)

    def notify(self, message: str, job_id: int = 0) -> None:
        """Tell all observers a message."""
        for observer in self._observers:
            observer.notify(message, job_id)

    def notify_warning(self, message: str, job_id: int = 0) -> None:
        """Tell all observers of something that may be wrong."""
        for observer in self._observers:
            observer.notify_warning(message, job_id)

    def notify_error(self, message: str, job_id: int = 0) -> None:
        """Tell all observers of something that went wrong."""
        for observer in self._observers:
            observer.notify_error(message, job_id)

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        """Tell all observers of progress, in percent."""
        self.notify_observers(progress, message, job_id)
