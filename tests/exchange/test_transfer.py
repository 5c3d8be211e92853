"""Moves that are interrupted, repeated, planned, or go to a home that cannot hold all."""

from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.core.exceptions import DataServiceError, InvalidNameError
from bioimageit_core.core.observer import Observer
from bioimageit_core.exchange.kept import KEPT
from bioimageit_core.exchange.transfer import transfer_experiment
from bioimageit_core.plugins.contracts import ReceivesData
from bioimageit_core.testing import MemoryMetadataService


class Stop(Exception):
    pass


class StopAfter(Observer):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def notify_progress(self, progress: int, message: str = "", job_id: int = 0) -> None:
        self.count -= 1
        if self.count <= 0:
            raise Stop


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def move(experiment: Any, first: Any, second: Any, place: str, **how: Any) -> Any:
    return transfer_experiment(experiment, first.service, second.service, place, **how)


KILLED = """
import functools, os, signal, sys
from bioimageit_core.exchange import transfer

left = int(sys.argv[1])

def dying(service, name):
    original = getattr(service, name)
    @functools.wraps(original)
    def wrapped(*args, **kwargs):
        global left
        left -= 1
        if left == 0 and int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(service, name, wrapped)

def with_deaths(*args):
    target = args[3]
    for name in ("create_experiment", "update_experiment", "import_data", "update_raw_data", "create_dataset",
                 "update_dataset", "create_run", "create_data", "receive_data"):
        if hasattr(target, name):
            dying(target, name)
    return init(*args)

init, transfer._Transfer.__init__ = transfer._Transfer.__init__, lambda self, *args: with_deaths(self, *args)
from bioimageit_core.cli.app import app
app(sys.argv[3:])
"""


@pytest.mark.parametrize(
    "target",
    [
        "LOCAL",
        "SQLite",
        pytest.param("S3", marks=pytest.mark.s3),
        pytest.param("PostgreSQL", marks=pytest.mark.postgresql),
        pytest.param("OMERO", marks=[pytest.mark.omero, pytest.mark.filterwarnings("ignore")]),
    ],
)
def test_a_transfer_that_is_killed_is_simply_run_again(
    target: str, home: Any, lineage: Any, everything: Any, tmp_path: Path
) -> None:
    first, second = home("LOCAL"), home(target)
    experiment, place = lineage(first), second.place()
    common = {"log_dir": str(tmp_path / "logs"), "user": {"name": "ada"}}
    (tmp_path / "here.json").write_text(json.dumps({**common, "metadata": first.config}))
    (tmp_path / "there.json").write_text(json.dumps({**common, "workspace": place, "metadata": second.config}))
    command = ["--config", str(tmp_path / "here.json"), "transfer", experiment.md_uri, str(tmp_path / "there.json")]

    def run(write: int, before: int) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-W", "ignore", "-c", KILLED, str(write), str(before), *command, "--json"]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)

    for write, before in ((1, 0), (9, 1)):
        killed = run(write, before)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = run(10_000, 0)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["not_held"], report["differing"], report["moved"] + report["present"]) == ([], [], 6)
    away = second.service.get_experiment(report["md_uri"])
    assert everything(second.service, away) == everything(first.service, experiment)
    second.forget(away.md_uri)


@pytest.mark.parametrize("target", ["LOCAL", "SQLite", "memory", "model"])
def test_an_interrupted_transfer_goes_on_where_it_was(target: str, home: Any, lineage: Any, everything: Any) -> None:
    first, second = home("model"), home(target)
    experiment, place = lineage(first), second.place()
    for count in (1, 3, 5):
        with pytest.raises(Stop):
            move(experiment, first, second, place, observers=[StopAfter(count)])
    done = move(experiment, first, second, place)
    assert (done.not_held, done.differing, done.moved + done.present) == ([], [], 6)
    away = second.service.get_experiment(done.md_uri)
    assert everything(second.service, away) == everything(first.service, experiment)


