"""Run a server for as long as one of the processes that use it lives, also where none could say good-bye.

Usage: guarded.py DIRECTORY COMMAND...; DIRECTORY/state.json lists the users.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

_START_WITHIN = 180.0  # seconds
_LOOK_EVERY = 2.0


def is_used(directory: str, started: float) -> bool:
    try:
        with open(os.path.join(directory, "state.json"), encoding="utf-8") as file:
            users = json.load(file)["users"]
    except (OSError, ValueError):
        return os.path.isdir(directory) and time.monotonic() - started < _START_WITHIN
    return any(os.path.exists(f"/proc/{pid}") for pid in users) if os.path.isdir("/proc") else True


def main(directory: str, command: list[str]) -> None:
    started = time.monotonic()
    with subprocess.Popen(command) as server:
        signal.signal(signal.SIGTERM, lambda *_: server.kill())
        while server.poll() is None:
            try:
                server.wait(_LOOK_EVERY)
            except subprocess.TimeoutExpired:
                if not is_used(directory, started):
                    server.kill()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
