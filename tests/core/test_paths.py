"""URIs in documents, and names from outside."""

from __future__ import annotations

import posixpath
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioimageit_core.core.exceptions import InvalidNameError
from bioimageit_core.core.paths import (
    absolute_path,
    check_name,
    document_names,
    file_names,
    folded,
    is_within,
    join,
    name_of,
    parent,
    relative_path,
    simplify_path,
    storable_name,
)
from bioimageit_core.plugins.data_local import LocalMetadataService

NAMES = st.text(st.characters(exclude_characters="/\\:", exclude_categories=("Cs",)), min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
BASES = st.sampled_from(["", "/", "s3://bucket/", "memory://", "sftp://host/"])
ANY = st.text(min_size=0, max_size=400)


@given(BASES, PATHS, PATHS)
def test_absolute_path_is_the_inverse_of_relative_path(base: str, file: str, reference: str) -> None:
    uri, document = base + file, base + reference
    assert absolute_path(relative_path(uri, document), document) == simplify_path(uri)


@given(PATHS, PATHS)
def test_a_relative_path_is_that_of_posix(file: str, reference: str) -> None:
    assert relative_path(f"/{file}", f"/{reference}") == posixpath.relpath(
        f"/{file}", posixpath.dirname(f"/{reference}")
    )


@given(PATHS, st.sampled_from(["s3://b/x.md.json", "/home/x.md.json"]))
def test_what_is_elsewhere_keeps_its_uri(file: str, reference: str) -> None:
    uri = f"ftp://{file}"
    assert relative_path(uri, reference) == uri


@given(BASES, st.lists(NAMES | st.sampled_from(["..", ".", ""]), min_size=1).map("/".join))
def test_simplifying_twice_is_simplifying_once(base: str, path: str) -> None:
    once = simplify_path(base + path)
    assert simplify_path(once) == once


@pytest.mark.parametrize("where", [LocalMetadataService.relative_path, relative_path])
def test_the_published_examples_of_relative_path(where) -> None:
    assert where("a/data/x.tif", "a/data/x.md.json") == "x.tif"
    assert where("a/data/x.md.json", "a/p/y.md.json") == "../data/x.md.json"


def test_the_published_examples_of_the_others() -> None:
    assert LocalMetadataService.absolute_path("x.tif", "a/data/x.md.json") == "a/data/x.tif"
    assert LocalMetadataService.absolute_path("../data/x.md.json", "a/p/y.md.json") == "a/data/x.md.json"
    assert LocalMetadataService.simplify_path("a/b/../c") == "a/c"


@pytest.mark.parametrize(
    ("uri", "directory", "expected"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a/", True),
        ("/ab", "/a", False),
        ("/a/../b", "/a", False),
        ("s3://b/a/x", "s3://b/a", True),
        ("/b/a/x", "s3://b/a", False),
    ],
)
def test_within(uri: str, directory: str, expected: bool) -> None:
    assert is_within(uri, directory) is expected


@given(BASES.filter(bool), PATHS, NAMES)
def test_join_and_its_parts(base: str, directory: str, name: str) -> None:
    uri = join(base + directory, name)
    assert name_of(uri) == name
    assert parent(uri) == base + directory


@given(ANY)
def test_a_name_that_was_made_storable_can_be_stored(name: str) -> None:
    stored = storable_name(name)
    assert stored not in {"", ".", ".."}
    assert not set(stored) & set("/\\\0")
    assert len(stored.encode()) <= 255
    assert not stored.lower().endswith(".md.json")
    assert storable_name(stored) == stored


@given(st.text(st.characters(exclude_characters="/\\", exclude_categories=("Cs", "Cc")), min_size=1, max_size=300))
def test_the_names_to_try_all_differ_and_can_be_stored(name: str) -> None:
    stored = storable_name(name)
    for candidates in (file_names(stored), document_names(stored)):
        names = list(islice(candidates, 12))
        assert len({folded(candidate) for candidate in names}) >= 11
        assert all(len(candidate.encode()) <= 255 for candidate in names)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "a name is needed"),
        ("   ", "a name is needed"),
        ("a/b", "separator '/'"),
        ("a\\b", r"separator '\\\\'"),
        ("..", "means a directory"),
        ("...", "means a directory"),
        ("a\0b", r"U\+0000"),
        ("a\nb", r"U\+000A"),
        ("n" * 300, "300 bytes"),
        ("é" * 130, "260 bytes"),
        ("CON", "reserved on Windows"),
        (".bioimageit", "its own"),
        (" .BioImageIT.", "its own"),
        ("nul.tif", "reserved on Windows"),
    ],
)
def test_a_name_that_cannot_be_stored_everywhere_is_refused(name: str, said: str) -> None:
    with pytest.raises(InvalidNameError, match=said) as caught:
        check_name("dataset", name)
    assert caught.value.name == name
    assert len(str(caught.value)) < 200
