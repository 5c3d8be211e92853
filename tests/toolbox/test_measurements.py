"""Measurements and tables, on images and values whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioimageit_core.toolbox.imaging.image import Image, ImageError
from bioimageit_core.toolbox.imaging.measure import measure_regions
from bioimageit_core.toolbox.imaging.tables import Table, merge_tables, read_table, summarise, write_table

Make = Callable[..., Image]


def test_measurements_in_pixels_and_in_units() -> None:
    data = np.zeros((10, 12), np.uint16)
    data[2:6, 3:9] = 40
    grey = np.arange(120.0).reshape(10, 12)
    sized = Image(data, "YX", {"Y": 0.5, "X": 0.5}, {"Y": "µm", "X": "µm"})

    (row,) = measure_regions(sized, Image(grey, "YX"))

    inside = grey[2:6, 3:9]
    expected = {"label": 40, "area_px": 24, "area_um2": 6, "centroid_y_px": 3.5, "centroid_x_um": 2.75}
    expected |= {"mean_intensity": inside.mean(), "std_intensity": inside.std(), "sum_intensity": inside.sum()}
    assert {key: row[key] for key in expected} == pytest.approx(expected)


def test_each_time_point_and_channel_gets_its_rows() -> None:
    data = np.ones((2, 4, 4), np.uint8)
    grey = np.stack([np.full((2, 4, 4), 10 * t) + np.array([0, 5])[:, None, None] for t in range(2)])
    table = measure_regions(Image(data, "TYX"), Image(grey, "TCYX", channels=("a b", "ü")))

    assert [(row["t"], row["mean_intensity_a_b"], row["mean_intensity_ü"]) for row in table] == [(0, 0, 5), (1, 10, 15)]


def test_labels_as_large_as_can_be_cost_no_memory() -> None:
    data = np.zeros((4, 4), np.int64)
    data[0, 0] = 2**31 - 1

    (row,) = measure_regions(Image(data, "YX"))

    assert (row["label"], row["area_px"]) == (2**31 - 1, 1)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TCYX"])
def test_no_regions_give_the_columns_all_the_same(make: Make, axes: str) -> None:
    image = make(axes)
    some = image.with_data((image.data > 150).astype(np.uint16))

    full = measure_regions(some, image)
    empty = measure_regions(some.with_data(some.data * 0), image)

    assert len(full) > 0 == len(empty)
    assert empty.columns == full.columns


def test_images_of_other_sizes_are_not_measured(make: Make) -> None:
    with pytest.raises(ImageError, match="Z 1 and 5"):
        measure_regions(make("YX"), make("ZYX"))


cells = st.one_of(st.integers(-(10**6), 10**6), st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0")))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(cells, cells), max_size=8))
def test_a_table_comes_back(tmp_path: Path, rows: list[tuple[object, object]]) -> None:
    table = Table(
        ["one", "two, with a comma"], [dict(zip(("one", "two, with a comma"), row, strict=True)) for row in rows]
    )

    back = read_table(write_table(tmp_path / "t.csv", table))

    assert back.columns == table.columns
    assert [list(row.values()) for row in back] == [[str(value) for value in row.values()] for row in table]


def test_tables_are_merged_with_their_names_and_summarised_by_them() -> None:
    one, two = (
        Table(["a", "b"], [{"a": "1", "b": "x"}, {"a": "3", "b": "y"}]),
        Table(["a", "c"], [{"a": "8", "c": "2"}]),
    )

    merged = merge_tables([one, two], ["one", "two"])
    everything = summarise(merged)
    by_source = summarise(merged, group_by="source")

    assert merged.columns == ("source", "a", "b", "c")
    assert merged[2] == {"source": "two", "a": "8", "b": "", "c": "2"}
    assert [(row["column"], row["count"], row["missing"]) for row in everything] == [("a", 3, 0), ("c", 1, 2)]
    assert everything[0]["mean"] == 4
    assert [(row["source"], row["column"], row["mean"]) for row in by_source if row["count"]] == [
        ("one", "a", 2),
        ("two", "a", 8),
        ("two", "c", 2),
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_a_summary_is_that_of_numpy(values: list[float]) -> None:
    (row,) = summarise(Table(["v"], [{"v": repr(value)} for value in values]))

    expected = [np.mean(values), np.std(values, ddof=1), *np.percentile(values, [0, 25, 50, 75, 100]), np.sum(values)]
    found = [row[name] for name in ("mean", "std", "min", "q25", "median", "q75", "max", "sum")]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"a,b\n1\n", "line 2 has 1 fields"),
        (b"a,a\n1,2\n", "two columns of one name"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'a,b\n"1', "not a table"),
        (b"a\n\0\n", "not a table"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)

    with pytest.raises(ImageError, match=f"t.csv: .*{message}"):
        read_table(tmp_path / "t.csv")


def test_a_missing_table_and_a_taken_column_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(ImageError, match="has a column 'source' already"):
        merge_tables([Table(["source"])], ["x"])
    with pytest.raises(ImageError, match="1 names for 2 tables"):
        merge_tables([Table([]), Table([])], ["x"])
