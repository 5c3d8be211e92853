"""A Slurm of one node, without systemd: everything in one directory, on this machine alone, ended by process id.

python slurm.py DIRECTORY        starts it, prints the variables to set, and ends it when interrupted
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
CONF = """\
ClusterName=bioimageit
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={port}
SlurmdPort={port_d}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
ReturnToService=2
MinJobAge=300
InactiveLimit=0
KillWait=5
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE OverTimeLimit=0 State=UP
PartitionName=other Nodes={host} MaxTime=10 State=UP
"""


def why_not() -> str:
    """Say why it cannot be started here; empty if it can."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as root only"


class Slurm:
    """The daemons of one node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._env = dict(os.environ, SLURM_CONF=str(self.conf))
        self._env["PATH"] = os.pathsep.join([self._env.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

    def start(self) -> None:
        host = socket.gethostname().partition(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        port, port_d = _free_ports(2)
        self.conf.write_text(
            CONF.format(folder=self.folder, host=host, user="root", port=port, port_d=port_d, cpus=os.cpu_count() or 1)
        )
        # its directory may be one that others can write to; the key is this process's own
        places = [
            f"--{what}={self.folder / name}" for what, name in (("key-file", "munge.key"), ("socket", "munge.sock"))
        ]
        places += [
            f"--{what}={self.folder / f'munged.{end}'}" for what, end in (("pid-file", "pid"), ("log-file", "log"))
        ]
        self._run("munged", "--foreground", "--force", *places, f"--seed-file={self.folder / 'munge.seed'}")
        _wait(lambda: (self.folder / "munge.sock").exists(), "munged", self.folder)
        self._run("slurmctld", "-D", "-c")
        self._run("slurmd", "-D", "-N", host)
        _wait(lambda: b"idle" in self.ask("sinfo", "-h", "-o", "%t"), "the node to be idle", self.folder)

    def ask(self, *argv: str) -> bytes:
        return subprocess.run(argv, env=self._env, capture_output=True, check=False, timeout=60).stdout

    def stop(self) -> None:
        self.ask("scancel", "--me")
        deadline = time.monotonic() + 10
        while self.ask("squeue", "--me", "-h").strip() and time.monotonic() < deadline:
            time.sleep(0.2)
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()

    def _run(self, *argv: str) -> None:
        with (self.folder / f"{argv[0]}.err").open("wb") as log:
            program = shutil.which(argv[0], path=self._env["PATH"]) or argv[0]
            command = [program, *argv[1:]]
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env)
            )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait(is_so: object, what: str, folder: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        if time.monotonic() > deadline:
            said = "".join(path.read_text("utf-8", "replace")[-2000:] for path in sorted(folder.glob("*.err")))
            raise RuntimeError(f"waited {seconds:g} s for {what}: {said}")
        time.sleep(0.1)


if __name__ == "__main__":
    running = Slurm(Path(sys.argv[1]).resolve())
    try:
        running.start()
        sys.stdout.write(f"export SLURM_CONF={running.conf}\n")
        sys.stdout.flush()
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        running.stop()
