"""Ends what a worker left running: a worker that was killed can no longer do it, and its items run again elsewhere.

Started by the worker as a program of its own, with the value that marks the processes of the worker's commands; the
worker's end shows as the end of the standard input. Reads ``/proc``, and does nothing where that is not.
"""

import os
import signal
import sys

MARK = "BIOIMAGEIT_DASK_WORKER"


def end_marked(mark: str) -> int:
    """End every process that has the mark in its environment; return how many there were."""
    wanted = f"{MARK}={mark}".encode()
    found = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                is_marked = wanted in file.read().split(b"\0")
            if is_marked:
                os.kill(int(name), signal.SIGKILL)
                found += 1
        except OSError:  # it has ended, or is not ours
            continue
    return found


if __name__ == "__main__":
    while sys.stdin.buffer.read(4096):
        pass
    while end_marked(sys.argv[1]):  # again, for what those started meanwhile
        pass
