"""What one writer changed is applied to what another stored meanwhile."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioimageit_core.core.merge import merge

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=15)
DOCUMENTS = st.dictionaries(st.sampled_from("abcdef"), JSON)
ITEMS = st.fixed_dictionaries({"uuid": st.sampled_from("123456"), "name": st.text(max_size=2)})
LISTS = st.lists(ITEMS, unique_by=lambda item: item["uuid"])


@given(DOCUMENTS, DOCUMENTS)
def test_who_changed_nothing_leaves_what_is_stored(base: Any, stored: Any) -> None:
    assert merge(base, base, stored) == stored


@given(DOCUMENTS, DOCUMENTS)
def test_where_nobody_else_wrote_mine_is_stored(base: Any, mine: Any) -> None:
    assert merge(base, mine, base) == mine


@given(DOCUMENTS, DOCUMENTS)
def test_the_same_change_twice_is_one(base: Any, mine: Any) -> None:
    assert merge(base, mine, mine) == mine


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_applying_a_change_again_changes_nothing(base: Any, mine: Any, stored: Any) -> None:
    once = merge(base, mine, stored)
    assert merge(mine, mine, once) == once


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_nothing_that_was_given_is_modified(base: Any, mine: Any, stored: Any) -> None:
    before = copy.deepcopy((base, mine, stored))
    merge(base, mine, stored)
    assert (base, mine, stored) == before


@given(st.dictionaries(st.sampled_from("abc"), SCALARS), st.dictionaries(st.sampled_from("xyz"), SCALARS), DOCUMENTS)
def test_changes_of_different_keys_are_both_kept(mine: Any, theirs: Any, base: Any) -> None:
    base = {key: value for key, value in base.items() if key not in "abcxyz"}
    merged = merge(base, {**base, **mine}, {**base, **theirs})
    assert merged == {**base, **theirs, **mine}


@given(LISTS, LISTS, LISTS)
def test_in_a_list_what_either_added_is_there_and_what_either_removed_is_not(base: Any, mine: Any, stored: Any) -> None:
    merged = [item["uuid"] for item in merge(base, mine, stored)]
    b, m, s = ({item["uuid"] for item in items} for items in (base, mine, stored))
    assert len(merged) == len(set(merged))
    assert (m - b) | (s - b) <= set(merged)
    changed = {item["uuid"] for item in mine if item not in base}
    assert set(merged) & ((b - m) | (b - s)) <= changed


@pytest.mark.parametrize(
    ("base", "mine", "stored", "merged"),
    [
        pytest.param({"a": 1}, {}, {"a": 1, "b": 2}, {"b": 2}, id="a key that was removed stays removed"),
        pytest.param({"a": 1}, {"a": 1, "c": 1}, {"b": 2}, {"b": 2, "c": 1}, id="also by another"),
        pytest.param(["a"], ["a", "b"], ["a", "c"], ["a", "b", "c"], id="a vocabulary grows at both ends"),
        pytest.param(["a", "b"], ["b", "x"], ["a", "b"], ["b", "x"], id="and can shrink"),
        pytest.param([1], [1, True], [1], [1, True], id="a truth is no number"),
        pytest.param(
            [{"name": "p", "value": 1}],
            [{"name": "p", "value": 2}],
            [{"name": "p", "value": 1, "unit": "µm"}],
            [{"name": "p", "value": 2, "unit": "µm"}],
            id="items without uuid are known by their name",
        ),
        pytest.param(
            [{"uuid": "1", "name": "i"}, {"uuid": "1", "name": "j"}],
            [{"uuid": "1", "name": "i"}, {"uuid": "1", "name": "k"}],
            [{"uuid": "1", "name": "i", "more": 1}, {"uuid": "1", "name": "j", "more": 2}],
            [{"uuid": "1", "name": "i", "more": 1}, {"uuid": "1", "name": "k", "more": 2}],
            id="one data at two inputs is two items",
        ),
    ],
)
def test_examples(base: Any, mine: Any, stored: Any, merged: Any) -> None:
    assert merge(base, mine, stored) == merged
