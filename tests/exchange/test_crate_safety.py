"""A crate that anybody may have made is refused where it reaches outside of itself or is not what it says."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.exchange.laboratory import open_room

from bioimageit_core.api import Request
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.exchange.crate.opening import UnsafeCrateError, opened


@pytest.fixture
def req(tmp_path: Path) -> Request:
    return open_room(tmp_path, "workspace")


@pytest.fixture
def crate(req: Request, tmp_path: Path) -> Path:
    experiment = req.create_experiment("cells", keys=["P"])
    source = tmp_path / "a.txt"
    source.write_text("content")
    req.import_data(experiment, str(source), "a.txt", "ada", "raw")
    req.export(experiment, str(tmp_path / "crate"), "ro-crate")
    return tmp_path / "crate"


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def rename(id_: str) -> Callable[[Any], Any]:
    def edit(document: Any) -> None:
        entity = next(each for each in document["@graph"] if each["@id"] == "data/a.txt")
        entity["@id"] = id_

    return edit


@pytest.mark.parametrize(
    ("id_", "reason"),
    [
        ("../../etc/passwd", "leads out"),
        ("data/%2e%2e/%2e%2e/secret", "leads out"),
        ("/etc/passwd", "leads out"),
        ("file:///etc/passwd", "lies outside"),
        ("https://example.org/a.tif", "is a URL"),
        ("//example.org/a.tif", "is a URL"),
        ("s3://bucket/a.tif", "is a URL"),
    ],
)
def test_a_file_outside_is_refused(req: Request, crate: Path, id_: str, reason: str, tmp_path: Path) -> None:
    change(crate / "ro-crate-metadata.json", rename(id_))
    with pytest.raises(UnsafeCrateError, match=reason):
        req.import_crate(str(crate), str(tmp_path / "new"))


@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_document_that_points_outside_is_refused(
    req: Request, crate: Path, has_checksum: bool, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")

    def edit(document: Any) -> None:
        document["common"]["url"] = str(secret)
        if has_checksum:
            document["reference"] = {"size": 6, "sha256": "0" * 64}

    change(crate / "data" / "a.md.json", edit)
    with pytest.raises(DataServiceError, match=r"outside|leaves its experiment"):
        req.import_crate(str(crate), str(tmp_path / "new"))
    assert not list((tmp_path).glob("new/**/secret"))


def test_a_link_in_a_folder_is_refused(req: Request, crate: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("content")
    (crate / "data" / "a.txt").unlink()
    (crate / "data" / "a.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeCrateError, match="link"):
        req.import_crate(str(crate), str(tmp_path / "new"))


def test_another_content_is_refused(req: Request, crate: Path, tmp_path: Path) -> None:
    (crate / "data" / "a.txt").write_text("CONTENT")
    with pytest.raises(UnsafeCrateError, match="SHA-256"):
        req.import_crate(str(crate), str(tmp_path / "new"))


def test_a_file_that_the_metadata_do_not_describe_is_refused(req: Request, crate: Path, tmp_path: Path) -> None:
    change(
        crate / "ro-crate-metadata.json",
        lambda d: d["@graph"].remove(next(each for each in d["@graph"] if each["@id"] == "data/a.txt")),
    )
    with pytest.raises(UnsafeCrateError, match="not among"):
        req.import_crate(str(crate), str(tmp_path / "new"))


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "member",
    ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:/evil.txt", "..\\evil.txt", link("evil")],
    ids=str,
)
def test_a_zip_that_slips_is_refused(member: Any, tmp_path: Path) -> None:
    path = tmp_path / "in" / "crate.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ro-crate-metadata.json", "{}")
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(UnsafeCrateError), opened(str(path)):
        pass
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a.txt", "a.txt"), ("a.txt", "A.TXT")])
def test_a_zip_with_two_members_in_one_place_is_refused(names: tuple[str, str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "crate.zip", "w") as archive:
        for name in ("ro-crate-metadata.json", *names):
            archive.writestr(name, "{}")
    with pytest.raises(UnsafeCrateError, match="twice"), opened(str(tmp_path / "crate.zip")):
        pass


def test_a_zip_that_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "crate.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ro-crate-metadata.json", "{}")
        archive.writestr("zeros", bytes(8 << 20))
    with pytest.raises(UnsafeCrateError, match="grow"), opened(str(tmp_path / "crate.zip")):
        pass


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "[]",
        "null",
        '"ro-crate-metadata.json"',
        '{"@context": {}, "@graph": 3}',
        '{"@context": {}, "@graph": [{}]}',
        "[" * 100_000,
    ],
)
def test_metadata_that_are_none_are_an_error_of_ours(req: Request, crate: Path, metadata: str) -> None:
    (crate / "ro-crate-metadata.json").write_text(metadata)
    with pytest.raises(DataServiceError):
        req.import_crate(str(crate))


def test_a_crate_of_others_says_what_to_do(req: Request, crate: Path) -> None:
    (crate / "experiment.md.json").unlink()
    with pytest.raises(DataServiceError, match="'bioimageit import'"):
        req.import_crate(str(crate))
