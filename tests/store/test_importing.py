"""Importing, in every home: read once, never twice, run again whenever it was interrupted."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, RawData
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.core.observer import Observer

HOMES = ("local", "memory", "s3", "sftp")


class Told(Observer):
    def __init__(self) -> None:
        super().__init__()
        self.progress: list[tuple[float, str]] = []

    def notify_progress(self, progress: float, message: str = "", job_id: int = 0) -> None:
        self.progress.append((progress, message))


def state(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Give what must not change in sources: content, time and mode."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_mode) for p in files}


def content(service: Any, data: RawData, folder: Path) -> bytes:
    return Path(service.download_data(data.md_uri, str(folder / f"got {data.uuid}"))).read_bytes()


def test_a_directory_is_imported(
    service: Any, home: Any, sources: Path, import_all: Callable[..., None], listed: Any, tmp_path: Path
) -> None:
    before = state(sources)
    told = Told()
    import_all(sources, key="Plate", observers=[told])

    found = listed(home.make())
    assert [data.name for data in found] == ["a.tif", "b.tif", "c.tif"]
    assert [content(service, data, tmp_path) for data in found] == [
        b"content of " + n for n in (b"a.tif", b"b.tif", b"c.tif")
    ]
    assert {data.key_value_pairs["Plate"] for data in found} == {"sources"}
    assert state(sources) == before
    percents = [percent for percent, _ in told.progress]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)
    assert any("b.tif" in message for _, message in told.progress)


def test_when_import_dir_returns_the_list_has_all(
    service: Any, home: Any, experiment: Experiment, sources: Path, import_all: Callable[..., None]
) -> None:
    import_all(sources)
    document = home.document(experiment.raw_dataset.url)
    assert [link["url"] for link in document["urls"]] == ["a.md.json", "b.md.json", "c.md.json"]


def test_new_keys_join_the_experiments_once(
    service: Any, experiment: Experiment, sources: Path, import_all: Callable[..., None]
) -> None:
    for _ in range(2):
        import_all(sources, key="Plate")
    service.import_data(experiment, str(sources / "notes.txt"), "n", "ada", "raw", "now", {"Gene": "x", "Dose": 1})
    assert service.get_experiment(experiment.md_uri).keys == ["Gene", "Plate", "Dose"]


def test_importing_again_finds_what_is_there(
    service: Any, home: Any, experiment: Experiment, sources: Path, import_all: Callable[..., None], listed: Any
) -> None:
    import_all(sources)
    before = [data.uuid for data in listed()]
    names = home.names(experiment.raw_dataset.url.rpartition("/")[0])
    for by in (service, home.make()):
        import_all(sources, by=by)
        again = by.import_data(experiment, str(sources / "b.tif"), "b.tif", "grace", "imagetiff")
        assert again.uuid == before[1]
        assert again.author == "ada"

    assert [data.uuid for data in listed()] == before
    assert home.names(experiment.raw_dataset.url.rpartition("/")[0]) == names


def test_the_same_name_with_other_content_is_a_second_data(
    service: Any, home: Any, experiment: Experiment, sources: Path, listed: Any, tmp_path: Path
) -> None:
    path = sources / "a.tif"
    made = []
    for round_ in (b"one", b"two", b"three", b"two", b"one"):
        path.write_bytes(round_)
        made.append(home.make().import_data(experiment, str(path), "a", "ada", "imagetiff"))

    assert [data.name for data in listed()] == ["a", "a", "a"]
    assert [made[0].uuid, made[1].uuid] == [made[4].uuid, made[3].uuid]
    assert [content(service, data, tmp_path) for data in listed()] == [b"one", b"two", b"three"]


def test_a_conflict_can_be_an_error(service: Any, experiment: Experiment, sources: Path, listed: Any) -> None:
    path = sources / "a.tif"
    first = service.import_data(experiment, str(path), "a", "ada", "imagetiff", on_conflict="error")
    assert service.import_data(experiment, str(path), "a", "ada", "imagetiff", on_conflict="error").uuid == first.uuid
    path.write_bytes(b"other")
    with pytest.raises(ConflictError, match="'a' with other content"):
        service.import_data(experiment, str(path), "a", "ada", "imagetiff", on_conflict="error")
    assert [data.uuid for data in listed()] == [first.uuid]


def test_a_conflict_can_be_a_replacement(
    service: Any, home: Any, experiment: Experiment, sources: Path, listed: Any, tmp_path: Path
) -> None:
    path = sources / "a.tif"
    first = service.import_data(
        experiment, str(path), "a", "ada", "imagetiff", "2024-01-01", {"Gene": "p53", "Dose": 1}
    )
    old = path.read_bytes()
    path.write_bytes(b"replaced")
    second = home.make().import_data(
        experiment, str(path), "a", "grace", "imagetiff", "2024-01-02", {"Dose": 2}, on_conflict="replace"
    )

    assert (second.uuid, second.md_uri, second.author) == (first.uuid, first.md_uri, "grace")
    assert second.key_value_pairs == {"Gene": "p53", "Dose": 2}
    assert [content(service, data, tmp_path) for data in listed()] == [b"replaced"]
    trash = experiment.md_uri.rpartition("/")[0] + "/.bioimageit/trash"
    assert [home.read(f"{trash}/{name}") for name in home.names(trash)] == [old]


def test_two_files_of_one_stem_have_documents_of_their_own(
    service: Any, home: Any, experiment: Experiment, tmp_path: Path, import_all: Callable[..., None], listed: Any
) -> None:
    folder = tmp_path / "stems"
    folder.mkdir()
    for name in ("x.tif", "x.csv", "x", "x.tif.csv"):
        (folder / name).write_bytes(name.encode())
    import_all(folder, "")

    found = listed(home.make())
    assert sorted(data.name for data in found) == ["x", "x.csv", "x.tif", "x.tif.csv"]
    assert len({data.md_uri for data in found}) == 4
    assert {content(service, data, tmp_path).decode() for data in found} == {data.name for data in found}
    import_all(folder, "", by=home.make())
    assert len(listed()) == 4


@pytest.mark.parametrize(
    "names",
    [
        ["a b;c $(touch x) `y` | z.tif"],
        ["Zellkern-µ 細胞核 🔬.tif"],
        [unicodedata.normalize("NFC", "é.tif"), unicodedata.normalize("NFD", "é.tif")],
        ["Cell.tif", "cell.tif", "CELL.TIF"],
        ["[1]*?.tif", "1.tif", "{a,b}.tif"],
        ["n" * 251 + ".tif", "n" * 250 + "m.tif"],
        ["é" * 125 + "x.tif"],
        ["experiment.md.json", "raw_dataset.md.json", "x.MD.JSON"],
        ["#1 100%.tif", "a?b=c&d.tif", "a:b.tif"],
        [" leading.tif", "trailing.tif ", "dots..tif", "no extension"],
    ],
    ids=lambda names: ascii(names[0])[:20],
)
def test_names_of_sources(
    home: Any, names: list[str], tmp_path: Path, import_all: Callable[..., None], listed: Any
) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    for number, name in enumerate(names):
        (folder / name).write_bytes(b"%d" % number)
    import_all(folder, "")
    import_all(folder, "", by=home.make())

    by = home.make()
    found = listed(by)
    assert sorted(data.name for data in found) == sorted(names)
    for data in found:
        assert content(by, data, tmp_path) == b"%d" % names.index(data.name)
    stored = [os.path.basename(uri) for data in found for uri in (data.uri, data.md_uri)]
    assert len({unicodedata.normalize("NFC", name).casefold() for name in stored}) == 2 * len(names)


@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_directory_is_one_data(
    service: Any,
    home: Any,
    experiment: Experiment,
    tmp_path: Path,
    import_all: Callable[..., None],
    listed: Any,
    version: int,
) -> None:
    folder = tmp_path / "zarrs"
    store = folder / "image.zarr" if version == 2 else folder / "image"
    for name in (".zgroup", "0/.zarray", "0/0.0") if version == 2 else ("zarr.json", "0/zarr.json", "0/c/0/0"):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(name.encode())
    import_all(folder, "")
    import_all(folder, "", by=home.make())
    one = service.import_data(experiment, str(store), store.name, "ada", "imagezarr")

    (data,) = listed()
    assert data.uuid == one.uuid
    got = Path(service.download_data(data.md_uri, str(tmp_path / "got")))
    assert {str(p.relative_to(got)) for p in got.rglob("*") if p.is_file()} == {
        str(p.relative_to(store)) for p in store.rglob("*") if p.is_file()
    }
    assert (got / ("0/0.0" if version == 2 else "0/c/0/0")).read_bytes() in {b"0/0.0", b"0/c/0/0"}
    (store / "more").write_bytes(b"changed")
    import_all(folder, "")
    assert len(listed()) == 2


def test_only_the_directory_itself_unless_asked(
    service: Any, home: Any, tmp_path: Path, import_all: Callable[..., None], listed: Any
) -> None:
    folder = tmp_path / "plates"
    for name in ("a.tif", "plate 1/a.tif", "plate 2/a.tif", "plate 2/deep/b.tif", ".hidden/c.tif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"the same")
    import_all(folder)
    assert [data.name for data in listed()] == ["a.tif"]

    for _ in range(2):
        import_all(folder, key="Plate", recursive=True, by=home.make())
    found = listed()
    assert sorted(data.name for data in found) == ["a.tif", "a.tif", "a.tif", "b.tif"]
    assert {d.key_value_pairs["Plate"] for d in found} >= {"plate 1", "plate 2", "deep"}


def test_a_referenced_file_stays_where_it_lies(
    home: Any, sources: Path, import_all: Callable[..., None], listed: Any, tmp_path: Path
) -> None:
    before = state(sources)
    by = home.make(import_mode="reference")
    import_all(sources, by=by)
    import_all(sources, by=home.make(import_mode="reference"))

    found = listed(by)
    assert [data.uri for data in found] == [str(sources / f"{stem}.tif") for stem in "abc"]
    document = home.document(found[0].md_uri)
    body = (sources / "a.tif").read_bytes()
    assert document["reference"] == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert list(document)[:5] == ["uuid", "origin", "common", "metadata", "key_value_pairs"]
    assert content(by, found[0], tmp_path) == body
    assert state(sources) == before
    directory = found[0].md_uri.rpartition("/")[0]
    assert [name for name in home.names(directory) if not name.endswith(".md.json")] == []


@pytest.mark.parametrize(("argument", "value"), [("mode", "move"), ("on_conflict", "ignore")])
def test_a_way_that_there_is_not(
    service: Any, experiment: Experiment, sources: Path, listed: Any, argument: str, value: str
) -> None:
    with pytest.raises(DataServiceError, match=f"'{value}': expected one of"):
        service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", **{argument: value})
    assert listed() == []


test_a_way_that_there_is_not.homes = ("local",)


def test_what_cannot_be_named_is_told_and_stops_nothing(
    home: Any, tmp_path: Path, import_all: Callable[..., None], listed: Any
) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    for name in ("con.tif", "a\nb.tif", "good.tif"):
        (folder / name).write_bytes(name.encode())
    with pytest.raises(DataServiceError, match=r"2 of 3 files were not imported: data name 'a\\nb.tif'"):
        import_all(folder)
    assert [data.name for data in listed()] == ["good.tif"]


test_what_cannot_be_named_is_told_and_stops_nothing.homes = ("local",)
