from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import RunnerExecError, ToolsServiceError
from bioimageit_core.core.wrappers import lint_tool
from bioimageit_core.jobs.tool_tests import ToolTestReport, find_wrappers, run_tool_tests

PUBLISHED = Path(__file__).parent / "published"


def _squares() -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = np.zeros((24, 32), dtype=np.uint8)
    image[3:9, 4:11] = 200
    image[12:18, 15:22] = 180
    return image


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give wrappers as laboratories publish them, with their test data."""
    top = tmp_path_factory.mktemp("published")
    shutil.copytree(PUBLISHED, top, dirs_exist_ok=True)
    data = top / "tools" / "threshold" / "test-data"
    data.mkdir()
    squares = _squares()
    tifffile.imwrite(data / "squares.tif", squares)
    Image.fromarray(squares).save(data / "squares.png")
    labels = (squares > 190).astype(np.uint16) * 2 + ((squares > 0) & (squares < 190)).astype(np.uint16)
    tifffile.imwrite(data / "labels.tif", labels)
    (data / "not_an_image.tif").write_text("no image")
    data = top / "tools" / "tables" / "test-data"
    data.mkdir()
    (data / "a.tsv").write_text("label\tarea\n1\t2.5\n2\t5.5\n")
    (data / "b.tsv").write_text("label\tarea\n1\t9.5\n")
    (data / "one_column.tsv").write_text("label\n1\n")
    (data / "joined.tsv").write_text("label\tarea\tsource\n1\t2.5\ta.tsv\n2\t5.5\ta.tsv\n1\t9.5\tb.tsv\n")
    (data / "a_sorted.tsv").write_text("2\t5.5\ta.tsv\n1\t2.4\ta.tsv\nlabel\tarea\tsource\n")
    (data / "a_contains.txt").write_text("5.5\tb\n2.5\ta\n".replace("\tb", "\ta"))
    (data / "a_re.txt").write_text("label.*\n1\t\\d\\.5\t.*\n\\d.*\n")
    (data / "a_re_all.txt").write_text("label.*\n1\t2.5\ta.tsv\n2")
    data = top / "tools" / "split" / "test-data"
    data.mkdir()
    stack = np.arange(60, dtype=np.uint16).reshape(2, 5, 6)
    tifffile.imwrite(data / "stack.tif", stack, metadata={"axes": "CYX"}, imagej=True)
    tifffile.imwrite(data / "c_0.tif", stack[0])
    data = top / "test-data"
    data.mkdir()
    (data / "f.txt").write_text("forward\n")
    (data / "r.txt").write_text("reverse\n")
    return top


def _statuses(report: ToolTestReport) -> list[tuple[str, int, str, str]]:
    return [(result.tool, result.number, result.status, result.reason) for result in report.results]


@pytest.mark.parametrize(("folder", "count"), [("threshold", 5), ("tables", 4), ("split", 2), ("inline", 1)])
def test_the_tests_of_published_wrappers_pass(published: Path, folder: str, count: int) -> None:
    report = run_tool_tests([published / "tools" / folder], workers=2)

    assert [status[2:] for status in _statuses(report)] == [("pass", "")] * count
    assert report.is_ok
    assert report.as_dict()["counts"] == {"pass": count, "fail": 0, "error": 0, "skip": 0}


def test_published_wrappers_have_no_errors_to_lint(published: Path) -> None:
    for path in find_wrappers([published]):
        assert [str(message) for message in lint_tool(path) if message.level == "error"] == []


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    shutil.copytree(published, tmp_path / "p")
    return tmp_path / "p"


@pytest.mark.parametrize(
    ("folder", "number", "old", "new", "said"),
    [
        ("threshold", 1, 'width="32"', 'width="33"', "has_image_width"),
        ("threshold", 2, 'name="value" value="50"', 'name="value" value="190"', "differ by iou"),
        ("threshold", 2, 'value="labels.tif"', 'value="squares.tif"', "pixels are of type uint16, expected uint8"),
        ("threshold", 3, 'min="50" max="120"/>', 'min="254"/>', "mean intensity"),
        ("threshold", 4, 'expect_exit_code="1"', 'expect_exit_code="2"', "exit status 1, expected 2"),
        ("threshold", 5, 'expect_failure="true">\n            <param name="input" value="squares.tif"', ('><param '
         'name="input" value="squares.tif"'), "-1.0 is not at least 0"),
        ("tables", 1, 'file="joined.tsv"', 'file="a.tsv"', "lines differ"),
        ("tables", 1, 'ftype="tabular" file', 'ftype="json" file', "of type tabular, expected json"),
        ("tables", 2, 'name="columns" value="2"', 'name="columns" value="3"', "columns is 2, expected 3"),
        ("tables", 2, '<has_n_lines n="3"/>', '<has_n_lines n="4"/>', "has_n_lines"),
        ("tables", 2, 'n="2" sep=","', 'n="2" sep="\\t"', "has_n_columns"),
        ("tables", 2, 'line="area,source"', 'line="area"', "has_line"),
        ("tables", 2, 'text="tsv" n="2"', 'text="tsv" n="1"', "has_text"),
        ("tables", 2, 'not_has_text text="label"', 'not_has_text text="area"', "not_has_text"),
        ("tables", 2, 'value="33" delta="10"', 'value="33000"', "has_size"),
        ("tables", 2, "<has_n_lines", "<has_no_lines", "is not known"),
        ("tables", 3, 'lines_diff="2"', 'lines_diff="1"', "2 lines differ, 1 may"),
        ("tables", 3, "a_contains.txt", "b.tsv", "are not contained"),
        ("tables", 3, "a_re.txt", "a_sorted.tsv", "do not match"),
        ("tables", 3, "a_re_all.txt", "b.tsv", "regular expression"),
        ("tables", 3, 'delta="40"', 'delta="2"', "bytes, expected"),
        ("tables", 3, 'compare="sim_size"', 'compare="sim"', "compare='sim' is not known"),
        ("split", 1, 'count="2"', 'count="3"', "expected 3"),
        ("split", 1, 'element name="c_1"', 'element name="c_7"', "no element 'c_7'"),
        ("split", 1, 'type="list" count', 'type="paired" count', "of type list, expected paired"),
        ("split", 1, 'depth="1"', 'depth="2"', "has_image_depth"),
        ("split", 1, 'path="body/p" text="2"', 'path="body/p" text="3"', "element_text_is"),
        ("split", 1, "parts/c_0.tif '$first'", "parts/c_9.tif '$first'", "it failed: exit status 1"),
        ("inline", 1, 'path="m 1" n="1"', 'path="m 1" n="2"', "has_archive_member"),
        ("inline", 1, 'property="n" value="2"', 'property="n" value="3"', "its values are [2]"),
        ("inline", 1, '"nested": [{"name": "x"}]}', '"nested": []}', "expected {"),
        ("inline", 1, 'file="f.txt" decompress="true"', 'file="f.txt"', "the files differ"),
        ("inline", 1, 'md5=""', 'md5="00"', "md5 is"),
        ("inline", 1, 'md5=""', 'checksum="sha256$00"', "sha256 is"),
    ],
)  # fmt: skip
def test_what_is_not_as_expected_fails_and_says_why(
    copied: Path, folder: str, number: int, old: str, new: str, said: str
) -> None:
    (path,) = (copied / "tools" / folder).glob(f"{folder}.xml")
    text = path.read_text()
    macros = copied / "macros" / "tests.xml"
    where = path if old in text else macros
    body = where.read_text()
    # the occurrence that belongs to the test
    start = [match.start() for match in re.finditer("<test[ >]", body)][number - 1] if where == path else 0
    start = start if old in body[start:] else 0
    where.write_text(body[:start] + body[start:].replace(old, new, 1))
    assert where.read_text() != body

    (result,) = run_tool_tests([path], numbers=[number]).results

    assert (result.status, said in result.reason) == ("fail", True), result.reason


def _wrapper(directory: Path, command: str, tests: str, attributes: str = "", inputs: str = "") -> Path:
    path = directory / "tool.xml"
    path.write_text(
        f'<tool id="t" name="T" version="1" profile="23.0" {attributes}><command><![CDATA[{command}]]></command>'
        f'<inputs>{inputs}</inputs><outputs><data name="o" format="txt"/></outputs><tests>{tests}</tests></tool>'
    )
    return path


def test_a_tool_that_writes_nothing_fails_its_test(tmp_path: Path) -> None:
    path = _wrapper(tmp_path, "true", '<test><output name="o"><assert_contents><has_size size="0"/></assert_contents>'
                    "</output></test>")  # fmt: skip
    (result,) = run_tool_tests([path]).results
    assert (result.status, result.reason) == ("fail", "output 'o': there is no file")


def test_a_tool_that_hangs_and_forks_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "survived"
    path = _wrapper(tmp_path, f"(sleep 3; touch {mark}) & sleep 60", '<test maxseconds="1"/>')
    (result,) = run_tool_tests([path]).results
    assert (result.status, result.reason) == ("fail", "it took longer than 1 s")
    assert result.seconds < 30
    assert not mark.exists()


def test_standard_input_is_closed(tmp_path: Path) -> None:
    path = _wrapper(tmp_path, "cat > '$o'", '<test><output name="o"><assert_contents><has_n_lines n="0"/>'
                    "</assert_contents></output></test>")  # fmt: skip
    assert run_tool_tests([path]).count("pass") == 1


@pytest.mark.parametrize(
    ("command", "tests", "attributes", "status", "said"),
    [
        ("x $nope", "<test/>", "", "error", "no 'nope' here"),
        ("true", "", "", "skip", "it has no tests"),
        ("true", "<test/>", 'tool_type="interactive"', "skip", "interactive tool"),
        ("true", '<test><param name="i" value="no.tif"/></test>', "", "skip", "no.tif is not there"),
        ("true", '<test><param name="i" value="../tool.xml"/></test>', "", "skip", "is not there"),
        ("true", '<test><param name="i" location="http://x.org/y.tif"/></test>', "", "skip", "would have to be downl"),
        ("true", '<test><param name="zz" value="1"/></test>', "", "pass", ""),
        ("true", '<test expect_exit_code="x"/>', "", "error", "cannot be read"),
    ],
)
def test_what_cannot_be_run_says_why(
    tmp_path: Path, command: str, tests: str, attributes: str, status: str, said: str
) -> None:
    inputs = '<param name="i" type="data" format="tiff" optional="true"/>'
    (result,) = run_tool_tests([_wrapper(tmp_path, command, tests, attributes, inputs)]).results
    assert (result.status, said in result.reason) == (status, True), result.reason


def test_a_wrapper_that_cannot_be_read_is_an_error_and_stops_no_other(tmp_path: Path) -> None:
    _wrapper(tmp_path, "echo 1 > '$o'", '<test><output name="o"/></test>')
    (tmp_path / "a_broken.xml").write_text("<tool>")
    (tmp_path / "macros.xml").write_text("<macros/>")
    assert [result.status for result in run_tool_tests([tmp_path]).results] == ["error", "pass"]


def test_a_path_or_environment_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolsServiceError, match="no such file or directory"):
        run_tool_tests([tmp_path / "no"])
    with pytest.raises(ToolsServiceError, match="'current' or the directory of a Python environment"):
        run_tool_tests([tmp_path], environment=str(tmp_path))


def test_the_programs_of_another_environment_come_first(tmp_path: Path) -> None:
    bin_dir = tmp_path / "env" / "bin"
    bin_dir.mkdir(parents=True)
    (bin_dir / "python").symlink_to(sys.executable)
    (bin_dir / "own-tool").write_text("#!/bin/sh\necho own\n")
    (bin_dir / "own-tool").chmod(0o755)
    path = _wrapper(tmp_path, "own-tool > '$o'", '<test><output name="o"><assert_contents><has_line line="own"/>'
                    "</assert_contents></output></test>")  # fmt: skip
    assert run_tool_tests([path], environment=str(tmp_path / "env")).count("pass") == 1
    assert run_tool_tests([path]).count("fail") == 1


class PublishedRunner:
    """A runner as people have written them: the three methods, and no output."""

    def __init__(self, fails: bool = False) -> None:
        self.calls: list[str] = []
        self.fails = fails

    def set_up(self, tool: Tool, job_id: int) -> None:
        self.calls.append("set_up")

    def exec(self, tool: Tool, args: list[str], job_id: int) -> None:
        self.calls.append("exec")
        if self.fails:
            raise RunnerExecError("no such container", args, 125)
        subprocess.run(args, check=True, env={**os.environ, "RUNNER": "yes"})

    def tear_down(self, tool: Tool, job_id: int) -> None:
        self.calls.append("tear_down")


def test_a_runner_executes_the_tests(tmp_path: Path) -> None:
    path = _wrapper(
        tmp_path,
        "echo \\$RUNNER; echo bad >&2; exit 3",
        '<test expect_exit_code="3" expect_failure="true"><assert_stdout><has_line line="yes"/></assert_stdout>'
        '<assert_stderr><has_line line="bad"/></assert_stderr></test>',
    )
    runner = PublishedRunner()
    (result,) = run_tool_tests([path], runner=runner).results
    assert (result.status, result.reason) == ("pass", "")
    assert runner.calls == ["set_up", "exec", "tear_down"]


def test_what_a_runner_took_instead_of_what_is_required_is_in_the_report(tmp_path: Path) -> None:
    runner = PublishedRunner()
    runner.replaced = lambda tool: [f"a==2 instead of a==1 for {tool.id}"]  # type: ignore[attr-defined]
    report = run_tool_tests([_wrapper(tmp_path, "true", "<test/>")], runner=runner)

    assert report.results[0].note == "a==2 instead of a==1 for t"
    assert report.as_dict()["results"][0]["note"] == report.results[0].note


def test_a_runner_that_cannot_execute_is_an_error_not_a_failure(tmp_path: Path) -> None:
    runner = PublishedRunner(fails=True)
    (result,) = run_tool_tests([_wrapper(tmp_path, "true", "<test/>")], runner=runner).results
    assert (result.status, result.reason) == ("error", "no such container")
    assert runner.calls[-1] == "tear_down"


def test_job_directories_are_kept_when_asked_for(tmp_path: Path) -> None:
    path = _wrapper(tmp_path, "echo 1 > '$o'", "<test/>")
    run_tool_tests([path], keep_dir=str(tmp_path / "kept"))
    assert [p.name for p in (tmp_path / "kept").glob("*/outputs/*")] == ["dataset_o.dat"]
