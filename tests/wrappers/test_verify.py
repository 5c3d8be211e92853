from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from bioimageit_core.core.wrappers.probe import probe
from bioimageit_core.core.wrappers.verify.assertions import KNOWN_ASSERTIONS, Assertion, check_assertions
from bioimageit_core.core.wrappers.verify.compare import compare_files
from bioimageit_core.core.wrappers.verify.errors import VerificationError

TABLE = b"# made by x\nlabel\tarea\n1\t2.5\n2\t5.5\n"
XML = b"<r><a n='1'>one</a><a n='2'>two</a><b><c/></b></r>"
JSON = json.dumps({"a": [{"n": 3, "t": "x"}], "m": None}).encode()


def _tiff(array: np.ndarray[Any, Any], axes: str = "") -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, metadata={"axes": axes} if axes else None, ome=bool(axes), photometric="minisblack")
    return stream.getvalue()


def _picture(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def _zip(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _tar(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    # without the time, which would give each worker a test of another name
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


LABELS = np.zeros((8, 10), np.uint8)
LABELS[1:3, 1:5] = 1
LABELS[5:7, 6:8] = 4
STACK = np.arange(2 * 3 * 4 * 8 * 10, dtype=np.uint16).reshape(2, 3, 4, 8, 10)
TWICE = np.stack([LABELS, LABELS])
RGB = np.zeros((8, 10, 3), np.uint8)


def _id_of(value: object) -> str | None:
    """Name a case without its bytes: they are long, and an image has another identity in every process."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else None


@pytest.mark.parametrize(
    ("content", "name", "facts", "holds"),
    [
        (TABLE, "has_text", {"text": "area"}, True),
        (TABLE, "has_text", {"text": "5", "n": "3"}, True),
        (TABLE, "has_text", {"text": "5", "min": "4"}, False),
        (TABLE, "has_text", {"text": "nope", "negate": "true"}, True),
        (TABLE, "has_text", {"text": "nope", "n": "0"}, True),
        (TABLE, "not_has_text", {"text": "nope"}, True),
        (TABLE, "not_has_text", {"text": "area"}, False),
        (TABLE, "has_text_matching", {"expression": r"\d\.5", "n": "2"}, True),
        (TABLE, "has_text_matching", {"expression": r"\d{9}"}, False),
        (TABLE, "has_line", {"line": "label\tarea"}, True),
        (TABLE, "has_line", {"line": "label"}, False),
        (TABLE, "has_line_matching", {"expression": r"\d\t.+", "n": "2"}, True),
        (TABLE, "has_line_matching", {"expression": "label"}, False),
        (TABLE, "has_line_matching", {"expression": "nope|5"}, True),
        (b"x\r\n", "has_line", {"line": "x"}, False),
        (TABLE, "has_n_lines", {"n": "4"}, True),
        (TABLE, "has_n_lines", {"negate": "true"}, True),
        (TABLE, "has_n_lines", {"n": "6", "delta": "2"}, True),
        (TABLE, "has_n_lines", {"min": "5"}, False),
        (TABLE, "has_n_lines", {"n": "4", "negate": "true"}, False),
        (TABLE, "has_n_columns", {"n": "2", "comment": "#"}, True),
        (TABLE, "has_n_columns", {"n": "2"}, False),
        (b"a,b,c\n", "has_n_columns", {"n": "3", "sep": ","}, True),
        (b"\n\na,b\n", "has_n_columns", {"n": "2", "sep": ","}, True),
        (b"", "has_n_columns", {"n": "1"}, True),
        (TABLE, "has_size", {"size": str(len(TABLE))}, True),
        (TABLE, "has_size", {"value": "1k", "delta": "1k"}, True),
        (TABLE, "has_size", {"value": "1M", "delta": "1"}, False),
        (XML, "is_valid_xml", {}, True),
        (b"<r>", "is_valid_xml", {}, False),
        (XML, "has_element_with_path", {"path": "b/c"}, True),
        (XML, "has_element_with_path", {"path": "c"}, False),
        (XML, "has_n_elements_with_path", {"path": "a", "n": "2"}, True),
        (XML, "element_text_is", {"path": "a", "text": "one"}, True),
        (XML, "element_text_is", {"path": "a", "text": "on"}, False),
        (XML, "element_text_matches", {"path": "a", "expression": "on"}, True),
        (XML, "attribute_is", {"path": "a", "attribute": "n", "text": "2"}, False),
        (XML, "attribute_is", {"path": "a", "attribute": "z", "text": "2", "negate": "true"}, False),
        (XML, "attribute_matches", {"path": "a", "attribute": "n", "expression": r"\d"}, True),
        (XML, "xml_element", {"path": "a", "n": "2"}, True),
        (XML, "xml_element", {"path": "z", "negate": "true"}, True),
        (JSON, "has_json_property_with_value", {"property": "n", "value": "3"}, True),
        (JSON, "has_json_property_with_value", {"property": "m", "value": "null"}, True),
        (JSON, "has_json_property_with_value", {"property": "n", "value": "4"}, False),
        (JSON, "has_json_property_with_text", {"property": "t", "text": "x"}, True),
        (b"{", "has_json_property_with_text", {"property": "t", "text": "x"}, False),
        (_zip(a="1", b="2"), "has_archive_member", {"path": "[ab]", "n": "2"}, True),
        (_zip(a="1"), "has_archive_member", {"path": "b"}, False),
        (_zip(**{"d/": "", "d/a": "1"}), "has_archive_member", {"path": "d", "n": "2"}, True),
        (_tar("d/x.txt", b"1"), "has_archive_member", {"path": r"d/.*\.txt"}, True),
        (b"no archive", "has_archive_member", {"path": ".*"}, False),
        (_tiff(LABELS), "has_image_width", {"width": "10"}, True),
        (_tiff(LABELS), "has_image_width", {"width": "12", "delta": "1"}, False),
        (_tiff(LABELS), "has_image_height", {"min": "8", "max": "8"}, True),
        (_tiff(LABELS), "has_image_channels", {"channels": "1"}, True),
        (_tiff(STACK, "TCZYX"), "has_image_channels", {"channels": "3"}, True),
        (_tiff(STACK, "TCZYX"), "has_image_depth", {"depth": "4"}, True),
        (_tiff(STACK, "TCZYX"), "has_image_frames", {"frames": "2"}, True),
        (_tiff(STACK, "TCZYX"), "has_image_frames", {"frames": "3"}, False),
        (_picture(RGB), "has_image_channels", {"channels": "3"}, True),
        (_picture(RGB), "has_image_height", {"height": "8"}, True),
        (_tiff(LABELS), "has_image_n_labels", {"n": "3"}, True),
        (_tiff(LABELS), "has_image_n_labels", {"n": "2", "exclude_labels": "0"}, True),
        (_tiff(LABELS), "has_image_n_labels", {"n": "1", "labels": "1,7"}, True),
        (_tiff(LABELS), "has_image_mean_object_size", {"mean_object_size": "6", "exclude_labels": "0"}, True),
        (_tiff(LABELS), "has_image_mean_object_size", {"mean_object_size": "5", "exclude_labels": "0"}, False),
        (_tiff(TWICE, "TYX"), "has_image_mean_object_size", {"mean_object_size": "6", "exclude_labels": "0"}, True),
        (_picture(RGB), "has_image_mean_object_size", {"min": "0"}, False),
        (_tiff(np.int16(LABELS) * -1), "has_image_center_of_mass", {"center_of_mass": "5.4, 4.1", "eps": "9"}, True),
        (_tiff(LABELS), "has_image_mean_intensity", {"mean_intensity": "0.3"}, True),
        (_tiff(LABELS), "has_image_mean_intensity", {"mean_intensity": "0.4", "eps": "0.05"}, False),
        (_tiff(STACK, "TCZYX"), "has_image_mean_intensity", {"max": "320", "frame": "0", "channel": "0"}, True),
        (_tiff(STACK, "TCZYX"), "has_image_mean_intensity", {"max": "320", "frame": "1"}, False),
        (_tiff(STACK, "TCZYX"), "has_image_mean_intensity", {"max": "320", "frame": "7"}, False),
        (_tiff((LABELS == 1).astype(np.uint8)), "has_image_center_of_mass", {"center_of_mass": "2.5, 1.5"}, True),
        (_tiff(LABELS), "has_image_center_of_mass", {"center_of_mass": "2.5, 1.5", "eps": "0.1"}, False),
        (b"no image", "has_image_width", {"width": "1"}, False),
    ],
    ids=_id_of,
)  # fmt: skip
def test_an_assertion_holds_or_says_why(content: bytes, name: str, facts: dict[str, str], holds: bool) -> None:
    if holds:
        check_assertions([Assertion(name, facts)], content)
    else:
        with pytest.raises(VerificationError, match=name):
            check_assertions([Assertion(name, facts)], content)


def test_assertions_look_into_elements_and_members() -> None:
    wrong = Assertion("has_text", {"text": "three"})
    for outer, content in (
        (Assertion("element_text", {"path": "a"}, (wrong,)), XML),
        (Assertion("xml_element", {"path": "a", "all": "true"}, (wrong,)), XML),
        (Assertion("has_archive_member", {"path": "a"}, (wrong,)), _zip(a="one")),
    ):
        with pytest.raises(VerificationError, match="three"):
            check_assertions([outer], content)


def test_hdf5_files_are_looked_into() -> None:
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("a/b", data=[1])
        file.attrs["k"] = "v"
    check_assertions([Assertion("has_h5_keys", {"keys": "a,a/b"})], stream.getvalue())
    check_assertions([Assertion("has_h5_attribute", {"key": "k", "value": "v"})], stream.getvalue())
    with pytest.raises(VerificationError, match="lacks c"):
        check_assertions([Assertion("has_h5_keys", {"keys": "c"})], stream.getvalue())


def test_an_entity_in_a_tools_output_is_not_expanded() -> None:
    bomb = b"<!DOCTYPE r [<!ENTITY a 'secret'>]><r>&a;</r>"
    with pytest.raises(VerificationError):
        check_assertions([Assertion("element_text_is", {"path": ".", "text": "secret"})], bomb)


def test_an_unknown_assertion_fails() -> None:
    with pytest.raises(VerificationError, match="'has_magic' is not known"):
        check_assertions([Assertion("has_magic", {})], b"")
    assert "has_text" in KNOWN_ASSERTIONS


SHIFTED = np.roll(LABELS, 1, axis=1)
SWAPPED = np.select([LABELS == 1, LABELS == 4], [4, 1]).astype(np.uint8)


@pytest.mark.parametrize(
    ("one", "other", "facts", "said"),
    [
        (LABELS, LABELS, {}, None),
        (LABELS, LABELS + 1, {"eps": "1"}, None),
        (LABELS, LABELS + 1, {"eps": "0.9"}, "mae = 1"),
        (LABELS, LABELS + 2, {"metric": "mse", "eps": "3.9"}, "mse = 4"),
        (LABELS, LABELS + 2, {"metric": "rms", "eps": "2"}, None),
        (LABELS, LABELS + 2, {"metric": "fro", "eps": "17"}, "fro = 17.8885"),
        (LABELS, SWAPPED, {"metric": "iou"}, None),
        (LABELS, SWAPPED, {"metric": "iou", "pin_labels": "0 1"}, "iou = 1"),
        (LABELS, np.where(LABELS == 4, 1, LABELS), {"metric": "iou", "pin_labels": "4"}, "label 4 is pinned"),
        (LABELS, SHIFTED, {"metric": "iou", "eps": "0.7"}, None),
        (LABELS, SHIFTED, {"metric": "iou", "eps": "0.5"}, "iou = 0.666667"),
        (LABELS, LABELS.astype(np.uint16), {}, "pixels are of type uint16, expected uint8"),
        (LABELS, LABELS[:4], {}, r"the shape is \(4, 10\), expected \(8, 10\)"),
        (LABELS, LABELS, {"metric": "psnr"}, "'psnr' is not known"),
    ],
    ids=_id_of,
)
def test_images_are_compared_by_a_metric(
    tmp_path: Path, one: Any, other: Any, facts: dict[str, str], said: str | None
) -> None:
    for name, array in (("one.tif", one), ("other.dat", other)):
        tifffile.imwrite(tmp_path / name, array)
    arguments = (str(tmp_path / "one.tif"), str(tmp_path / "other.dat"), {"compare": "image_diff", **facts})
    if said is None:
        compare_files(*arguments)
    else:
        with pytest.raises(VerificationError, match=said):
            compare_files(*arguments)


def test_directories_are_compared_file_by_file(tmp_path: Path) -> None:
    for top in ("one", "other"):
        (tmp_path / top / "in").mkdir(parents=True)
        (tmp_path / top / "in" / "a.txt").write_text("a\n")
    compare_files(str(tmp_path / "one"), str(tmp_path / "other"), {})
    (tmp_path / "other" / "in" / "a.txt").write_text("b\n")
    with pytest.raises(VerificationError, match="2 lines differ"):
        compare_files(str(tmp_path / "one"), str(tmp_path / "other"), {})
    (tmp_path / "other" / "b.txt").write_text("b\n")
    with pytest.raises(VerificationError, match=r"not expected \['b.txt'\]"):
        compare_files(str(tmp_path / "one"), str(tmp_path / "other"), {})


def test_what_wrappers_ask_of_files_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("label\tarea\n1\t2.5\n")
    (tmp_path / "a.tif").write_bytes(_tiff(STACK, "TCZYX"))
    (tmp_path / "a.png").write_bytes(_picture(RGB))
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "bad.tif").write_text("no image")

    table, kind = probe(str(tmp_path / "a.tsv"))
    assert (kind, table["columns"], table["column_names"], table["column_types"]) == (
        "tabular", "2", "label,area", "int,float",
    )  # fmt: skip
    image, kind = probe(str(tmp_path / "a.tif"))
    facts = {key: image[key] for key in ("axes", "dtype", "width", "channels", "depth", "frames")}
    assert kind == "ome.tiff"
    assert facts == {"axes": "TCZYX", "dtype": "uint16", "width": "10", "channels": "3", "depth": "4", "frames": "2"}
    assert probe(str(tmp_path / "a.png"))[0]["channels"] == "3"
    assert probe(str(tmp_path / "a.zarr")) == ({"store_root": "a.zarr"}, "zarr")
    assert probe(str(tmp_path / "bad.tif")) == ({}, "tiff")
