"""What becomes of commands: output, limits, and whatever they leave behind."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from bioimageit_core.core.command import Command, CommandState
from bioimageit_core.core.exceptions import RunnerExecError
from bioimageit_core.plugins import process
from bioimageit_core.plugins.process import TAIL_BYTES, end_strays, run_process

linux = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks at processes through /proc")


def python(code: str, cwd: Path, *arguments: str, **more: object) -> Command:
    return Command([sys.executable, "-c", code, *arguments], str(cwd), **more)  # type: ignore[arg-type]


def lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def gone_soon(pid: int, seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not lives(pid)


def test_a_command_gives_its_exit_status_and_what_it_wrote(tmp_path: Path) -> None:
    finished = run_process(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path))

    assert (finished.exit_status, finished.stdout, finished.stderr) == (3, "out\n", "err\n")
    assert finished.state is CommandState.ENDED
    assert finished.host


@pytest.mark.parametrize("value", ["a b;c.tif", "$(touch hurt)", "`touch hurt`", "a'b\"c", "*", "", "é\n"])
def test_a_value_stays_one_argument(tmp_path: Path, value: str) -> None:
    finished = run_process(python("import sys; sys.stdout.write(sys.argv[1])", tmp_path, value))

    assert finished.stdout == value
    assert os.listdir(tmp_path) == []


def test_it_runs_in_its_directory_with_its_variables(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ['BLUR'])"

    finished = run_process(python(code, tmp_path, env={"BLUR": "x y"}))

    assert finished.stdout.strip() == f"{os.path.realpath(tmp_path)} x y"


def test_standard_input_is_closed(tmp_path: Path) -> None:
    finished = run_process(python("import sys; print(repr(sys.stdin.read()))", tmp_path, timeout=20))

    assert finished.stdout.strip() == "''"


def test_a_signal_is_reported_as_such(tmp_path: Path) -> None:
    finished = run_process(python("import os; os.kill(os.getpid(), 11)", tmp_path))

    assert finished.exit_status == -signal.SIGSEGV


def test_a_program_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunnerExecError, match=r"'no-such-tool' is not on the path .*; ask your administrator"):
        run_process(Command(["no-such-tool"], str(tmp_path)), hint="ask your administrator")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "no command"),
        (["/nowhere/tool"], "does not exist"),
        (["true", "a\0b"], "null byte in its arguments"),
        (["true", "x" * 5_000_000], "too long"),
        (["/"], "Permission denied"),
    ],
)
def test_what_cannot_be_started_says_why(tmp_path: Path, argv: list[str], expected: str) -> None:
    with pytest.raises(RunnerExecError, match=expected) as caught:
        run_process(Command(argv, str(tmp_path)))

    assert list(caught.value.command) == argv
    assert caught.value.exit_status is None


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunnerExecError, match=r"its directory .*gone' does not exist"):
        run_process(Command(["true"], str(tmp_path / "gone")))


def test_the_interpreters_programs_come_first_on_the_path(tmp_path: Path) -> None:
    finished = run_process(Command(["python", "-c", "import sys; print(sys.executable)"], str(tmp_path)))

    assert os.path.dirname(finished.stdout.strip()) == os.path.dirname(sys.executable)


def test_a_gigabyte_of_stderr_keeps_its_end_and_no_memory(tmp_path: Path) -> None:
    code = (
        "import os\nblock = b'x' * (1 << 20)\n"
        "for _ in range(1024):\n    view = memoryview(block)\n    while view: view = view[os.write(2, view):]\n"
        "os.write(2, b'the end')"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    finished = run_process(python(code, tmp_path))

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert finished.exit_status == 0
    assert finished.stderr.endswith("the end")
    assert f"[... {(1 << 30) + 7 - TAIL_BYTES} bytes left out ...]" in finished.stderr
    assert grown < 32 * 1024, "kilobytes"


def test_bytes_that_are_no_text_are_shown_somehow(tmp_path: Path) -> None:
    assert run_process(python("import os; os.write(2, b'\\xff\\xfe')", tmp_path)).stderr == "\ufffd\ufffd"


def test_a_timeout_ends_the_command_and_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )

    finished = run_process(python(code, tmp_path, timeout=1.0))

    assert finished.state is CommandState.TIMED_OUT
    assert finished.reason == "took longer than 1 s"
    assert finished.seconds < 10
    assert gone_soon(int(finished.stdout))


def test_a_command_that_ignores_the_request_to_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.2)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"

    finished = run_process(python(code, tmp_path, timeout=1.0))

    assert finished.exit_status == -signal.SIGKILL
    assert finished.state is CommandState.TIMED_OUT


def test_a_stop_ends_the_command(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()

    finished = run_process(python("import time; time.sleep(60)", tmp_path), stop=stop)

    assert finished.state is CommandState.CANCELLED
    assert finished.seconds < 10


def test_a_stop_that_is_set_already_starts_nothing(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()

    finished = run_process(python("open('seen', 'w')", tmp_path), stop=stop)

    assert finished.state is CommandState.CANCELLED
    assert os.listdir(tmp_path) == []


@linux
def test_too_much_memory_ends_the_command(tmp_path: Path) -> None:
    code = "import time; held = bytearray(200 << 20)\nfor i in range(0, len(held), 4096): held[i] = 1\ntime.sleep(60)"

    finished = run_process(python(code, tmp_path, memory=100 << 20, timeout=30))

    assert finished.state is CommandState.OUT_OF_MEMORY
    assert "the limit is 100 MiB" in finished.reason


@linux
@pytest.mark.parametrize("detached", [False, True], ids=["in its group", "in a session of its own"])
def test_a_child_that_hangs_after_its_parent_is_ended(tmp_path: Path, detached: bool) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], "
        f"start_new_session={detached})\n"
        "print(child.pid)"
    )

    finished = run_process(python(code, tmp_path))

    assert finished.exit_status == 0
    assert finished.seconds < 10
    assert gone_soon(int(finished.stdout))


@linux
def test_a_child_that_ends_soon_may_finish(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.1); open(\"written\", \"w\")'])"
    )

    run_process(python(code, tmp_path))

    assert os.listdir(tmp_path) == ["written"]


@linux
def test_strays_are_found_by_their_token(tmp_path: Path) -> None:
    daemon = "import os, sys, time\nprint(os.getpid(), file=open('pid', 'w'))\ntime.sleep(60)"
    code = (
        "import subprocess, sys, time, os\n"
        f"subprocess.Popen([sys.executable, '-c', {daemon!r}], start_new_session=True, "
        "stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "while not os.path.exists('pid') or not open('pid').read().endswith('\\n'): time.sleep(0.01)"
    )
    run_process(python(code, tmp_path), token="this-test-7-")
    pid = int((tmp_path / "pid").read_text())

    assert lives(pid)
    assert end_strays("this-test-7") == 1
    assert gone_soon(pid)


def test_no_token_finds_nobody() -> None:
    assert end_strays("") == 0


def test_without_a_process_descriptor_the_end_is_noticed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_open_pidfd", lambda pid: -1)

    finished = run_process(python("import os, time; os.close(1); os.close(2); time.sleep(0.1)", tmp_path))

    assert finished.exit_status == 0
    assert finished.seconds < 10


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    if not os.path.isdir("/dev/fd"):
        pytest.skip("no list of descriptors")
    before = len(os.listdir("/dev/fd"))

    for _ in range(5):
        run_process(Command([shutil.which("true") or "true"], str(tmp_path)))

    assert len(os.listdir("/dev/fd")) == before
