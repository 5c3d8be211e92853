"""One operation in a process of its own, so that nothing is warm but the disk: time, CPU and peak memory as JSON.

python worker.py MODULE FUNCTION [ARGUMENT ...]
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path


class Clock(contextlib.AbstractContextManager["Clock"]):
    """Measures what is done inside of it; `facts` are what else an operation has to tell."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0
        self.facts: dict[str, float] = {}

    def __enter__(self) -> Clock:
        self._started, self._cpu_started = time.perf_counter(), _cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started
        self.cpu += _cpu() - self._cpu_started


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def make_sources(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    noise = os.urandom(4096 + count)
    for number in range(count):
        (folder / f"cell_{number:06}_w{number % 96:02}_p{number % 7}.tif").write_bytes(noise[number : number + 4096])


def main() -> None:
    module, function, *arguments = sys.argv[1:]
    clock = Clock()
    getattr(importlib.import_module(module), function)(clock, *arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
    print(json.dumps({"seconds": clock.seconds, "cpu": clock.cpu, "peak_mb": peak, **clock.facts}))


if __name__ == "__main__":
    main()
