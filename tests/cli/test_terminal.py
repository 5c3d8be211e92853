from __future__ import annotations

import os
import pty
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.cli import main, output
from bioimageit_core.cli.completion import complete_experiment, complete_tool
from bioimageit_core.cli.paging import show_pages
from bioimageit_core.cli.progress import ProgressObserver

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("query My", ["Mycells"]),
        ("query Other", []),
        ("query ", ["Mycells"]),
        ("show ", ["Mycells"]),
        ("show Mycells d", ["data"]),
        ("query Mycells -d d", ["data"]),
        ("query nothing -d d", []),
        ("run Mycells gaussian_f", ["gaussian_filter_v1.0.0"]),
        ("annot", ["annotate"]),
    ],
)
def test_the_shell_completes_names(process: Run, experiment: str, config: Path, words: str, found: list[str]) -> None:
    line = f"bioimageit {words}"
    done = process(
        COMP_WORDS=line,
        COMP_CWORD=str(len(line.split(" ")) - 1),
        _BIOIMAGEIT_CORE_COMPLETE="complete_bash",
        _BIOIMAGEIT_COMPLETE="complete_bash",
        BIOIMAGEIT_CONFIG=str(config),
    )

    assert done.stdout.split() == found
    assert done.stderr == ""


def test_a_completion_that_fails_completes_nothing() -> None:
    class Broken:
        obj = None

        def find_root(self) -> None:
            raise RuntimeError

    assert complete_experiment(Broken(), "a") == []  # type: ignore[arg-type]
    assert complete_tool(Broken(), "a") == []  # type: ignore[arg-type]


def test_pages_go_to_the_pager_as_they_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "pager.py"
    script.write_text(f"import sys\nopen({str(seen)!r}, 'w').write(sys.stdin.read())\n")
    monkeypatch.setenv("PAGER", f"{sys.executable} {script}")

    show_pages(iter(["one\n", "two é\n"]))

    assert seen.read_text(encoding="utf-8") == "one\ntwo é\n"


def test_a_pager_that_is_left_early_stops_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "pager.py"
    script.write_text("import sys\nsys.stdin.readline()\n")
    monkeypatch.setenv("PAGER", f"{sys.executable} {script}")
    made = []

    def pages() -> Iterator[str]:
        for number in range(100_000):
            made.append(number)
            yield f"{number}{'x' * 1000}\n"

    show_pages(pages())

    assert len(made) < 100_000


def test_without_a_pager_pages_are_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("PAGER", raising=False)

    show_pages(["one\n"])

    assert capsys.readouterr().out == "one\n"


def test_long_tables_begin_before_their_last_row_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    pages: list[str] = []
    made_at_page: list[int] = []

    def rows() -> Iterator[tuple[int, str]]:
        for number in range(1000):
            made.append(number)
            yield number, f"data {number}"

    def read(texts: Iterator[str]) -> None:
        for text in texts:
            pages.append(text)
            made_at_page.append(len(made))

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(output, "show_pages", read)
    output.show_table(["number", "name"], rows())

    assert made_at_page[0] == 200
    assert made_at_page[-1] == 1000
    text = "".join(pages)
    assert text.count("number") == 1
    assert "data 999" in text


def test_a_table_for_people_is_drawn_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    wide = "x" * 150

    output.show_table(["name", "value"], [("a\x1b[2J", wide)], is_drawn=True)

    out = capsys.readouterr().out
    assert wide in out
    assert "\x1b" not in out


def test_warnings_and_errors_are_heard_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressObserver("working") as observer:
        observer.notify_progress(50, "half")
        observer.notify("a message")
        observer.notify_warning("mind\x1b[2J")
        observer.notify_error("a.tif: bad")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "warning: mind?[2J\na.tif: bad\n"


def test_warnings_stand_beside_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    parent, child = pty.openpty()
    with os.fdopen(child, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with ProgressObserver("working") as observer:
            observer.notify("[bold]a message[/bold]")
            observer.notify_warning("[red]mind[/red]")
            observer.notify_progress(50, "half")
    drawn = os.read(parent, 65536).decode()
    os.close(parent)

    assert "warning: [red]mind[/red]" in drawn
    assert "working" in drawn


def test_main_exits_with_the_command_s_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["query"])

    assert caught.value.code == 2
    assert "Missing argument" in capsys.readouterr().err


def test_what_a_plugin_can_is_listed(bioimageit: Run) -> None:
    out = bioimageit("plugins", "check", "LOCAL", "--kind", "data", "--no-kit").out

    assert out.startswith("data plugin LOCAL from ")
    assert "It keeps the contract." in out
    assert "optional ability\t" in out
    assert "LOCAL\tdata\tok\t" in bioimageit("plugins", "list").out


def test_lineage_tells_of_what_is_missing(bioimageit: Run, experiment: str, workspace: Path) -> None:
    bioimageit("run", experiment, "gaussian_filter", "-i", "input=data:name=t2", "-o", "blurred")
    (made,) = bioimageit("query", experiment, "-d", "blurred", "--json").json["data"]
    (workspace / "Mycells" / "data" / "p1_t2.md.json").unlink()

    tree = bioimageit("lineage", experiment, "blurred", made["uuid"], "--json")

    assert tree.status == 0
    run = tree.json["made_from"][0]
    assert [node["role"] for node in run["made_from"]] == ["missing"]
    assert "missing: " in bioimageit("lineage", experiment, "blurred", made["uuid"]).out


@pytest.mark.parametrize(
    "url", ["ftp://ada:xyzzy@127.0.0.1:1/x", "ftp://ada:p@xyzzy@127.0.0.1:1/x", "ftp://127.0.0.1:1/x?token=xyzzy&a=1"]
)
@pytest.mark.parametrize("words", ["show", "import Mycells", "transfer Mycells", "export Mycells --ro-crate"])
def test_no_error_shows_a_secret_of_a_url(bioimageit: Run, experiment: str, words: str, url: str) -> None:
    done = bioimageit(*words.split(), url)
    assert done.status != 0
    assert "127.0.0.1" in done.err
    assert "xyzzy" not in done.err + done.out


def test_an_export_to_a_url_makes_no_folder_of_that_name(
    bioimageit: Run, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.listdir(tmp_path)
    done = bioimageit("export", "Mycells", "s3://bucket/x", "--ro-crate")
    assert (done.status, os.listdir(tmp_path)) == (2, before)
    assert "is a URL" in done.err
