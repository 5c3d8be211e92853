"""Which data of several inputs belong together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioimageit_core.containers import Container, Data, ProcessedData, RawData
from bioimageit_core.core.exceptions import PairingError
from bioimageit_core.jobs.naming import stem_of, unique_name
from bioimageit_core.jobs.pairing import Selected, pair


def selected(prefix: str, origins: Sequence[str]) -> list[Selected]:
    return [Selected(RawData(name=f"{prefix}{origin}", uuid=f"{prefix}{origin}"), origin) for origin in origins]


def names(groups: list[dict[str, Data]]) -> list[tuple[str, ...]]:
    return [tuple(data.name for data in group.values()) for group in groups]


@given(st.permutations(["x", "y", "z"]), st.permutations(["x", "y", "z"]))
def test_positions_say_nothing(first: list[str], second: list[str]) -> None:
    groups = pair({"a": selected("a", first), "b": selected("b", second)})

    assert names(groups) == [(f"a{origin}", f"b{origin}") for origin in first]


def test_one_input_needs_no_partners_and_no_origins() -> None:
    assert names(pair({"a": selected("a", ["x", "x", ""])})) == [("ax",), ("ax",), ("a",)]


def test_who_lacks_a_partner_is_said_for_each_input() -> None:
    with pytest.raises(PairingError) as caught:
        pair({"a": selected("a", ["x", "y"]), "b": selected("b", ["y", "z"]), "c": selected("c", ["x", "y", "z"])})

    assert caught.value.lacking == {"a": ["bz"], "b": ["ax"]}


def test_data_of_no_origin_cannot_be_paired() -> None:
    with pytest.raises(PairingError, match="input 'b' come from no raw data that is there: b"):
        pair({"a": selected("a", ["x"]), "b": selected("b", [""])})


def made(name: str, output: str, run: str) -> Selected:
    data = ProcessedData(name=name, uuid=name, output={"name": output, "label": ""}, run=Container(run, run))
    return Selected(data, "x")


@pytest.mark.parametrize(
    ("several", "advice"),
    [
        ([made("o_x", "o", "1"), made("t_x", "t", "1")], "say which output is meant: o or t"),
        ([made("o_x", "o", "1"), made("o_x_2", "o", "2")], "were made by 2 runs"),
        ([made("o_x_1", "o", "1"), made("o_x_2", "o", "1")], "narrow the query"),
    ],
)
def test_what_is_ambiguous_is_an_error_with_advice(several: list[Selected], advice: str) -> None:
    with pytest.raises(PairingError, match=f"input 'b' has 2 data of one origin: .*{advice}"):
        pair({"a": selected("a", ["x"]), "b": several})


def test_one_data_goes_with_all_if_asked() -> None:
    groups = pair({"a": selected("a", ["x", "y"]), "flat": selected("f", ["q"])}, ["flat"])

    assert names(groups) == [("ax", "fq"), ("ay", "fq")]


def test_only_one_data_can_go_with_all() -> None:
    with pytest.raises(PairingError, match="needs exactly one; it has 2"):
        pair({"a": selected("a", ["x"]), "flat": selected("f", ["p", "q"])}, ["flat"])


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cell.tif", "cell"),
        ("cell.ome.tif", "cell"),
        ("cell.OME.TIFF", "cell"),
        ("cell.v1.2", "cell.v1.2"),
        ("depth_1.5um", "depth_1.5um"),
        (".tif", ".tif"),
        ("a" * 300 + ".tif", "a" * 150),
        ("archive.7z", "archive"),
    ],
)
def test_a_stem_is_a_name_without_its_extension(name: str, stem: str) -> None:
    assert stem_of(Data(name=name)) == stem


def test_names_grow_no_prefix_with_every_step() -> None:
    assert stem_of(ProcessedData(name="o_cell", output={"name": "o", "label": ""})) == "cell"
    assert stem_of(ProcessedData(name="o_", output={"name": "o", "label": ""})) == "o_"
    assert stem_of(ProcessedData(name="other", output={"name": "o", "label": ""})) == "other"


@given(st.lists(st.sampled_from(["a", "A", "a_2", "b"]), max_size=12))
def test_unique_names_are_unique_whatever_their_case(wanted: list[str]) -> None:
    taken: set[str] = set()
    for name in wanted:
        taken.add(unique_name(name, taken).lower())

    assert len(taken) == len(wanted)
