"""One writer at a time: a lock ends with its owner, tells for whom one waits, and says where it does not work."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import ConflictError
from bioimageit_core.plugins.store import locks

HOLDER = textwrap.dedent(
    """
    import sys
    from bioimageit_core.plugins.store.locks import ExperimentLock

    with ExperimentLock(sys.argv[1]).held():
        print("held", flush=True)
        sys.stdin.read()
    """
)


@pytest.fixture
def ours(experiment: Experiment) -> str:
    return str(Path(experiment.md_uri).parent / ".bioimageit")


@pytest.fixture
def holder(ours: str) -> Iterator[subprocess.Popen[str]]:
    """Give another process, which holds the lock until its standard input ends."""
    command = [sys.executable, "-c", HOLDER, ours]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.kill()


@pytest.fixture
def update(service: Any, experiment: Experiment) -> Callable[[], None]:
    def run() -> None:
        experiment.author = "grace"
        service.update_experiment(experiment)

    return run


def test_a_lock_whose_owner_was_killed_is_taken_over(
    holder: subprocess.Popen[str], update: Callable[[], None], service: Any, experiment: Experiment
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    update()
    assert service.get_experiment(experiment.md_uri).author == "grace"


def test_who_waits_is_told_for_whom_and_goes_on_when_it_ends(
    holder: subprocess.Popen[str],
    update: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(locks, "_TELL_AFTER", 0.01)
    told = threading.Event()

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    handler = Told()
    logging.getLogger(locks.__name__).addHandler(handler)
    try:
        waiting = threading.Thread(target=update)
        waiting.start()
        assert told.wait(60)
        assert holder.stdin
        holder.stdin.close()
        waiting.join(60)
        assert not waiting.is_alive()
    finally:
        logging.getLogger(locks.__name__).removeHandler(handler)
    assert f"process {holder.pid} on " in caplog.text
    assert "waiting for" in caplog.text


def test_who_waited_too_long_is_told_who_holds_the_lock(
    holder: subprocess.Popen[str], update: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_TELL_AFTER", 0.01)
    monkeypatch.setattr(locks, "_GIVE_UP_AFTER", 0.02)
    with pytest.raises(ConflictError, match=f"process {holder.pid} on .*end that process, or try again"):
        update()


def test_a_reader_waits_for_nobody(holder: subprocess.Popen[str], service: Any, experiment: Experiment) -> None:
    assert service.get_experiment(experiment.md_uri).author == "ada"
    assert service.get_dataset(experiment.raw_dataset.url).uris == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_filesystem_without_locks_is_told_and_work_goes_on(
    service: Any,
    update: Callable[[], None],
    experiment: Experiment,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    import fcntl

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    update()
    update()
    assert service.get_experiment(experiment.md_uri).author == "grace"
    assert caplog.text.count("locks do not work") == 1


def test_the_command_line_shows_for_whom_it_waits(holder: subprocess.Popen[str], experiment: Experiment) -> None:
    script = textwrap.dedent(
        """
        import sys
        from bioimageit_core.cli import main
        from bioimageit_core.plugins.store import locks

        locks._TELL_AFTER, locks._GIVE_UP_AFTER = 0.01, 0.02
        sys.argv[0] = "bioimageit"
        main()
        """
    )
    root = str(Path(experiment.md_uri).parent)
    ended = subprocess.run(
        [sys.executable, "-c", script, "undo", root, "0"], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 1
    waiting, error = ended.stderr.splitlines()
    assert f"process {holder.pid} on" in waiting
    assert "is held by" in error
