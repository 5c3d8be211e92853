"""Whatever fails in the middle is told, and leaves a state from which the same command completes."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, RawData, Run
from bioimageit_core.core.exceptions import DataServiceError

OPERATIONS = ("write", "place", "exchange", "append", "make_dir", "move", "take_in", "sync", "clear_log", "lock")
REASONS = {
    errno.ENOSPC: "No space left on device",
    errno.EROFS: "Read-only file system",
    errno.EACCES: "Permission denied",
    errno.EIO: "Input/output error",
    errno.EDQUOT: "Disk quota exceeded",
}


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def failing(service: Any, number: int, error: BaseException) -> Iterator[list[str]]:
    """Let the operation of that number fail, and all after it: a full disk stays full, a dead process dead."""
    calls: list[str] = []
    originals = {name: getattr(service.files, name) for name in OPERATIONS}

    def wrap(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) >= number:
                raise error
            return originals[name](*args, **kwargs)

        return call

    for name in OPERATIONS:
        setattr(service.files, name, wrap(name))
    try:
        yield calls
    finally:
        for name in OPERATIONS:
            delattr(service.files, name)


def raised_by(action: Callable[[], Any]) -> str | None:
    try:
        action()
    except DataServiceError as error:
        return str(error)
    return None


def documents(experiment: Experiment) -> dict[str, bytes]:
    root = Path(experiment.md_uri).parent
    paths = (path for path in root.rglob("*.json") if ".bioimageit" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def whole(service: Any, experiment: Experiment) -> list[RawData]:
    """Read everything, so that a torn document shows."""
    fresh = service.get_experiment(experiment.md_uri)
    for info in fresh.processed_datasets:
        dataset = service.get_dataset(info.url)
        service.get_dataset_runs(dataset)
        for item in dataset.uris:
            service.get_processed_data(item.md_uri)
    return [service.get_raw_data(item.md_uri) for item in service.get_dataset(fresh.raw_dataset.url).uris]


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "full"])
def test_an_import_that_was_interrupted_anywhere_can_be_run_again(
    home: Any, sources: Path, error: BaseException, same_process: bool, tmp_path: Path
) -> None:
    (sources / "sub").mkdir()
    (sources / "sub" / "a.tif").write_bytes(b"another a")
    before = {path: path.read_bytes() for path in sources.rglob("*.tif")}
    for number in range(1, 200):
        service = home.make()
        experiment = service.create_experiment(f"e {number}", "ada", "now", [], home.workspace)

        def run(by: Any, experiment: Experiment = experiment) -> None:
            by.import_dir(experiment, str(sources), "tif$", "ada", "imagetiff", "now", "Plate", None, recursive=True)

        with failing(service, number, error) as calls:
            with contextlib.suppress(Killed, DataServiceError):
                run(service)
            is_over = len(calls) < number
        whole(home.make(), experiment)
        by = service if same_process else home.make()
        run(by)
        run(home.make())

        found = whole(home.make(), experiment)
        assert sorted(data.name for data in found) == ["a.tif", "a.tif", "b.tif", "c.tif"], f"failed at {calls[-1]}"
        assert sorted(Path(data.uri).read_bytes() for data in found) == sorted(before.values())
        assert {data.key_value_pairs["Plate"] for data in found} == {"sources", "sub"}
        folder = Path(experiment.md_uri).parent / "data"
        assert len(os.listdir(folder)) == 9, f"{calls[-1]} left {os.listdir(folder)}"
        if is_over:
            break
    else:
        pytest.fail("the import takes more operations than were tried")
    assert number > 10
    assert {path: path.read_bytes() for path in sources.rglob("*.tif")} == before


Action = Callable[[Any, Experiment, Path], Any]


def _import(service: Any, experiment: Experiment, sources: Path) -> Any:
    return service.import_data(experiment, str(sources / "b.tif"), "b", "ada", "imagetiff", "now", {"New": 1})


def _replace(service: Any, experiment: Experiment, sources: Path) -> Any:
    (sources / "a.tif").write_bytes(b"other")
    return service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff", on_conflict="replace")


def _update(service: Any, experiment: Experiment, sources: Path) -> None:
    (item,) = service.get_dataset(experiment.raw_dataset.url).uris
    data = service.get_raw_data(item.md_uri)
    data.set_key_value_pair("Gene", "changed")
    service.update_raw_data(data)


def _dataset(service: Any, experiment: Experiment, sources: Path) -> Any:
    return service.create_dataset(service.get_experiment(experiment.md_uri), "new")


def _run(service: Any, experiment: Experiment, sources: Path) -> Any:
    return service.create_run(service.get_dataset(experiment.processed_datasets[0].url), Run(process_name="p"))


@pytest.mark.parametrize("number", list(REASONS), ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("action", [_import, _replace, _update, _dataset, _run])
def test_a_write_that_fails_is_told_and_leaves_the_state_before(
    home: Any, sources: Path, action: Action, number: int
) -> None:
    service = home.make()
    experiment = service.create_experiment("e", "ada", "now", ["Gene"], home.workspace)
    service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    service.create_dataset(experiment, "results")
    content = Path(whole(service, experiment)[0].uri).read_bytes()
    before = documents(experiment)
    for count in range(1, 60):
        with failing(service, count, OSError(number, REASONS[number], "/the/file")) as calls:
            told = raised_by(lambda: action(service, experiment, sources))
            assert told is None or (REASONS[number] in told and "\n" not in told)
            assert told or len(calls) < count or calls[-1] == "clear_log", calls
        if len(calls) < count:
            break
        listed = whole(home.make(), experiment)
        if action is _update and documents(experiment) != before:
            continue  # an update that only the journal has not heard of can simply be made again
        assert [data.name for data in listed] == ["a"], calls
        if action is not _replace:
            changed = {name for name, old in before.items() if documents(experiment)[name] != old}
            assert changed <= {"experiment.md.json"}, calls  # the vocabulary may have grown
        assert Path(listed[0].uri).read_bytes() in {content, b"other"}, calls
    else:
        pytest.fail("too many operations")
    assert count > 2


def test_a_result_that_cannot_be_stored_is_where_it_was(
    home: Any, sources: Path, make_result: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = home.make()
    experiment = service.create_experiment("e", "ada", "now", [], home.workspace)
    raw = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    dataset = service.create_dataset(experiment, "m")
    run = service.create_run(dataset, Run())
    from bioimageit_core.containers import ProcessedData

    data = ProcessedData()
    data.set_info("mask", "ada", "now", "imagetiff", "")
    data.add_input("i", raw)
    data = service.create_data_uri(dataset, run, data)
    place, written = data.uri, b"precious"
    Path(place).write_bytes(written)
    for number in range(1, 30):
        with failing(service, number, OSError(errno.ENOSPC, "No space left on device")) as calls:
            told = raised_by(lambda: service.create_data(dataset, run, data))
            assert told is None or "No space left" in told
        if len(calls) < number:
            break
        if service.get_dataset(dataset.md_uri).uris:
            break  # only the list for others is not whole
        assert Path(place).read_bytes() == written, calls
        assert data.uri == place
    assert number > 3
    (item,) = home.make().get_dataset(dataset.md_uri).uris
    assert Path(home.make().get_processed_data(item.md_uri).uri).read_bytes() == written
    assert sorted(os.listdir(os.path.dirname(dataset.md_uri))) == [
        "mask.md.json",
        "mask.tif",
        "processed_dataset.md.json",
        "run.md.json",
    ]


def test_a_process_that_is_killed_while_it_imports(home: Any, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.tif").write_bytes(b"%d" % number)
    service = home.make()
    experiment = service.create_experiment("e", "ada", "now", [], home.workspace)
    script = textwrap.dedent(
        """
        import os, signal, sys
        from bioimageit_core.core.observer import Observer
        from bioimageit_core.plugins.data_local import LocalMetadataService

        class Killer(Observer):
            def notify_progress(self, progress, message="", job_id=0):
                if progress >= float(sys.argv[3]):
                    os.kill(os.getpid(), signal.SIGKILL)

        service = LocalMetadataService(durable=False)
        service.import_dir(service.get_experiment(sys.argv[1]), sys.argv[2], "", "a", "raw", "now", "", [Killer()])
        """
    )
    for percent in ("1", "40", "90"):
        ended = subprocess.run([sys.executable, "-c", script, experiment.md_uri, str(folder), percent], check=False)
        assert ended.returncode == -9
        whole(home.make(), experiment)
    service = home.make()
    service.import_dir(experiment, str(folder), "", "a", "raw", "now", "", None)

    found = whole(home.make(), experiment)
    assert sorted(int(Path(data.uri).read_bytes()) for data in found) == list(range(300))
    assert len(os.listdir(Path(experiment.md_uri).parent / "data")) == 601


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become another user")
def test_a_workspace_that_may_only_be_read(home: Any, sources: Path, tmp_path: Path) -> None:
    service = home.make()
    experiment = service.create_experiment("e", "ada", "now", ["Gene"], home.workspace)
    data = service.import_data(experiment, str(sources / "a.tif"), "a", "ada", "imagetiff")
    script = textwrap.dedent(
        """
        import os, sys
        from bioimageit_core.core.exceptions import DataServiceError
        from bioimageit_core.plugins.data_local import LocalMetadataService

        service = LocalMetadataService()
        workspace, uri, data_uri, source, scratch = sys.argv[1:]

        def work(workspace, experiment, data):
            for action in (
                lambda: service.create_experiment("new", "ada", "now", [], workspace),
                lambda: service.import_data(experiment, source, "b", "ada", "imagetiff"),
                lambda: service.import_dir(experiment, os.path.dirname(source), "", "ada", "imagetiff", "now"),
                lambda: service.create_dataset(experiment, "new"),
                lambda: service.update_raw_data(data),
                lambda: service.update_experiment(experiment),
            ):
                try:
                    action()
                except DataServiceError as error:
                    print(str(error).count("ermission denied"))

        # once where it may write, so that all modules are imported: the other user may not read them
        mine = service.create_experiment("mine", "ada", "now", [], scratch)
        work(scratch, mine, service.import_data(mine, source, "a", "ada", "imagetiff"))
        os.setgid(65534); os.setuid(65534)
        experiment, data = service.get_experiment(uri), service.get_raw_data(data_uri)
        print(data.name, len(service.get_dataset(experiment.raw_dataset.url).uris))
        data.name = experiment.author = "changed"
        work(workspace, experiment, data)
        """
    )
    for directory in [*tmp_path.parents, tmp_path]:
        if not directory.stat().st_mode & 0o001 and directory.is_relative_to(tempfile.gettempdir()):
            directory.chmod(0o755)
    before = documents(experiment)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arguments = [home.workspace, experiment.md_uri, data.md_uri, str(sources / "b.tif"), str(scratch)]
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, cwd="/"
    )
    assert ended.stdout.splitlines() == ["a 1", *["1"] * 6], ended.stderr
    assert documents(experiment) == before


@pytest.mark.parametrize("operation", ["sync", "append"])
def test_what_was_received_and_cannot_be_listed_is_received_once(
    service: Any, experiment: Experiment, home: Any, sources: Path, listed: Any, operation: str
) -> None:
    def sent() -> list[RawData]:
        return [
            RawData("", f"u-{name}", name, "ada", "now", "imagetiff", str(sources / name))
            for name in ("a.tif", "b.tif")
        ]

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    raw = service.get_dataset(experiment.raw_dataset.url)
    setattr(service.files, operation, full)
    with pytest.raises(DataServiceError, match="No space left"):
        service.receive_data(raw, sent())
    delattr(service.files, operation)
    service.receive_data(raw, sent())
    assert [os.path.basename(each.uri) for each in listed(home.make())] == ["a.tif", "b.tif"]
    assert list(home.make().check_experiment(experiment.md_uri)) == []