def test_run_again_it_moves_nothing(home: Any, lineage: Any) -> None:
    first, second = home("LOCAL"), home("SQLite")
    experiment, place = lineage(first), second.place()
    plan = move(experiment, first, second, place, dry_run=True)
    assert (plan.moved, plan.md_uri) == (6, "")
    assert second.service.get_workspace_experiments(place) == []
    done = move(experiment, first, second, place)
    again = move(experiment, first, second, place)
    planned = move(experiment, first, second, place, dry_run=True)
    assert (again.moved, again.present, again.md_uri, again.differing) == (0, 6, done.md_uri, [])
    assert (planned.moved, planned.present) == (0, 6)


def test_what_somebody_changed_in_the_new_home_is_told_and_stays(home: Any, lineage: Any) -> None:
    first, second, third = home("LOCAL"), home("SQLite"), home("model")
    experiment, place = lineage(first), second.place()
    away = second.service.get_experiment(move(experiment, first, second, place).md_uri)
    data = second.service.get_raw_data(second.service.get_dataset(away.raw_dataset.url).uris[0].md_uri)
    data.set_key_value_pair("P", "edited")
    second.service.update_raw_data(data)

    again = move(experiment, first, second, place)
    assert (again.not_held, again.differing) == ([], ["data/ä b;c.tif: key_value_pairs.P was '1', is 'edited'"])

    report = move(away, second, third, third.place())
    (onward, *_) = third.service.get_dataset(third.service.get_experiment(report.md_uri).raw_dataset.url).uris
    assert third.service.get_raw_data(onward.md_uri).key_value_pairs["P"] == "edited"


@pytest.mark.parametrize("target", ["model", "LOCAL", "SQLite"])
def test_a_file_that_arrives_with_other_content_is_an_error(
    target: str, home: Any, lineage: Any, monkeypatch: Any
) -> None:
    first, second = home("memory"), home(target)
    experiment = lineage(first)
    name = "receive_data" if isinstance(second.service, ReceivesData) else "download_data"
    original = getattr(second.service, name)
    before: dict[Path, bytes] = {}

    def spoilt(*args: Any) -> Any:
        result = original(*args)
        path = Path(result if isinstance(result, str) else result[0].uri)
        before.setdefault(path, path.read_bytes())
        path.chmod(0o600)
        path.write_text("something else")
        return result

    monkeypatch.setattr(second.service, name, spoilt)
    with pytest.raises(DataServiceError, match="arrived with another content"):
        move(experiment, first, second, second.place())
    assert before
    for path, content in before.items():  # the home is that of other tests too, and may keep one content once
        if path.exists():
            path.write_bytes(content)


def test_data_go_in_loads_and_results_after_what_they_were_made_from(
    home: Any, lineage: Any, everything: Any, monkeypatch: Any
) -> None:
    first, second = home("model"), home("LOCAL")
    experiment = lineage(first)
    stored = first.service.store.tables.experiments[experiment.md_uri]
    stored.processed_datasets = stored.processed_datasets[::-1]
    monkeypatch.setattr("bioimageit_core.exchange.loads._MOST", 2)
    received: list[int] = []
    original = second.service.receive_data

    def counted(dataset: Any, data: Any) -> Any:
        received.append(len(data))
        return original(dataset, data)

    monkeypatch.setattr(second.service, "receive_data", counted)
    done = move(first.service.get_experiment(experiment.md_uri), first, second, second.place())

    assert received == [2, 1, 1, 1, 1]
    away = second.service.get_experiment(done.md_uri)
    reversed_ = first.service.get_experiment(experiment.md_uri)
    assert everything(second.service, away) == everything(first.service, reversed_)


