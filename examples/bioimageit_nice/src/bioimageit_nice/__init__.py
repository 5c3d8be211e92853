"""A runner plugin that executes tools with a low priority, so that the machine stays usable."""

import shutil
import subprocess
from typing import Any

from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins.process import local_environment

plugin_info = {"name": "NICE", "type": "runner", "builder": "NiceRunnerServiceBuilder"}


class NiceRunnerServiceBuilder:
    """Make the service once, and return the same one always."""

    def __init__(self) -> None:
        self._instance: NiceRunnerService | None = None

    def __call__(self, niceness: int = 10, **_ignored: Any) -> "NiceRunnerService":
        if not self._instance:
            self._instance = NiceRunnerService(niceness)
        return self._instance


class NiceRunnerService:
    """Execute commands under ``nice``; it inherits from nothing."""

    def __init__(self, niceness: int) -> None:
        self.niceness = niceness

    # --8<-- [start:methods]
    def set_up(self, tool: Any, job_id: int = 0) -> None:
        if shutil.which("nice") is None:
            raise RunnerExecError("the program 'nice' is not there: install your system's coreutils, or choose LOCAL")

    def exec(self, tool: Any, args: list[str], job_id: int = 0) -> None:
        command = ["nice", "-n", str(self.niceness), *args]
        done = subprocess.run(
            command, env=local_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or [""])[-1]
            message = f"{args[0]!r} failed with exit status {done.returncode}: {last}"
            raise RunnerExecError(message, command, done.returncode, done.stderr[-8192:])

    def tear_down(self, tool: Any, job_id: int = 0) -> None:
        """Nothing was set up that would have to go."""

    # --8<-- [end:methods]
