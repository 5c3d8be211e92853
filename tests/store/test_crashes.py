"""A process is killed, or a machine stops, after any call to the filesystem: nothing that was done is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.store.disk_log import DiskLog, Image, recorded

from bioimageit_core.containers import Container, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import BioImageITError, ConflictError, NotFoundError
from bioimageit_core.plugins.data_local import LocalMetadataService

Command = Callable[[LocalMetadataService, Path], Any]
ORPHANS = {"orphan document", "orphan file", "orphan dataset", "leftover"}


def experiment_in(workspace: Path) -> Experiment:
    return LocalMetadataService(durable=False).get_experiment(f"{workspace}/n")


def sources(workspace: Path) -> str:
    return str(workspace.parent / "sources")


def data_named(service: LocalMetadataService, workspace: Path, name: str) -> str:
    dataset = service.get_dataset(f"{workspace}/n/data/raw_dataset.md.json")
    found = [service.get_raw_data(item.md_uri) for item in dataset.uris]
    return next((data.md_uri for data in found if data.name == name), f"{workspace}/n/data/none.md.json")


def create(service: LocalMetadataService, workspace: Path) -> None:
    service.create_experiment("new", "ada", "2024-01-01", ["Gene"], str(workspace))


def import_data(service: LocalMetadataService, workspace: Path) -> None:
    pairs = {"New": 1}
    path = f"{sources(workspace)}/c.tif"
    service.import_data(experiment_in(workspace), path, "c.tif", "ada", "imagetiff", "2024-01-01", pairs)


def import_dir(service: LocalMetadataService, workspace: Path) -> None:
    where = sources(workspace)
    service.import_dir(experiment_in(workspace), where, "", "ada", "imagetiff", "2024-01-01", "Plate", None)


def receive(service: LocalMetadataService, workspace: Path) -> None:
    dataset = f"{workspace}/n/data/raw_dataset.md.json"
    listed = {service.get_raw_data(item.md_uri).name for item in service.get_dataset(dataset).uris}
    names = [name for name in ("c.tif", "d.tif") if name not in listed]  # a transfer asks what has arrived
    data = [RawData("", f"from-{name}", name, "ada", "2024-01-01", "imagetiff") for name in names]
    for each in data:
        each.uri = f"{sources(workspace)}/{each.name}"
    service.receive_data(Container(dataset), data)


def replace(service: LocalMetadataService, workspace: Path) -> None:
    path = f"{sources(workspace)}/other/a.tif"
    experiment = experiment_in(workspace)
    service.import_data(experiment, path, "a.tif", "ada", "imagetiff", "2024-01-01", on_conflict="replace")


def annotate(service: LocalMetadataService, workspace: Path) -> None:
    pairs = {data_named(service, workspace, name): {"Gene": "new"} for name in ("a.tif", "b.tif")}
    service.annotate_data(Container(f"{workspace}/n/data/raw_dataset.md.json"), pairs)


def update(service: LocalMetadataService, workspace: Path) -> None:
    data = service.get_raw_data(data_named(service, workspace, "a.tif"))
    data.author = "grace"
    service.update_raw_data(data)


def create_dataset(service: LocalMetadataService, workspace: Path) -> None:
    service.create_dataset(experiment_in(workspace), "more")


def record(service: LocalMetadataService, workspace: Path) -> None:
    store_results(service, workspace, ["fine"])


def record_together(service: LocalMetadataService, workspace: Path) -> None:
    store_results(service, workspace, ["fine", "finer", "finest", "a", "b"])  # more than are synced one by one


def store_results(service: LocalMetadataService, workspace: Path, names: list[str]) -> None:
    dataset = service.get_dataset(f"{workspace}/n/masks/processed_dataset.md.json")
    run = service.create_run(dataset, Run(process_name="again"))
    several = []
    for name in names:
        data = ProcessedData()
        data.set_info(name, "ada", "2024-01-01", "imagetiff", "")
        data = service.create_data_uri(dataset, run, data)
        descriptor = os.open(data.uri, os.O_WRONLY | os.O_CREAT)  # not by Path: that is not written down
        os.write(descriptor, f"mask {name}".encode())
        os.close(descriptor)
        several.append(data)
    service.create_many_data(dataset, run, several)


def delete(service: LocalMetadataService, workspace: Path) -> None:
    uri = f"{workspace}/n"
    done = service.finish_deletions(uri)
    wanted = data_named(service, workspace, "a.tif")
    if not done or Path(wanted).exists():
        service.delete_data(uri, [wanted], [f"{workspace}/n/masks/processed_dataset.md.json"], "both")


def restore(service: LocalMetadataService, workspace: Path) -> None:
    service.restore(f"{workspace}/n", "gone.tif")


def purge(service: LocalMetadataService, workspace: Path) -> None:
    service.purge_trash(f"{workspace}/n", "gone.tif")


def delete_experiment(service: LocalMetadataService, workspace: Path) -> None:
    service.delete_experiment(f"{workspace}/n/experiment.md.json")


def undo(service: LocalMetadataService, workspace: Path) -> None:
    entries = service.get_history(f"{workspace}/n", limit=100).entries
    change = next(entry.change for entry in entries if entry.new == {"Gene": "old"})
    service.undo_change(f"{workspace}/n", change)


COMMANDS: list[Command] = [
    create,
    import_data,
    import_dir,
    receive,
    replace,
    annotate,
    update,
    create_dataset,
    record,
    record_together,
    delete,
    restore,
    purge,
    delete_experiment,
    undo,
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an experiment that has annotated data, a result, and something in its trash."""
    root = tmp_path_factory.mktemp("prepared")
    (root / "sources" / "other").mkdir(parents=True)
    for name in ("a.tif", "b.tif", "c.tif", "d.tif", "gone.tif"):
        (root / "sources" / name).write_bytes(f"content of {name}".encode())
    (root / "sources" / "other" / "a.tif").write_bytes(b"other content")
    workspace = root / "workspace"
    workspace.mkdir()
    service = LocalMetadataService(durable=False)
    experiment = service.create_experiment("n", "ada", "2024-01-01", ["Gene"], str(workspace))
    raw = [
        service.import_data(experiment, f"{root}/sources/{name}", name, "ada", "imagetiff", "2024-01-01")
        for name in ("a.tif", "b.tif", "gone.tif")
    ]
    pairs = {data.md_uri: {"Gene": "old"} for data in raw[:2]}
    service.annotate_data(Container(experiment.raw_dataset.url), pairs)
    dataset = service.create_dataset(experiment, "masks")
    data = ProcessedData()
    data.set_info("mask", "ada", "2024-01-01", "imagetiff", "")
    data.add_input("i", raw[0])
    run = service.create_run(dataset, Run(process_name="p"))
    data = service.create_data_uri(dataset, run, data)
    Path(data.uri).write_bytes(b"mask")
    service.create_data(dataset, run, data)
    service.delete_data(experiment.md_uri, [raw[2].md_uri], what="gone.tif")
    service.flush()
    return root


