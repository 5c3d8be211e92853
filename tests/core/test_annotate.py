from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioimageit_core.core.annotate import NamePositionError, stem_of, value_from_name, value_using_separator
from bioimageit_core.core.exceptions import DataServiceError


@pytest.mark.parametrize(
    ("name", "values", "value"),
    [
        ("population1_001.tif", ["population1", "population2"], "population1"),
        ("A9 p10d.tif", ["p1", "p10"], "p10"),
        ("p1_p10x.tif", ["p1", "p10"], "p1"),
        ("x_p1.tif", ["p1", "1"], "p1"),
        ("C1-MAX10mitosis.tif", ["MAX1", "MAX10"], "MAX10"),
        ("C1-MAX10mitosis.tif", ["C2", "C1"], "C1"),
        ("f96 (17).tif", ["(17)", "17"], "(17)"),
        ("ab.tif", ["b", "a"], "b"),
        ("zellen_grün.tif", ["rot", "grün"], "grün"),
        ("a.tif", ["", "b"], None),
        ("a.tif", [], None),
        ("x+y.tif", ["x+y", "xy"], "x+y"),
    ],
)
def test_the_value_is_the_one_that_stands_in_the_name(name: str, values: list[str], value: str | None) -> None:
    assert value_from_name(name, values) == value


@given(st.text(), st.lists(st.text()))
def test_a_value_from_a_name_is_in_the_name_and_one_of_the_values(name: str, values: list[str]) -> None:
    value = value_from_name(name, values)

    if value is None:
        assert not any(each and each in name for each in values)
    else:
        assert value in name
        assert value in values


@pytest.mark.parametrize(
    ("name", "separator", "position", "value"),
    [
        ("01_POS002_D.TIF", "_", 0, "01"),
        ("01_POS002_D.TIF", "_", 2, "D"),
        ("01_POS002_D.TIF", "_", -1, "D"),
        ("a--b.ome.tif", "--", 1, "b"),
        ("a__b.tif", "_", 1, ""),
        ("one", "_", 0, "one"),
        ("plate 1.5", " ", 1, "1.5"),
    ],
)
def test_a_part_of_a_name_is_found_by_its_position(name: str, separator: str, position: int, value: str) -> None:
    assert value_using_separator(name, separator, position) == value


@pytest.mark.parametrize("position", [3, -4, 10**30])
def test_a_position_without_a_part_is_told_with_the_name(position: int) -> None:
    with pytest.raises(NamePositionError, match=r"'01_POS002_D\.TIF' has 3 parts") as caught:
        value_using_separator("01_POS002_D.TIF", "_", position)

    assert pickle.loads(pickle.dumps(caught.value)).position == position


def test_an_empty_separator_is_refused() -> None:
    with pytest.raises(DataServiceError, match="separator is empty"):
        value_using_separator("a_b", "", 0)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.tif", "a"), ("a.b.TIFF", "a.b"), (".hidden", ".hidden"), ("x.ome.zarr", "x"), ("v1.5", "v1.5"), ("", "")],
)
def test_a_stem_is_the_name_without_its_extension(name: str, stem: str) -> None:
    assert stem_of(name) == stem
