"""Copying or not: hard links and references on this machine, and sources that are never touched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.plugins.data_local import LocalMetadataServiceBuilder


def test_a_hard_link_is_the_same_file(service: Any, experiment: Experiment, sources: Path) -> None:
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", mode="link")
    assert os.path.samefile(data.uri, sources / "a.tif")
    again = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", mode="copy")
    assert again.uuid == data.uuid


def test_a_copy_is_another_file(service: Any, experiment: Experiment, sources: Path) -> None:
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    assert not os.path.samefile(data.uri, sources / "a.tif")
    Path(data.uri).write_bytes(b"changed")
    assert (sources / "a.tif").read_bytes() == b"content of a.tif"


def test_of_a_link_its_target_is_imported(home: Any, sources: Path, tmp_path: Path) -> None:
    os.symlink(sources / "a.tif", tmp_path / "shortcut.tif")
    for mode in ("copy", "link"):
        by = home.make()
        experiment = by.create_experiment(mode, "ada", "now", [], home.workspace)
        data = by.import_data(experiment, str(tmp_path / "shortcut.tif"), "a", "ada", "imagetiff", mode=mode)
        assert not os.path.islink(data.uri)
        assert Path(data.uri).read_bytes() == b"content of a.tif"
        assert os.path.samefile(data.uri, sources / "a.tif") == (mode == "link")


def test_a_directory_is_linked_file_by_file(service: Any, experiment: Experiment, tmp_path: Path) -> None:
    store = tmp_path / "image.zarr"
    (store / "0").mkdir(parents=True)
    for name in (".zgroup", "0/.zarray", "0/0.0"):
        (store / name).write_bytes(name.encode())
    data = service.import_data(experiment, str(store), "image", "ada", "imagezarr", mode="link")
    assert all(os.path.samefile(store / name, Path(data.uri) / name) for name in (".zgroup", "0/.zarray", "0/0.0"))


def test_replacing_a_link_leaves_its_source(service: Any, experiment: Experiment, sources: Path) -> None:
    service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", mode="link")
    (sources / "new").mkdir()
    (sources / "new/a.tif").write_bytes(b"new")
    data = service.import_data(experiment, str(sources / "new/a.tif"), "a", "ada", "imagetiff", on_conflict="replace")
    assert Path(data.uri).read_bytes() == b"new"
    assert (sources / "a.tif").read_bytes() == b"content of a.tif"


@pytest.mark.parametrize("mode", ["copy", "link", "reference"])
def test_the_configuration_chooses_and_a_caller_overrides(
    home: Any, sources: Path, mode: str, import_all: Callable[..., None], listed: Any
) -> None:
    service = LocalMetadataServiceBuilder()(import_mode=mode, durable=False)
    import_all(sources, by=service)
    (data, *_) = listed(service)
    assert os.path.samefile(data.uri, sources / "a.tif") == (mode != "copy")
    assert (os.path.dirname(data.uri) == str(sources)) == (mode == "reference")
    assert ("reference" in json.loads(Path(data.md_uri).read_bytes())) == (mode == "reference")
    other = service.import_data(
        service.get_experiment(str(Path(data.md_uri).parents[1])),
        str(sources / "notes.txt"),
        "n",
        "ada",
        "raw",
        mode="copy",
    )
    assert not os.path.samefile(other.uri, sources / "notes.txt")


def test_a_reference_that_changed_or_is_gone_is_found_by_a_check(home: Any, sources: Path) -> None:
    by = home.make(import_mode="reference")
    experiment = by.create_experiment("e", "ada", "now", [], home.workspace)
    for stem in "ab":
        by.import_data(experiment, str(sources / f"{stem}.tif"), stem, "ada", "imagetiff")
    assert list(by.check_experiment(experiment.md_uri)) == []
    (sources / "a.tif").write_bytes(b"CONTENT of a.tif")
    os.unlink(sources / "b.tif")
    found = {finding.uri: finding.kind for finding in home.make().check_experiment(experiment.md_uri)}
    assert found == {str(sources / "a.tif"): "checksum", str(sources / "b.tif"): "missing file"}
    with pytest.raises(DataServiceError, match=r"b\.tif"):
        by.download_data(f"{home.workspace}/e/data/b.md.json", str(sources / "got"))


def test_a_builder_gives_always_the_same_service() -> None:
    builder = LocalMetadataServiceBuilder()
    assert builder(service="LOCAL", unknown=1) is builder(import_mode="link")


def test_durable_writes_are_synced(
    home: Any, sources: Path, monkeypatch: pytest.MonkeyPatch, import_all: Callable[..., None]
) -> None:
    synced: list[int] = []
    original = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), original(descriptor))[1])
    by = home.make(durable=True)
    experiment = by.create_experiment("durable", "ada", "now", [], home.workspace)
    before = len(synced)
    by.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    assert len(synced) - before >= 4  # the file, its document, the list, and their folder


@pytest.mark.skipif(os.name != "posix", reason="rights are the owner's, the group's and the others' on POSIX alone")
def test_a_document_that_is_replaced_keeps_its_rights(home: Any, sources: Path) -> None:
    service = home.make()
    experiment = service.create_experiment("private", "ada", "now", [], home.workspace)
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    places = [experiment.md_uri, experiment.raw_dataset.url, data.md_uri]
    for place in places:
        os.chmod(place, 0o600)
    service.annotate_data(service.get_dataset(places[1]), {data.md_uri: {"Gene": "x"}})
    service.import_data(experiment, str(sources / "b.tif"), "b", "ada", "imagetiff", "now", {"New": 1})
    service.flush()
    assert [os.stat(place).st_mode & 0o777 for place in places] == [0o600] * 3