def state(workspace: Path) -> dict[str, Any]:
    """Say what the workspace holds, as a process that knows nothing reads it; a torn document raises."""
    service = LocalMetadataService(durable=False)
    found: dict[str, Any] = {}
    for entry in service.get_workspace_experiments(str(workspace)):
        assert "error" not in entry, entry
        experiment = entry["info"]
        raw = [service.get_raw_data(item.md_uri) for item in service.get_dataset(experiment.raw_dataset.url).uris]
        told: dict[str, Any] = {
            "keys": experiment.keys,
            "data": sorted((d.name, d.author, Path(d.uri).read_bytes(), str(d.key_value_pairs)) for d in raw),
        }
        for info in experiment.processed_datasets:
            dataset = service.get_dataset(info.url)
            results = [service.get_processed_data(item.md_uri) for item in dataset.uris]
            runs = {run.process_name for run in service.get_dataset_runs(dataset)}
            told[info.name] = ({(d.name, Path(d.uri).read_bytes()) for d in results}, runs)
        told["trash"] = sorted((e.what, e.state) for e in service.get_trash(experiment.md_uri) if e.state != "file")
        found[experiment.name] = told
    return found


class Trial:
    """A command that was recorded, tried from every image that a crash may leave."""

    def __init__(self, command: Command, prepared: Path, tmp_path: Path) -> None:
        self.command = command
        self.tmp_path = tmp_path
        shutil.copytree(prepared, tmp_path / "live")
        workspace = tmp_path / "live" / "workspace"
        self.before = state(workspace)
        with recorded(workspace) as log:
            command(LocalMetadataService(), workspace)
        self.log: DiskLog = log
        self.after = state(workspace)
        self._seen: set[Any] = set()
        self._prepared = prepared

    def workspace(self, image: Image) -> Path | None:
        """Make an image real; None for one that was tried before."""
        frozen = image.frozen()
        if frozen in self._seen:
            return None
        self._seen.add(frozen)
        place = self.tmp_path / f"image {len(self._seen)}"
        place.mkdir()
        (place / "sources").symlink_to(self._prepared / "sources")
        workspace = place / "workspace"
        workspace.mkdir()
        image.write_to(workspace)
        return workspace

    def check(self, workspace: Path, where: str) -> None:
        """Assert that nothing that was there before is lost, and that the command run again completes."""
        service = LocalMetadataService(durable=False)
        state(workspace)
        if (workspace / "n").exists():
            kinds = {f"{found.kind}: {found.uri}" for found in service.check_experiment(f"{workspace}/n")}
            assert {kind.split(":")[0] for kind in kinds} <= ORPHANS, f"{where}: {kinds}"
        try:
            self.command(LocalMetadataService(durable=False), workspace)
        except (ConflictError, NotFoundError):
            pass  # it was done
        again = state(workspace)
        if self.command in (record, record_together):  # a run is asked for again by its job, which knows what is there
            again = {**again, "n": {**again["n"], "masks": self.after["n"]["masks"]}}
        assert again == self.after, where
        self.mended(workspace, where)

    def mended(self, workspace: Path, where: str) -> None:
        if not (workspace / "n").exists():
            return
        service = LocalMetadataService(durable=False)
        list(service.repair_experiment(f"{workspace}/n"))
        # those that were adopted, too, are whole
        contents = {path.read_bytes() for path in Path(sources(workspace)).rglob("*.tif")}
        for item in service.get_dataset(f"{workspace}/n/data/raw_dataset.md.json").uris:
            assert Path(service.get_raw_data(item.md_uri).uri).read_bytes() in contents, where
        masks = f"{workspace}/n/masks/processed_dataset.md.json"
        listed = service.get_dataset(masks).uris if Path(masks).exists() else []
        for data in (service.get_processed_data(item.md_uri) for item in listed):
            assert Path(data.uri).read_bytes() in {b"mask", f"mask {data.name}".encode()}, where
        assert list(LocalMetadataService().check_experiment(f"{workspace}/n")) == [], where


