"""A few threads that work through many tasks, and how one asks them to stop."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Stop", "default_workers", "work_through"]

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")


class Stop:
    """How one asks a job to stop: once to finish what runs and start nothing more, twice to end what runs.

    Attributes
    ----------
    starting
        Set when nothing more is to be started.
    running
        Set when what runs is to be ended.
    """

    def __init__(self) -> None:
        self.starting = threading.Event()
        self.running = threading.Event()

    def request(self) -> None:
        """Ask to stop; the second time, to stop now."""
        if self.starting.is_set():
            self.running.set()
        self.starting.set()

    def now(self) -> None:
        """Ask to stop now."""
        self.starting.set()
        self.running.set()


def default_workers() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def work_through(
    tasks: Iterable[Task], do: Callable[[Task], Result], workers: int, stop: Stop, heard: Callable[[Result], None]
) -> None:
    """Do every task, several at a time; a task is made when its turn comes.

    A keyboard interrupt asks to `stop`, and the wait goes on until what runs has ended.

    Parameters
    ----------
    do
        Called in several threads at once.
    heard
        Gets each result, in the calling thread; what it raises is logged, except a keyboard interrupt.

    Raises
    ------
    Exception
        What a task raised, after those that ran beside it have ended; nothing more was started then.
    """
    crew = _Crew(iter(tasks), do, stop)
    waiting = [threading.Thread(target=crew.work, name=f"job-{n}", daemon=True) for n in range(max(1, workers))]
    threads: list[threading.Thread] = []
    while waiting or any(thread.is_alive() for thread in threads) or not crew.results.empty():
        try:
            while waiting:
                threads.append(waiting.pop())
                threads[-1].start()
            heard(crew.results.get(timeout=0.1))
        except Empty:
            continue
        except KeyboardInterrupt:
            stop.request()
        except Exception:
            logger.exception("whoever hears of a job's progress failed")
    if crew.failure is not None:
        raise crew.failure


class _Crew(Generic[Task, Result]):
    def __init__(self, tasks: Iterator[Task], do: Callable[[Task], Result], stop: Stop) -> None:
        self.results: SimpleQueue[Result] = SimpleQueue()
        self.failure: BaseException | None = None
        self._tasks = tasks
        self._do = do
        self._stop = stop
        self._turn = threading.Lock()

    def work(self) -> None:
        try:
            while True:
                with self._turn:
                    if self._stop.starting.is_set():
                        return
                    try:
                        task = next(self._tasks)
                    except StopIteration:
                        return
                self.results.put(self._do(task))
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            self.failure = self.failure or error
            self._stop.starting.set()
