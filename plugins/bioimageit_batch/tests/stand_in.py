"""Stands in for the programs of PBS Pro and LSF, whose servers cannot be had freely: called by their names.

It keeps a JSON document per batch job in ``$STAND_IN_DIR``, executes the script of each at once, in a session of its
own, and answers in the words of the real ones, as far as these are documented.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["STAND_IN_DIR"])
NAME = Path(sys.argv[0]).name
VARIABLES = {"qsub": ("PBS_JOBID", ".stand-in"), "bsub": ("LSB_JOBID", "")}


def path_of(number):
    return FOLDER / f"{number}.json"


def write(number, **facts):
    path = path_of(number)
    known = json.loads(path.read_text()) if path.exists() else {}
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps({**known, **facts}))
    new.replace(path)


def submit(script):
    variable, suffix = VARIABLES[NAME]
    number = 1 + len(list(FOLDER.glob("*.json")))
    write(number, state="Q", script=Path(script).read_text())
    env = {**os.environ, variable: f"{number}{suffix}"}
    code = [sys.executable, str(Path(__file__).resolve()), "--run", str(number), script]
    subprocess.Popen(
        code, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    return number


def run(number, script):
    process = subprocess.Popen(["bash", script])
    write(number, state="R", pid=os.getpid())
    signal.signal(signal.SIGTERM, lambda *_: None)  # it is for those in the script
    status = process.wait()
    write(number, state="F", status=status if status >= 0 else 256 - status)


def end(number):
    facts = json.loads(path_of(number).read_text())
    write(number, killed=True)
    if facts["state"] == "R":
        os.killpg(facts["pid"], signal.SIGTERM)
        for entry in Path("/proc").glob("[0-9]*"):  # commands have sessions of their own
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            ids = {f"{name}={number}{suffix}".encode() for name, suffix in VARIABLES.values()}
            is_own = f"STAND_IN_DIR={FOLDER}".encode() in variables and not ids.isdisjoint(variables)
            if is_own and int(entry.name) not in (os.getpid(), facts["pid"]):
                with contextlib.suppress(OSError):
                    os.kill(int(entry.name), signal.SIGTERM)


def numbers(arguments):
    return [argument for argument in arguments if argument.partition(".")[0].isdigit()]


def qsub(arguments):
    print(f"{submit(arguments[-1])}.stand-in")


def qstat(arguments):
    jobs, unknown = {}, False
    for native_id in numbers(arguments):
        path = path_of(native_id.partition(".")[0])
        if not path.exists():
            unknown = True
            print(f"qstat: Unknown Job Id {native_id}", file=sys.stderr)
            continue
        facts = json.loads(path.read_text())
        jobs[native_id] = {"Job_Name": "bioimageit", "job_state": facts["state"]}
        if facts["state"] == "F":
            jobs[native_id]["Exit_status"] = 271 if facts.get("killed") else facts["status"]
        if facts.get("comment"):
            jobs[native_id]["comment"] = facts["comment"]
    print(json.dumps({"timestamp": int(time.time()), "pbs_version": "20.0.0", "Jobs": jobs}))
    return 153 if unknown else 0


def qdel(arguments):
    for native_id in arguments:
        number = native_id.partition(".")[0]
        if json.loads(path_of(number).read_text())["state"] == "F":
            print("qdel: Job has finished", file=sys.stderr)
            return 35
        end(number)
    return 0


def bsub(arguments):
    print(f"Job <{submit(arguments[-1])}> is submitted to default queue <normal>.")


def bjobs(arguments):
    records = []
    for number in numbers(arguments):
        if not path_of(number).exists():
            records.append({"JOBID": number, "ERROR": f"Job <{number}> is not found"})
            continue
        facts = json.loads(path_of(number).read_text())
        over = "DONE" if facts.get("status") == 0 else "EXIT"
        state = {"Q": "PEND", "R": "RUN", "F": "EXIT" if facts.get("killed") else over}[facts["state"]]
        reason = "TERM_OWNER: job killed by owner" if facts.get("killed") else ""
        records.append({"JOBID": number, "STAT": state, "EXIT_REASON": reason, "KILL_REASON": "", "SUSPEND_REASON": ""})
    print(json.dumps({"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records}))
    return 255 if any("ERROR" in record for record in records) else 0


def bkill(arguments):
    for number in arguments:
        if json.loads(path_of(number).read_text())["state"] == "F":
            print(f"Job <{number}>: Job has already finished", file=sys.stderr)
            return 255
        end(number)
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        run(sys.argv[2], sys.argv[3])
    else:
        sys.exit(globals()[NAME](sys.argv[1:]) or 0)
