"""Several services and processes on one experiment: nothing is lost, and the list is whole when they have ended."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, Run

HOMES = ("local", "memory", "s3", "sftp")

SCRIPT = textwrap.dedent(
    """
    import json, sys
    from bioimageit_core.containers import Run
    from bioimageit_core.plugins.data_fsspec import FsspecMetadataService
    from bioimageit_core.plugins.data_local import LocalMetadataService

    given = json.load(sys.stdin)
    remote = given["options"] is not None
    service = FsspecMetadataService(given["options"], cache_dir=given["cache"]) if remote else LocalMetadataService()
    me, experiment = given["me"], service.get_experiment(given["experiment"])
    for path in given["paths"]:
        service.import_data(experiment, path, path.rpartition("/")[2], me, "imagetiff", "now", {f"by {me}": "1"})
    for number in range(given["rounds"]):
        data = service.get_raw_data(given["shared"])
        data.set_key_value_pair(f"{me} {number}", str(number))
        service.update_raw_data(data)
        dataset = service.get_dataset(given["dataset"])
        service.create_run(dataset, Run(process_name=f"{me} {number}"))
    """
)


@pytest.mark.parametrize("count", [3])
def test_processes_at_once_lose_nothing(
    request: pytest.FixtureRequest, home: Any, service: Any, experiment: Experiment, tmp_path: Path, count: int
) -> None:
    shared_path = tmp_path / "shared.tif"
    shared_path.write_bytes(b"shared")
    shared = service.import_data(experiment, str(shared_path), "shared", "ada", "imagetiff")
    dataset = service.create_dataset(experiment, "results")
    server = request.getfixturevalue(f"{home.name}_server") if home.name in {"s3", "sftp"} else None
    processes = []
    for me in range(count):
        folder = tmp_path / f"of {me}"
        folder.mkdir()
        for number in range(4):
            # half of the names are the same in all, with other content; and one file is the very same
            (folder / f"{number if number % 2 else f'{me}-{number}'}.tif").write_bytes(b"%d %d" % (me, number))
        (folder / "same.tif").write_bytes(b"the same")
        given = {
            "options": server.options if server else None,
            "cache": str(tmp_path / f"cache {me}"),
            "me": f"p{me}",
            "experiment": experiment.md_uri,
            "paths": [str(path) for path in sorted(folder.iterdir())],
            "shared": shared.md_uri,
            "dataset": dataset.md_uri,
            "rounds": 3,
        }
        process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin
        process.stdin.write(json.dumps(given).encode())
        process.stdin.close()
        processes.append(process)
    for process in processes:
        with process:
            assert process.stderr
            said = process.stderr.read().decode()
        assert process.returncode == 0, said

    by = home.make()
    data = [by.get_raw_data(item.md_uri) for item in by.get_dataset(experiment.raw_dataset.url).uris]
    contents = sorted(home.read(item.uri) for item in data)
    expected = [b"%d %d" % (me, number) for me in range(count) for number in range(4)]
    assert contents == sorted([*expected, b"shared", b"the same"])
    assert len({item.md_uri for item in data}) == len({item.uuid for item in data}) == len(data)
    keys = by.get_raw_data(shared.md_uri).key_value_pairs
    assert {key for key in keys if keys[key]} == {f"p{me} {n}" for me in range(count) for n in range(3)}
    assert set(by.get_experiment(experiment.md_uri).keys) == {"Gene", *(f"by p{me}" for me in range(count))}
    runs = [run.process_name for run in by.get_dataset_runs(dataset)]
    assert sorted(runs) == sorted(f"p{me} {n}" for me in range(count) for n in range(3))
    listed = {link["uuid"] for link in home.document(experiment.raw_dataset.url)["urls"]}
    assert listed == {item.uuid for item in data}


test_processes_at_once_lose_nothing.homes = ("local", "s3", "sftp")


def test_two_services_annotate_one_data(service: Any, home: Any, experiment: Experiment, sources: Path) -> None:
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", "now", {"Gene": "p53"})
    one, two = service.get_raw_data(data.md_uri), home.make().get_raw_data(data.md_uri)
    one.set_key_value_pair("One", 1)
    two.set_key_value_pair("Two", 2)
    two.author = "grace"
    home.make().update_raw_data(two)
    service.update_raw_data(one)
    stored = home.make().get_raw_data(data.md_uri)
    assert stored.key_value_pairs == {"Gene": "p53", "Two": 2, "One": 1}
    assert stored.author == "grace"


def test_an_experiment_read_long_ago_overwrites_nothing(service: Any, home: Any, experiment: Experiment) -> None:
    old = service.get_experiment(experiment.md_uri)
    other = home.make()
    fresh = other.get_experiment(experiment.md_uri)
    fresh.set_key("Theirs")
    other.update_experiment(fresh)
    other.create_dataset(fresh, "theirs")
    old.set_key("Mine")
    old.name = "renamed"
    service.update_experiment(old)
    service.create_dataset(old, "mine")

    stored = home.make().get_experiment(experiment.md_uri)
    assert stored.name == "renamed"
    assert stored.keys == ["Gene", "Mine", "Theirs"]
    assert [info.name for info in stored.processed_datasets] == ["theirs", "mine"]


def test_what_other_software_wrote_meanwhile_is_kept(
    service: Any, home: Any, experiment: Experiment, sources: Path
) -> None:
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    mine = service.get_raw_data(data.md_uri)
    home.change(data.md_uri, theirs={"x": [1]}, metadata={"PhysicalSizeX": 0.1})
    listed = home.document(experiment.raw_dataset.url)
    home.change(experiment.raw_dataset.url, urls=[*listed["urls"], {"uuid": "t", "url": "t.md.json"}], theirs=1)
    mine.set_key_value_pair("Gene", "p53")
    service.update_raw_data(mine)
    service.import_data(experiment, str(sources / "b.tif"), "b", "ada", "imagetiff")
    service.flush()

    document = home.document(data.md_uri)
    assert (document["theirs"], document["metadata"]) == ({"x": [1]}, {"PhysicalSizeX": 0.1})
    assert document["key_value_pairs"]["Gene"] == "p53"
    listed = home.document(experiment.raw_dataset.url)
    assert [link["url"] for link in listed["urls"]] == ["a.md.json", "t.md.json", "b.md.json"]
    assert listed["theirs"] == 1


def test_one_import_after_another_is_read_at_once_and_listed_at_the_end(
    home: Any, service: Any, experiment: Experiment, tmp_path: Path
) -> None:
    for number in range(200):
        path = tmp_path / f"{number}.tif"
        path.write_bytes(b"%d" % number)
        service.import_data(experiment, str(path), path.name, "ada", "imagetiff")
        if number % 50 == 7:
            assert home.make().get_dataset(experiment.raw_dataset.url).size() == number + 1
    on_disk = len(home.document(experiment.raw_dataset.url)["urls"])
    assert 190 < on_disk < 200
    service.flush()
    urls = [link["url"] for link in home.document(experiment.raw_dataset.url)["urls"]]
    assert urls == [f"{number}.md.json" for number in range(200)]


test_one_import_after_another_is_read_at_once_and_listed_at_the_end.homes = ("local", "memory")


def test_when_a_process_ends_the_lists_are_whole(
    home: Any, service: Any, experiment: Experiment, tmp_path: Path
) -> None:
    for number in range(150):
        (tmp_path / f"{number}.tif").write_bytes(b"%d" % number)
    script = textwrap.dedent(
        """
        import sys
        from bioimageit_core.plugins.data_local import LocalMetadataService

        service = LocalMetadataService(durable=False)
        experiment = service.get_experiment(sys.argv[1])
        for number in range(150):
            service.import_data(experiment, f"{sys.argv[2]}/{number}.tif", str(number), "ada", "imagetiff")
        if sys.argv[3] == "raises":
            raise RuntimeError
        """
    )
    for how in ("returns", "raises"):
        other = service.create_experiment(how, "ada", "now", [], home.workspace)
        ended = subprocess.run(
            [sys.executable, "-c", script, other.md_uri, str(tmp_path), how], capture_output=True, check=False
        )
        assert ended.returncode == (how == "raises"), ended.stderr
        assert len(home.document(other.raw_dataset.url)["urls"]) == 150


test_when_a_process_ends_the_lists_are_whole.homes = ("local",)


def test_runs_made_by_two_services_have_names_of_their_own(service: Any, home: Any, experiment: Experiment) -> None:
    dataset = service.create_dataset(experiment, "m")
    other = home.make()
    for number in range(3):
        service.create_run(dataset, Run(process_name=f"a{number}"))
        other.create_run(dataset, Run(process_name=f"b{number}"))
    names = [name for name in home.names(dataset.md_uri.rpartition("/")[0]) if name.startswith("run")]
    assert names == sorted(["run.md.json", *(f"run_{n}.md.json" for n in range(1, 6))])
    assert len(service.get_dataset_runs(dataset)) == 6
