"""A record is executed again, and what comes out is compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import ToolNotFoundError
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.jobs import JobError
from bioimageit_core.jobs.compare import compare_files
from bioimageit_core.jobs.replay import replay_dataset

MakeTool = Callable[..., Tool]


class Tools:
    def get_tool(self, fullname: str) -> Tool:
        raise ToolNotFoundError(fullname)

    def read_tool(self, uri: str) -> Tool:
        return read_wrapper(uri)


def replay(home: Any, dataset: str = "out", **more: Any) -> list[tuple[str, str, str]]:
    info = next(info for info in home.experiment.processed_datasets if info.name == dataset)
    stored = home.service.get_dataset(info.url)
    found = replay_dataset(home.service, Tools(), home.runner, home.experiment, stored, **more)
    return [(verdict.item, verdict.verdict, verdict.detail) for verdict in found]


def test_what_is_reproducible_is_identical(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "b")
    local.run(local.job(make_tool(parameters='<param type="integer" name="p" value="1"/>'), p=3))
    before = sorted(str(path) for path in local.workspace.rglob("*"))

    assert replay(local) == [("a.txt", "identical", ""), ("b.txt", "identical", "")]
    assert sorted(str(path) for path in local.workspace.rglob("*")) == before


def test_a_merge_is_replayed_with_all_its_inputs(local: Any, make_tool: MakeTool) -> None:
    local.add("a", "b")
    local.run(local.job(make_tool("write('+'.join(inputs))", type_="merge")))

    assert [verdict for _, verdict, _ in replay(local)] == ["identical"]


def test_what_is_not_reproducible_is_different_and_it_says_where(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    counter = local.tmp_path / "counter"
    body = (
        f"with open({str(counter)!r}, 'a') as f: f.write('xxxx')\n"
        f"write('area,n\\n1.5,%d\\n' % len(open({str(counter)!r}).read()))"
    )
    local.run(local.job(make_tool(body)))

    assert replay(local) == [("a.txt", "different", "row 2, column 'n': '4' then, '8' now")]
    assert replay(local, tolerance=10) == [
        ("a.txt", "equal", "all numbers are within the tolerance; the largest difference is 8")
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("tool", "tool upper is not what it was"),
        ("no tool", "is not known any more"),
        ("input", "the content of input 'a.txt' is not what it was"),
        ("output", "the stored file is not what was recorded"),
    ],
)
def test_what_was_changed_since_cannot_be_replayed(local: Any, make_tool: MakeTool, change: str, expected: str) -> None:
    (raw,) = local.add("a")
    tool = make_tool()
    local.run(local.job(tool))
    if change == "tool":
        script = Path(tool.uri).parent / "tool.py"
        script.write_text(script.read_text() + "# new")
    elif change == "no tool":
        Path(tool.uri).unlink()
    elif change == "input":
        Path(raw.uri).write_text("other")
    else:
        Path(local.data()[0].uri).write_text("other")

    ((_, verdict, detail),) = replay(local)

    assert verdict == "impossible"
    assert expected in detail


def test_a_tool_that_fails_this_time_has_failed(local: Any, make_tool: MakeTool) -> None:
    local.add("a")
    flag = local.tmp_path / "flag"
    local.run(local.job(make_tool(f"write('x')\nif os.path.exists({str(flag)!r}): sys.exit('not again')")))
    flag.touch()

    ((_, verdict, detail),) = replay(local)

    assert verdict == "failed"
    assert "not again" in detail


def test_a_dataset_without_records_cannot_be_replayed(local: Any, make_tool: MakeTool) -> None:
    local.service.create_dataset(local.experiment, "out")

    with pytest.raises(JobError, match="no results whose execution was recorded"):
        replay(local)


# files


def images(tmp_path: Path, one: Any, two: Any) -> tuple[str, str]:
    paths = str(tmp_path / "one.tif"), str(tmp_path / "two.tif")
    for path, array in zip(paths, (one, two), strict=True):
        tifffile.imwrite(path, array, photometric="minisblack", metadata={"axes": "YX"})
    return paths


def test_pixels_within_the_tolerance_are_equal(tmp_path: Path) -> None:
    one = np.full((4, 5), 100.0, np.float32)
    paths = images(tmp_path, one, one + np.float32(5e-5))

    found = compare_files(*paths, tolerance=1e-6)

    assert found.outcome == "equal"
    assert found.largest == pytest.approx(5e-5, rel=0.2)


def test_a_pixel_beyond_the_tolerance_is_pointed_at(tmp_path: Path) -> None:
    one = np.zeros((4, 5), np.uint16)
    two = one.copy()
    two[2, 3] = 7

    found = compare_files(*images(tmp_path, one, two))

    assert (found.outcome, found.largest) == ("different", 7.0)
    assert found.detail == "1 of 20 pixels differ, most at Y=2, X=3: 0 then, 7 now"


def test_pixels_that_are_no_number_in_both_are_equal(tmp_path: Path) -> None:
    one = np.array([[np.nan, 1.0], [np.inf, 2.0]])
    two = one.copy()
    two[1, 1] += 1e-9

    assert compare_files(*images(tmp_path, one, two)).outcome == "equal"


@pytest.mark.parametrize(
    ("two", "expected"),
    [
        (np.zeros((4, 6), np.uint8), "was uint8 of shape (4, 5), is uint8 of shape (4, 6)"),
        (np.zeros((4, 5), np.uint16), "was uint8 of shape (4, 5), is uint16 of shape (4, 5)"),
    ],
)
def test_another_shape_or_type_is_different(tmp_path: Path, two: Any, expected: str) -> None:
    found = compare_files(*images(tmp_path, np.zeros((4, 5), np.uint8), two))

    assert (found.outcome, found.detail) == ("different", expected)


def test_the_same_pixels_in_other_bytes_are_equal(tmp_path: Path) -> None:
    paths = images(tmp_path, np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8))
    tifffile.imwrite(
        paths[1], np.zeros((4, 5), np.uint8), photometric="minisblack", metadata={"axes": "YX"}, compression="zlib"
    )

    assert compare_files(*paths).outcome == "equal"


@pytest.mark.parametrize(
    ("one", "two", "outcome", "detail"),
    [
        ("a,b\n1,2\n", "a,b\n1.0000000001,2.0\n", "equal", "within the tolerance"),
        ("a,b\n1,2\n", "a,b\n1,2\n3,4\n", "different", "row 3 is only there now"),
        ("a,b\n1,2\n3,4\n", "a,b\n1,2\n", "different", "row 3 is only there then"),
        ("a,b\n1,2\n", "a,b\n1\n", "different", "row 2 had 2 cells and has 1"),
        ("a,b\n1,x\n", "a,b\n1,y\n", "different", "row 2, column 'b': 'x' then, 'y' now"),
        ("a\nnan\n", "a\nNaN\n", "equal", ""),
        ("a\nnan\n", "a\n1\n", "different", "row 2, column 'a'"),
    ],
)
def test_tables_are_compared_by_their_cells(tmp_path: Path, one: str, two: str, outcome: str, detail: str) -> None:
    paths = tmp_path / "one.csv", tmp_path / "two.csv"
    paths[0].write_text(one)
    paths[1].write_text(two)

    found = compare_files(str(paths[0]), str(paths[1]))

    assert found.outcome == outcome
    assert detail in found.detail


def test_other_files_differ_from_a_byte_on(tmp_path: Path) -> None:
    paths = tmp_path / "one.json", tmp_path / "two.json"
    paths[0].write_text("{1}")
    paths[1].write_text("{12}")

    assert compare_files(str(paths[0]), str(paths[1])).detail == "they differ from byte 2 on (3 bytes then, 4 now)"


def test_a_truncated_image_is_different(tmp_path: Path) -> None:
    paths = images(tmp_path, np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8))
    Path(paths[1]).write_bytes(b"II*\0")

    assert compare_files(*paths).outcome == "different"


def test_zarr_arrays_are_compared(tmp_path: Path) -> None:
    import zarr

    paths = [str(tmp_path / "one.zarr"), str(tmp_path / "two.zarr")]
    for path, value in zip(paths, (1, 2), strict=True):
        zarr.open_group(path, mode="w").create_array("0", data=np.full((2, 3), value, np.uint8))

    found = compare_files(*paths)

    assert found.outcome == "different"
    assert "array 0: 6 of 6 pixels differ" in found.detail