def test_a_name_that_a_home_refuses_keeps_no_other_data_of_its_load_from_going(home: Any, tmp_path: Path) -> None:
    first, second = home("model"), home("SQLite")
    experiment = first.service.create_experiment("e", "ada", destination="shelf")
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
        first.service.import_data(experiment, str(tmp_path / name), name, "ada", "imagetiff")
    data = first.service.get_raw_data(first.service.get_dataset(experiment.raw_dataset.url).uris[1].md_uri)
    data.name = "b/1"
    first.service.update_raw_data(data)

    done = move(experiment, first, second, second.place())

    assert (done.moved, done.not_held) == (3, ["data/b/1: common.name was 'b/1', is 'b_1'"])
    away = second.service.get_experiment(done.md_uri)
    names = [
        second.service.get_raw_data(item.md_uri).name for item in second.service.get_dataset(away.raw_dataset.url).uris
    ]
    assert names == ["a", "b_1", "c"]


def test_files_on_this_machine_are_not_copied_on_their_way_nor_given_away(
    home: Any, lineage: Any, everything: Any, monkeypatch: Any
) -> None:
    first, second = home("LOCAL"), home("LOCAL")
    experiment = lineage(first)
    before = everything(first.service, experiment)
    downloaded, original = [], first.service.download_data

    def download(md_uri: str, destination: str) -> Any:
        downloaded.append(md_uri)
        return original(md_uri, destination)

    def refused(*_: Any) -> None:
        raise InvalidNameError("name", "a", "none is taken")

    monkeypatch.setattr(first.service, "download_data", download)
    whole = move(experiment, first, second, second.place())
    assert downloaded == []
    monkeypatch.setattr(second.service, "receive_data", refused)  # then one by one, by a service that moves results
    apart = move(experiment, first, second, second.place())

    assert whole.moved == apart.moved > 0
    for done in (whole, apart):
        assert everything(second.service, second.service.get_experiment(done.md_uri)) == before
    assert everything(first.service, first.service.get_experiment(experiment.md_uri)) == before


class Forgetful(MemoryMetadataService):
    """Holds little: short plain names, no unknown keys, no nested metadata, no order, and does not list its runs."""

    get_dataset_runs = None  # type: ignore[assignment]

    def _refused(self, name: str) -> None:
        if "/" in name:
            raise InvalidNameError("name", name, "this home has no '/'")

    def create_experiment(self, name: str, *about: Any, **more: Any) -> Any:
        self._refused(name)
        return super().create_experiment(name, *about, **more)

    def create_dataset(self, experiment: Any, dataset_name: str) -> Any:
        self._refused(dataset_name)
        return super().create_dataset(experiment, dataset_name)

    def create_run(self, dataset: Any, run_info: Any) -> Any:
        return super().create_run(dataset, self._poor(run_info))

    def create_data(self, dataset: Any, run: Any, processed_data: Any) -> Any:
        return super().create_data(dataset, run, self._poor(processed_data))

    def update_experiment(self, experiment: Any) -> None:
        super().update_experiment(self._poor(experiment))

    def update_dataset(self, dataset: Any) -> None:
        poor = self._poor(dataset)
        poor.uris.sort(key=lambda item: item.uuid)
        super().update_dataset(poor)

    def update_raw_data(self, raw_data: Any) -> None:
        super().update_raw_data(self._poor(raw_data))

    def _poor(self, record: Any) -> Any:
        poor = copy.deepcopy(record)
        self._refused(getattr(poor, "name", ""))
        poor.extra = {}
        if hasattr(poor, "metadata"):
            poor.metadata = {key: value for key, value in poor.metadata.items() if not isinstance(value, dict | list)}
            poor.author = poor.author[:1]
        return poor


@pytest.fixture
def forgetful(home: Any) -> Any:
    service = Forgetful()
    yield type(home("model"))(service, lambda: "shelf")
    service.close()


