"""Tables of annotations and measurements: written for spreadsheets and data frames, and read back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.exchange.laboratory import fill, open_laboratory

from bioimageit_core.api import Request
from bioimageit_core.containers import Experiment
from bioimageit_core.exchange.tables.cells import guarded, is_number, unguarded
from bioimageit_core.exchange.tables.files import TableError, read_rows, write_rows
from bioimageit_core.exchange.tables.rows import data_table, key_of

HOSTILE = ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1", "'tis", "a\nb", 'q"q', "a,b;c", "ä µ", " x "]


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_what_is_guarded_is_no_formula_and_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert is_number(text) or not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("extension", ["csv", "tsv", "parquet"])
def test_a_table_comes_back_as_it_was_written(extension: str, tmp_path: Path) -> None:
    path = str(tmp_path / f"t.{extension}")
    rows = [[text, "1"] for text in HOSTILE]
    assert write_rows(path, ["=key", "n"], rows) == len(rows)
    columns, found = read_rows(path)
    assert columns == ["=key", "n"]
    assert [cells for _, cells in found] == rows
    assert [path.name for path in tmp_path.iterdir()] == [f"t.{extension}"]


def test_a_workbook_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["name", "Day"], ["a.tif", 3], ["b.tif", 1.5], [None, None], ["c.tif", True]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    columns, rows = read_rows(str(tmp_path / "t.xlsx"))
    assert (columns, [cells for _, cells in rows]) == (
        ["name", "Day"],
        [["a.tif", "3"], ["b.tif", "1.5"], ["c.tif", "true"]],
    )


def test_a_table_with_semicolons_and_a_mark_of_order_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\ufeffname;Day\r\na.tif;1,5\r\n", encoding="utf-8")
    columns, rows = read_rows(str(tmp_path / "t.csv"))
    assert (columns, list(rows)) == (["name", "Day"], [(2, ["a.tif", "1,5"])])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", b"", "no header"),
        ("t.csv", b"a,a\n1,2\n", "two columns"),
        ("t.csv", b"a,b\n1,2,3\n", "line 2: has 3 cells"),
        ("t.csv", b"a\n\xff\xfe\n", "UTF-8"),
        ("t.csv", b'a\n"open', "line"),
        ("t.parquet", b"none", "Parquet"),
        ("t.xlsx", b"none", "XLSX"),
        ("t.doc", b"a", "has to end with"),
    ],
)
def test_what_is_no_table_is_told_in_a_line(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=reason) as caught:
        list(read_rows(str(tmp_path / name))[1])
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Request, Experiment]:
    place = tmp_path_factory.mktemp("laboratory")
    req = open_laboratory(place)
    return req, fill(req, place)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_data_are_rows_with_the_annotations_of_their_origin(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    report = req.export(experiment, str(tmp_path / "t.csv"), "data-table")
    rows = rows_of(tmp_path / "t.csv")
    assert len(rows) == report.written == report.facts["rows"] == 8
    result = next(row for row in rows if row["dataset"] == "measured")
    assert (result["type"], result["tool"], result["output"], result["Group"]) == (
        "processed",
        "measure_v1.2",
        "o",
        "b",
    )
    assert {row["Group"] for row in rows} == {"'=1+1", "b"}


def test_data_say_where_they_come_from_and_how_large_their_pixels_are(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    req.export(experiment, str(tmp_path / "t.parquet"), "data-table")
    table = pq.read_table(tmp_path / "t.parquet")
    rows = {(row["dataset"], row["name"]): row for row in table.to_pylist()}
    image, result = rows["data", "x?%20.txt"], next(row for row in rows.values() if row["dataset"] == "measured")

    assert (image["origin"], image["image:PhysicalSizeX"], image["image:PhysicalSizeXUnit"]) == (None, 0.108, "µm")
    assert (result["origin"], result["origin_uuid"]) == (image["name"], image["uuid"])
    assert result["image:PhysicalSizeX"] is None
    assert str(table.schema.field("image:PhysicalSizeX").type) == "double"
    assert "image:SizeX" not in table.column_names
    assert {key_of(column) for column in table.column_names} == {"", "Group", "Day"}


def test_the_tool_is_named_where_a_home_cannot_list_runs(laboratory: tuple[Request, Experiment]) -> None:
    class Older:
        def __getattr__(self, name: str) -> Any:
            if name == "get_dataset_runs":
                raise AttributeError(name)
            return getattr(laboratory[0].data_service, name)

    service: Any = Older()
    table = data_table(service, service.get_experiment(laboratory[1].md_uri))
    tools = [dict(zip(table.columns, row, strict=True))["tool"] for row in table.rows]

    assert "measure_v1.2" in tools
    assert set(tools) == {row[8] for row in data_table(laboratory[0].data_service, laboratory[1]).rows}


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_measurements_of_all_tables_are_one_table(laboratory: Any, name: str, tmp_path: Path) -> None:
    req, experiment = laboratory
    report = req.export(experiment, str(tmp_path / name), "measurements", datasets=["measured", "m_times-3"])
    columns, found = read_rows(str(tmp_path / name))
    rows = [dict(zip(columns, cells, strict=True)) for _, cells in found]
    assert report.facts == {"rows": 8}
    assert {(row["dataset"], row["origin"], row["row"], row["Group"], row["mean"]) for row in rows} == {
        ("measured", "x?%20.txt", "1", "b", "0.5"),
        ("measured", "x?%20.txt", "2", "b", "1.5"),
        *(("m_times-3", "ä b;c#1.txt", f"{n + 1}", "=1+1", f"{n}.5") for n in range(3)),
        *(("m_times-3", "x?%20.txt", f"{n + 1}", "b", f"{n}.5") for n in range(3)),
    }
    if name.endswith("parquet"):
        schema = pq.read_schema(tmp_path / name)
        assert [str(schema.field(column).type) for column in ("area", "mean", "Group")] == ["int64", "double", "string"]


def test_a_dry_run_counts_and_writes_nothing(laboratory: Any, tmp_path: Path) -> None:
    req, experiment = laboratory
    report = req.export(experiment, str(tmp_path / "t.csv"), "measurements", dry_run=True)
    assert (report.facts["rows"], list(tmp_path.iterdir())) == (10, [])


def test_a_result_that_is_gone_is_told_and_the_others_are_written(tmp_path: Path) -> None:
    req = open_laboratory(tmp_path)
    experiment = fill(req, tmp_path)
    gone = req.query(experiment, "measured")[0]
    Path(gone.uri).unlink()
    report = req.export(experiment, str(tmp_path / "t.csv"), "measurements")
    assert len(report.left_out) == 1
    assert report.left_out[0].startswith(gone.name)
    assert {row["dataset"] for row in rows_of(tmp_path / "t.csv")} == {"m_times-1", "m_times-3"}
