"""What a query gives is the published containers, read when somebody looks."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from bioimageit_core.containers import RawData
from bioimageit_core.core.serialize import serialize
from bioimageit_core.plugins.store.unread import UnreadRawData, unread


def made() -> RawData:
    data = RawData("/e/data/a.md.json", "u1", "a.tif", "ada", "2024-01-01", "imagetiff", "/e/data/a.tif")
    data.key_value_pairs = {"Day": "1"}
    return data


def hit(seen: list[str] | None = None) -> RawData:
    def read(said: bytes) -> RawData:
        if seen is not None:
            seen.append(said.decode())
        return made()

    return unread(UnreadRawData, read, [(b"a.md.json",)])[0]


def test_nothing_is_read_before_a_look_and_once_after() -> None:
    seen: list[str] = []
    data = hit(seen)
    assert isinstance(data, RawData)
    assert seen == []
    assert (data.name, data.uuid, data.key_value_pairs, data.type) == ("a.tif", "u1", {"Day": "1"}, "raw")
    assert seen == ["a.md.json"]
    assert type(data) is RawData
    assert vars(data) == vars(made())


def change(data: RawData) -> RawData:
    data.name = "b.tif"
    return data


def annotate(data: RawData) -> RawData:
    data.set_key_value_pair("Day", "2")
    return data


@pytest.mark.parametrize(
    "use",
    [
        repr,
        serialize,
        dataclasses.asdict,
        lambda data: dataclasses.replace(data, name="b.tif"),
        lambda data: repr(copy.copy(data)),
        lambda data: repr(copy.deepcopy(data)),
        lambda data: repr(pickle.loads(pickle.dumps(data))),
        lambda data: repr(change(data)),
        lambda data: repr(annotate(data)),
        lambda data: data._repr_html_(),
    ],
)
def test_every_use_is_that_of_the_published_container(use: Callable[[RawData], Any]) -> None:
    ours, theirs = use(hit()), use(made())
    assert ours == theirs or vars(ours) == vars(theirs)
