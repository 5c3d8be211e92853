"""What `Request` does with data, on a built-in service and on a minimal one that inherits from nothing."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.api import Request
from bioimageit_core.containers import ProcessedData
from bioimageit_core.core.exceptions import (
    ConfigError,
    DataQueryError,
    DataServiceError,
    InvalidNameError,
    NotFoundError,
    UnsupportedError,
)
from bioimageit_core.core.observer import Observer

TODAY = datetime.datetime.now().astimezone().date().isoformat()


class Listener(Observer):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[int] = []
        self.warned: list[str] = []

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        self.heard.append(progress)

    def notify_warning(self, message: str, job_id: int = 0) -> None:
        self.warned.append(message)


def names(found: list[Any]) -> list[str]:
    return [data.name for data in found]


def test_the_main_path_from_a_folder_to_a_selection(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("My experiment", keys=["population"])
    request_.import_dir(experiment, str(images), r"\.tif$")
    request_.annotate_from_name(experiment, "population", ["p1", "p2"])
    request_.annotate_using_separator(experiment, "number", "_", 2)

    assert (experiment.author, experiment.date) == ("ada", TODAY)
    assert names(request_.query(experiment, "data")) == ["p1_a_3.tif", "p1_b_12.tif", "p2_a_7.tif"]
    assert names(request_.query(experiment, "data", "population=p1 AND number>=10")) == ["p1_b_12.tif"]
    read = request_.get_experiment(experiment.md_uri)
    assert read.keys == ["population", "number"]
    assert [entry["info"].name for entry in request_.get_workspace_experiments()] == ["My experiment"]


def test_who_is_silent_gets_defaults(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e")

    data = request_.import_data(experiment, str(images / "p1_a_3.tif"))

    assert (data.name, data.author, data.date, data.format) == ("p1_a_3.tif", "ada", TODAY, "imagetiff")


def test_what_is_said_is_taken(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e", "grace", "2020-01-02")
    path = str(images / "p1_a_3.tif")

    data = request_.import_data(experiment, path, "n", "hedy", "raw", "2021-01-02", {"k": "v"})

    assert (experiment.author, experiment.date) == ("grace", "2020-01-02")
    assert (data.name, data.author, data.date, data.format) == ("n", "hedy", "2021-01-02", "raw")
    assert data.key_value_pairs["k"] == "v"


def test_an_unknown_format_is_refused_before_anything_is_imported(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e")

    with pytest.raises(ConfigError, match=r"unknown format 'imagetif': did you mean imagetiff"):
        request_.import_data(experiment, str(images / "p1_a_3.tif"), format_="imagetif")
    with pytest.raises(ConfigError, match="unknown format"):
        request_.import_dir(experiment, str(images), format_="imagetif")

    assert request_.query(experiment, "data") == []


def test_a_folder_of_several_formats_asks_which(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e")

    with pytest.raises(ConfigError, match=r"several formats \(3 imagetiff, 1 movietxt\): choose some with the filter"):
        request_.import_dir(experiment, str(images))
    (images / "odd.unheard").touch()
    with pytest.raises(ConfigError, match=r"the name 'odd\.unheard' does not tell a format; say which with format_"):
        request_.import_data(experiment, str(images / "odd.unheard"))


def test_a_filter_that_selects_nothing_imports_nothing(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e")

    request_.import_dir(experiment, str(images), r"\.png$")

    assert request_.get_raw_dataset(experiment).size() == 0


def test_a_filter_that_does_not_compile_is_named(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e")

    with pytest.raises(DataServiceError, match=r"\(\[a-z\]"):
        request_.import_dir(experiment, str(images), "([a-z]")


def test_observers_hear_of_an_import_and_tags_come_from_the_folder(request_: Request, images: Path) -> None:
    listener = Listener()
    request_.add_observer(listener)
    experiment = request_.create_experiment("e")

    request_.import_dir(experiment, str(images), "tif$", directory_tag_key="folder")

    assert listener.heard[-1] == 100
    assert {data.key_value_pairs["folder"] for data in request_.query(experiment, "data")} == {"images"}  # type: ignore[attr-defined]


def test_annotating_again_changes_nothing_and_a_dry_run_never_does(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e")
    request_.import_dir(experiment, str(images), "tif$")

    planned = request_.annotate_from_name(experiment, "population", ["p1"], dry_run=True)
    assert request_.query(experiment, "data", "population=p1") == []
    done = request_.annotate_from_name(experiment, "population", ["p1"])

    assert planned == done
    assert [(change.name, change.before, change.after) for change in done] == [
        ("p1_a_3.tif", "", "p1"),
        ("p1_b_12.tif", "", "p1"),
    ]
    assert request_.annotate_from_name(experiment, "population", ["p1"]) == []


def test_names_without_the_part_are_left_with_a_warning(request_: Request, images: Path) -> None:
    listener = Listener()
    request_.add_observer(listener)
    experiment = request_.create_experiment("e")
    request_.import_dir(experiment, str(images), "tif$")
    request_.import_data(experiment, str(images / "p1_a_3.tif"), "short.tif")

    changes = request_.annotate_using_separator(experiment, "n", "_", 2)

    assert "short.tif" not in [change.name for change in changes]
    assert len(changes) == 3
    (warned,) = [text for text in listener.warned if "not annotated" in text]
    assert "short.tif" in warned


def test_a_selection_gets_values(request_: Request, images: Path) -> None:
    experiment = request_.create_experiment("e")
    request_.import_dir(experiment, str(images), "tif$")
    request_.annotate_from_name(experiment, "p", ["p1", "p2"])

    changes = request_.annotate(experiment, {"dose": "3", "who": "ada"}, "p=p2")

    assert {(change.name, change.key, change.after) for change in changes} == {
        ("p2_a_7.tif", "dose", "3"),
        ("p2_a_7.tif", "who", "ada"),
    }
    assert names(request_.query(experiment, "data", "dose>=3")) == ["p2_a_7.tif"]


@pytest.mark.parametrize("key", ["", "  ", None])
def test_a_key_that_says_nothing_is_refused(request_: Request, key: Any) -> None:
    experiment = request_.create_experiment("e", keys=["a"])

    with pytest.raises(InvalidNameError, match="a name is needed"):
        request_.set_keys(experiment, ["Good", key])

    assert request_.get_experiment(experiment.md_uri).keys == ["a"]


def test_keys_join_the_vocabulary_once(request_: Request) -> None:
    experiment = request_.create_experiment("e", keys=["a"])

    request_.set_key(experiment, "b")
    request_.set_keys(experiment, ["b", "c"])

    assert request_.get_experiment(experiment.md_uri).keys == ["a", "b", "c"]


def test_datasets_are_found_by_name_even_by_an_older_container(request_: Request) -> None:
    experiment = request_.create_experiment("e")
    older = request_.get_experiment(experiment.md_uri)
    request_.create_dataset(experiment, "blur")

    assert request_.get_dataset(older, "blur").name == "blur"
    assert request_.is_dataset(older, "blur")
    assert request_.is_dataset(older, "data")
    assert not request_.is_dataset(older, "deblur")
    assert request_.get_dataset(older, "data").md_uri == request_.get_raw_dataset(older).md_uri
    with pytest.raises(NotFoundError, match=r"deblur.*did you mean 'blur'"):
        request_.get_dataset(older, "deblur")


def test_results_know_their_parents_origins_and_runs(
    request_: Request, images: Path, a_result: Callable[..., ProcessedData]
) -> None:
    experiment = request_.create_experiment("e")
    source = request_.import_data(experiment, str(images / "p1_a_3.tif"), key_value_pairs={"dose": "3"})
    first = a_result(request_, experiment, source, "blur")
    second = a_result(request_, experiment, first, "labels")

    again = request_.get_processed_data(second.md_uri)
    parent, origin = request_.get_parent(again), request_.get_origin(again)

    assert parent is not None
    assert origin is not None
    assert (parent.uuid, origin.uuid) == (first.uuid, source.uuid)
    assert [run.process_name for run in request_.get_dataset_runs(request_.get_dataset(experiment, "labels"))] == [
        "labels"
    ]
    assert names(request_.query(experiment, "labels", "dose=3", "o")) == [second.name]
    assert request_.query(experiment, "labels", "dose=3", "other") == []
    assert request_.get_run(again.run.md_uri).process_name == "labels"


def test_records_are_read_changed_and_written(
    request_: Request, images: Path, a_result: Callable[..., ProcessedData]
) -> None:
    experiment = request_.create_experiment("e")
    raw = request_.import_data(experiment, str(images / "p1_a_3.tif"))
    processed = a_result(request_, experiment, raw, "blur")

    raw.set_key_value_pair("k", "v")
    request_.update_raw_data(raw)
    processed.author = "grace"
    request_.update_processed_data(processed)
    dataset = request_.get_dataset_from_uri(experiment.raw_dataset.url)
    request_.update_dataset(dataset)
    experiment.author = "hedy"
    request_.update_experiment(experiment)

    assert request_.get_raw_data(raw.md_uri).key_value_pairs["k"] == "v"
    assert request_.get_processed_data(processed.md_uri).author == "grace"
    assert request_.get_dataset_from_uri(dataset.md_uri).size() == 1
    assert request_.get_experiment(experiment.md_uri).author == "hedy"


def test_a_query_that_cannot_be_understood_points_at_the_place(request_: Request) -> None:
    experiment = request_.create_experiment("e")

    with pytest.raises(DataQueryError) as caught:
        request_.query(experiment, "data", "a=1 AND")

    assert caught.value.query == "a=1 AND"


def test_data_are_downloaded(request_: Request, images: Path, tmp_path: Path) -> None:
    experiment = request_.create_experiment("e")
    data = request_.import_data(experiment, str(images / "p1_a_3.tif"))
    (tmp_path / "out").mkdir()

    paths = [
        request_.download_data(data.md_uri, str(tmp_path / "out")),
        request_.download_data(data, str(tmp_path / "copy.tif")),
    ]

    assert [Path(path).read_bytes() for path in paths] == [b"p1_a_3.tif"] * 2
    assert paths == [str(tmp_path / "out" / "p1_a_3.tif"), str(tmp_path / "copy.tif")]


def test_nothing_is_overwritten_by_a_copy(on_minimal: Request, images: Path, tmp_path: Path) -> None:
    data = on_minimal.import_data(on_minimal.create_experiment("e"), str(images / "p1_a_3.tif"))
    (tmp_path / "mine.tif").write_text("mine")

    with pytest.raises(DataServiceError, match="is there already"):
        on_minimal.download_data(data.md_uri, str(tmp_path / "mine.tif"))
    with pytest.raises(DataServiceError, match="cannot be copied"):
        on_minimal.download_data(data.md_uri, str(tmp_path / "no" / "such" / "dir.tif"))

    assert (tmp_path / "mine.tif").read_text() == "mine"


def test_what_is_no_local_file_needs_a_service_that_can(on_minimal: Request, tmp_path: Path) -> None:
    experiment = on_minimal.create_experiment("e")
    remote = on_minimal.import_data(experiment, "s3://bucket/x.tif")
    gone = on_minimal.import_data(experiment, "/no/such/x.tif")

    with pytest.raises(UnsupportedError, match="data plugin 'MINIMAL' cannot download"):
        on_minimal.download_data(remote.md_uri, str(tmp_path))
    with pytest.raises(UnsupportedError, match="it is no local file"):
        on_minimal.view_data(remote.md_uri)
    for ask in (lambda: on_minimal.download_data(gone, str(tmp_path)), lambda: on_minimal.view_data(gone)):
        with pytest.raises(NotFoundError, match=r"no file at '/no/such/x\.tif'"):
            ask()


def test_extra_arguments_reach_services_that_know_them(local: Request, images: Path) -> None:
    experiment = local.create_experiment("e")

    data = local.import_data(experiment, str(images / "p1_a_3.tif"), mode="reference")
    local.import_dir(experiment, str(images.parent), "tif$", recursive=True, mode="copy", on_conflict="keep")

    assert data.uri == str(images / "p1_a_3.tif")
    assert local.get_raw_dataset(experiment).size() >= 3


@pytest.mark.parametrize("extra", [{"mode": "link"}, {"on_conflict": "error"}, {"recursive": True}])
def test_extra_arguments_that_a_service_does_not_know_are_refused(
    on_minimal: Request, images: Path, extra: dict[str, Any]
) -> None:
    experiment = on_minimal.create_experiment("e")

    with pytest.raises(UnsupportedError, match=f"data plugin 'MINIMAL' cannot import_dir with {next(iter(extra))}="):
        on_minimal.import_dir(experiment, str(images), "tif$", **extra)

    assert on_minimal.get_raw_dataset(experiment).size() == 0


def test_errors_of_a_foreign_service_are_ours_and_name_it(on_minimal: Request) -> None:
    with pytest.raises(DataServiceError, match="data plugin 'MINIMAL' failed in get_run: KeyError: 'nowhere'"):
        on_minimal.get_run("nowhere")
    with pytest.raises(UnsupportedError, match="data plugin 'MINIMAL' cannot check_experiment"):
        on_minimal.check_experiment(on_minimal.create_experiment("e"))


def test_an_experiment_is_checked_and_repaired(local: Request, images: Path) -> None:
    experiment = local.create_experiment("e")
    data = local.import_data(experiment, str(images / "p1_a_3.tif"))
    assert list(local.check_experiment(experiment)) == []
    Path(data.uri).unlink()

    assert "missing file" in [finding.kind for finding in local.check_experiment(experiment)]
    assert isinstance(list(local.repair_experiment(experiment)), list)


def test_a_dataset_of_raw_data_has_no_runs(on_minimal: Request, images: Path) -> None:
    experiment = on_minimal.create_experiment("e")
    on_minimal.import_data(experiment, str(images / "p1_a_3.tif"))

    assert on_minimal.get_dataset_runs(on_minimal.get_raw_dataset(experiment)) == []
