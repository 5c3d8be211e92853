"""The table of formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.core.formats import DEFAULT_FORMATS_FILE, Format, FormatTable, load_formats

IN_USE = {
    "imagetiff",
    "imagezarr",
    "tablecsv",
    "arraycsv",
    "numbercsv",
    "trackmatemodel",
    "movietxt",
    "bioformat",
    "raw",
}


def test_the_table_that_comes_with_the_package_has_all_names_in_use() -> None:
    assert set(load_formats().names()) >= IN_USE


def test_the_table_that_comes_with_the_package_has_the_published_shape() -> None:
    entries = json.loads(Path(DEFAULT_FORMATS_FILE).read_text(encoding="utf-8"))["formats"]

    assert all({"name", "extension", "reader", "viewer"} <= set(entry) for entry in entries)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/cell.tif", "imagetiff"),
        ("CELL.TIFF", "imagetiff"),
        ("x.ome.tif", "imagetiff"),
        ("plate.ome.zarr/", "imagezarr"),
        ("C:\\data\\t.csv", "tablecsv"),
        ("model.xml", "trackmatemodel"),
        ("scan.czi", "bioformat"),
        ("x.png", "imagepng"),
    ],
)
def test_a_format_is_told_from_a_name(path: str, name: str) -> None:
    found = load_formats().detect(path)

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("path", ["README", "x.unheard", "tif", ".", ""])
def test_a_name_that_tells_nothing_has_no_format(path: str) -> None:
    assert load_formats().detect(path) is None


def test_the_longest_extension_goes_first() -> None:
    table = FormatTable([Format("short", "tif"), Format("long", "ome.tif")])

    assert [table.detect(name).name for name in ("a.ome.tif", "a.tif")] == ["long", "short"]  # type: ignore[union-attr]


def test_an_unknown_format_says_which_there_are_and_which_was_meant() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown format 'imagetif': did you mean imagetiff.*known: imagetiff, imagezarr"
    ):
        load_formats().get("imagetif")


def test_a_table_of_the_users_replaces_the_default(tmp_path: Path) -> None:
    path = tmp_path / "formats.json"
    path.write_text('{"formats": [{"name": "spectra", "extension": ".spc", "reader": "r", "viewer": "v"}]}')

    table = load_formats(str(path))

    assert table.names() == ["spectra"]
    assert table.get("spectra") == Format("spectra", "spc", "r", "v")
    assert "imagetiff" not in table


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "expected an object with a list 'formats'"),
        ({"formats": {}}, "expected an object with a list 'formats'"),
        ({"formats": ["imagetiff"]}, r"formats\[0\]: expected an object"),
        ({"formats": [{"name": "a"}, {"extension": "tif"}]}, r"formats\[1\]: field 'name' is missing"),
        ({"formats": [{"name": "a", "extension": 3}]}, "field 'extension': expected a string, got 3"),
        ({"formats": [{"name": "a", "extensions": "tif"}]}, "field 'extensions': expected a list"),
        ({"formats": [{"name": "a"}, {"name": "a"}]}, "a stands in it twice"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, document: Any, said: str) -> None:
    path = tmp_path / "formats.json"
    path.write_text(json.dumps(document))

    with pytest.raises(ConfigError, match=said) as caught:
        load_formats(str(path))

    assert "formats.json" in str(caught.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"formats file .*none\.json.*No such file"):
        load_formats(str(tmp_path / "none.json"))
