"""The log file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bioimageit_core.core.logs import start_log

Start = Callable[..., None]


@pytest.fixture
def start() -> Iterator[Start]:
    stops = []
    logger = logging.getLogger("bioimageit_core")
    level = logger.level

    def begin(directory: Path, mask: Callable[[str], str] = str, debug: bool = True) -> None:
        stops.append(start_log(str(directory), mask, debug=debug))

    yield begin
    for stop in stops:
        stop()
    logger.setLevel(level)


def text_of(directory: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in directory.iterdir())


def test_nothing_is_made_before_there_is_something_to_write(tmp_path: Path, start: Start) -> None:
    start(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()

    logging.getLogger("bioimageit_core.x").info("hello %s", "world")

    assert "INFO bioimageit_core.x: hello world" in text_of(tmp_path / "logs")


def test_without_debug_only_what_is_wrong_is_written(tmp_path: Path, start: Start) -> None:
    start(tmp_path, debug=False)

    logging.getLogger("bioimageit_core").info("quiet")
    logging.getLogger("bioimageit_core").warning("loud")

    assert "quiet" not in text_of(tmp_path)
    assert "loud" in text_of(tmp_path)


def test_secrets_reach_neither_message_nor_traceback(tmp_path: Path, start: Start) -> None:
    start(tmp_path, lambda text: text.replace("xyzzy", "***"))

    try:
        raise ValueError("refused: xyzzy")
    except ValueError:
        logging.getLogger("bioimageit_core").exception("login with %s", "xyzzy")

    assert "xyzzy" not in text_of(tmp_path)
    assert "Traceback" in text_of(tmp_path)


def test_no_text_can_pass_for_a_record(tmp_path: Path, start: Start) -> None:
    start(tmp_path)

    logging.getLogger("bioimageit_core").info("name a\n2020-01-01 ERROR forged")

    assert [line for line in text_of(tmp_path).splitlines() if line.startswith("2020")] == []


def test_a_log_that_cannot_be_written_is_said_once_and_stops_nothing(
    tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    start(tmp_path / "file" / "logs")

    logging.getLogger("bioimageit_core").info("one")
    logging.getLogger("bioimageit_core").info("two")

    assert [record.getMessage() for record in caplog.records if "no log is written" in record.getMessage()]
    assert len([record for record in caplog.records if "no log is written" in record.getMessage()]) == 1


def test_an_ended_log_gets_no_more(tmp_path: Path) -> None:
    stop = start_log(str(tmp_path), str, debug=True)
    stop()

    logging.getLogger("bioimageit_core").warning("late")

    assert list(tmp_path.iterdir()) == []