def with_slashes(home: Any, experiment: Any) -> Any:
    """Give an experiment names that some homes refuse."""
    experiment.name = f"a/{experiment.name}"
    experiment.extra = {"study": {"id": "S-1"}}
    home.service.update_experiment(experiment)
    data = home.service.get_raw_data(home.service.get_dataset(experiment.raw_dataset.url).uris[0].md_uri)
    data.name = "plate 1/A01.tif"
    home.service.update_raw_data(data)
    dataset = home.service.get_dataset(experiment.processed_datasets[0].url)
    dataset.name = "first/pass"
    home.service.update_dataset(dataset)
    return home.service.get_experiment(experiment.md_uri)


def test_what_a_home_cannot_hold_is_kept_there_and_comes_back(
    home: Any, lineage: Any, everything: Any, forgetful: Any
) -> None:
    first, last = home("model"), home("SQLite")
    experiment = with_slashes(first, lineage(first))
    before = everything(first.service, experiment)

    out = move(experiment, first, forgetful, "shelf")
    poor = forgetful.service.get_experiment(out.md_uri)
    assert "data/plate 1/A01.tif: common.name was 'plate 1/A01.tif', is 'plate 1_A01.tif'" in out.not_held
    assert [info.name for info in poor.processed_datasets] == ["first_pass", "two", "three", KEPT]
    assert move(poor, forgetful, last, last.place(), dry_run=True).moved == 6

    back = move(poor, forgetful, first, first.place())
    assert back.not_held == []
    assert everything(first.service, first.service.get_experiment(back.md_uri)) == before


def test_what_was_changed_in_a_home_goes_before_what_is_kept_there(home: Any, lineage: Any, forgetful: Any) -> None:
    first = home("model")
    out = move(lineage(first), first, forgetful, "shelf")
    poor = forgetful.service.get_experiment(out.md_uri)
    data = forgetful.service.get_raw_data(forgetful.service.get_dataset(poor.raw_dataset.url).uris[0].md_uri)
    assert data.author == "b"
    data.author = "c"
    forgetful.service.update_raw_data(data)

    back = first.service.get_experiment(move(poor, forgetful, first, first.place()).md_uri)
    found = [first.service.get_raw_data(item.md_uri) for item in first.service.get_dataset(back.raw_dataset.url).uris]
    assert sorted(each.author for each in found) == ["bo", "bo", "c"]
    assert all(each.metadata["Channel"] == ["DAPI", None] for each in found)


@pytest.mark.parametrize("count", [2, 5])
def test_what_is_kept_survives_an_interruption(
    count: int, home: Any, lineage: Any, everything: Any, forgetful: Any, monkeypatch: Any
) -> None:
    first = home("model")
    experiment = lineage(first)
    with monkeypatch.context() as killed:  # a process that is killed writes nothing more
        killed.setattr("bioimageit_core.exchange.kept.Keeper.write", lambda _: None)
        with pytest.raises(Stop):
            move(experiment, first, forgetful, "shelf", observers=[StopAfter(count)])
    done = move(experiment, first, forgetful, "shelf")
    assert done.differing == []
    back = move(forgetful.service.get_experiment(done.md_uri), forgetful, first, first.place())
    assert everything(first.service, first.service.get_experiment(back.md_uri)) == everything(first.service, experiment)


def test_a_data_left_where_it_lies_is_a_copy_elsewhere_and_left_there_again_at_home(home: Any, tmp_path: Path) -> None:
    first, second = home("LOCAL"), home("SQLite")
    source = tmp_path / "a.tif"
    source.write_text("a")
    experiment = first.service.create_experiment("e", "ada", destination=first.place())
    first.service.import_data(experiment, str(source), "a.tif", "ada", "imagetiff", mode="reference")

    def back() -> str:
        report = move(second.service.get_experiment(out.md_uri), second, first, first.place())
        again = first.service.get_experiment(report.md_uri)
        (entry,) = first.service.get_dataset(again.raw_dataset.url).uris
        return first.service.get_raw_data(entry.md_uri).uri

    out = move(experiment, first, second, second.place())
    assert out.not_held == ["a.tif: was left where it lay, and is a copy now"]
    assert back() == str(source)
    source.write_text("another")
    assert Path(back()).read_text() == "a"