@pytest.fixture
def trial(request: pytest.FixtureRequest, prepared: Path, tmp_path: Path) -> Trial:
    return Trial(request.param, prepared, tmp_path)


every_command = pytest.mark.parametrize("trial", COMMANDS, indirect=True, ids=lambda command: command.__name__)


@every_command
def test_a_process_that_is_killed_loses_nothing_and_its_command_completes(trial: Trial) -> None:
    assert len(trial.log.ops) > 5
    for count in range(len(trial.log.ops) + 1):
        for image in trial.log.after_kill(count):
            if workspace := trial.workspace(image):
                trial.check(workspace, f"killed after {count}: {trial.log.ops[max(0, count - 3) : count + 1]}")


@every_command
def test_what_was_done_is_there_after_a_power_cut(trial: Trial) -> None:
    for image in trial.log.after_power_cut(len(trial.log.ops)):
        if workspace := trial.workspace(image):
            assert state(workspace) == trial.after


@every_command
def test_a_power_cut_in_the_middle_loses_nothing_that_was_done_before(trial: Trial) -> None:
    for count in range(len(trial.log.ops)):
        for image in trial.log.after_power_cut(count):
            if workspace := trial.workspace(image):
                trial.check(workspace, f"power cut after {count}: {trial.log.ops[max(0, count - 3) : count + 1]}")


def test_the_simulated_disk_drops_what_was_not_synced(tmp_path: Path) -> None:
    with recorded(tmp_path) as log:
        descriptor = os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"one")
        os.fsync(descriptor)
        os.write(descriptor, b"two!")
        os.close(descriptor)
        os.rename(tmp_path / "a", tmp_path / "b")
    found = {image.frozen() for image in log.after_power_cut(len(log.ops))}
    names = {frozenset(), frozenset({"a"}), frozenset({"b"})}
    assert {frozenset(path for path, _ in image) for image in found} == names
    assert {content for image in found for _, content in image} == {b"one", b"onetw", b"onetwo!"}
    (whole,) = log.after_kill(len(log.ops))
    assert whole.frozen() == frozenset({("b", b"onetwo!")})


def test_a_document_that_is_torn_is_noticed_by_these_tests(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "workspace", tmp_path / "workspace")
    (tmp_path / "workspace" / "n" / "data" / "a.md.json").write_bytes(b'{"uuid":')
    with pytest.raises(BioImageITError):
        state(tmp_path / "workspace")
