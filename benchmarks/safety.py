"""Hardships for a LOCAL experiment: processes killed at random moments, and many processes at once.

Every committed change is remembered outside of the experiment and looked for afterwards. The exit status is 1 if one is
lost, a document is torn, or a check finds more than orphans.

    python benchmarks/safety.py                    both
    python benchmarks/safety.py kills [--count 1000] [--seed 1]
    python benchmarks/safety.py together [--processes 8] [--rounds 500] [--readers 2]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bioimageit_core.containers import Container, Dataset, ProcessedData, RawData, Run
from bioimageit_core.plugins.data_local import LocalMetadataService

ORPHANS = {"orphan document", "orphan file", "orphan dataset", "leftover"}


def raw_data(service: LocalMetadataService, root: str) -> list[RawData]:
    """Read all raw data."""
    return [service.get_raw_data(item.md_uri) for item in service.get_dataset(f"{root}/data/raw_dataset.md.json").uris]


def prepare(place: Path) -> str:
    """Make an experiment with a results dataset, and return its directory."""
    service = LocalMetadataService(durable=False)
    experiment = service.create_experiment("e", "ada", "now", ["Round"], str(place))
    service.create_dataset(experiment, "results")
    return str(Path(experiment.md_uri).parent)


def record(service: LocalMetadataService, root: str, name: str) -> None:
    """Record a run with one result."""
    dataset: Dataset = service.get_dataset(f"{root}/results/processed_dataset.md.json")
    run = service.create_run(dataset, Run(process_name=name))
    data = ProcessedData()
    data.set_info(name, "ada", "2024-01-01", "imagetiff", "")
    data = service.create_data_uri(dataset, run, data)
    Path(data.uri).write_bytes(name.encode())
    service.create_data(dataset, run, data)


def import_one(service: LocalMetadataService, root: str, sources: Path, name: str) -> None:
    """Import a file whose content is its name."""
    (sources / f"{name}.tif").write_bytes(name.encode())
    service.import_data(service.get_experiment(root), str(sources / f"{name}.tif"), name, "ada", "imagetiff")


def work(root: str, sources: Path, start: int, tell: Callable[[str, Any], None]) -> None:
    """Change the experiment without end, and tell of each change when it is done; `+` before what may be half done."""
    service = LocalMetadataService(durable=False)
    for number in range(start, start + 10_000):
        name = f"n{number}"
        import_one(service, root, sources, name)
        tell("import", name)
        data = raw_data(service, root)
        pairs = {each.md_uri: {"Round": number} for each in data}
        service.annotate_data(Container(f"{root}/data/raw_dataset.md.json"), pairs)
        tell("round", number)
        record(service, root, f"r{number}")
        tell("result", f"r{number}")
        tell("deleting", data[0].name)
        service.delete_data(root, [data[0].md_uri], what=data[0].name)
        tell("deleted", data[0].name)
        if number % 2:
            service.restore(root, data[0].name)
            tell("restored", data[0].name)
        if pairs := {each.md_uri: {"Temporary": "x"} for each in data[1:]}:
            service.undo_change(root, service.annotate_data(Container(f"{root}/data/raw_dataset.md.json"), pairs))


class Committed:
    """What was told to be done."""

    def __init__(self) -> None:
        self.data: set[str] = set()
        self.results: set[str] = set()
        self.unsure: set[str] = set()  # being deleted or restored when the process ended
        self.round = -1

    def take(self, what: str, value: Any) -> None:
        """Hear of a change."""
        if what in {"import", "restored"}:
            self.data.add(value)
            self.unsure.discard(value)
        elif what in {"deleting", "deleted"}:
            self.data.discard(value)
            self.unsure.add(value)
        elif what == "result":
            self.results.add(value)
        else:
            self.round = value

    def check(self, root: str) -> None:
        """Assert that all of it is there."""
        service = LocalMetadataService(durable=False)
        data = {each.name: each for each in raw_data(service, root)}
        assert self.data <= data.keys(), f"lost {self.data - data.keys()}"
        for name, each in data.items():
            stem = name.removesuffix(".tif")  # a repair calls a file whose import was killed by the file's name
            assert Path(each.uri).read_bytes() == stem.encode(), f"{name} has another content"
            told = each.key_value_pairs.get("Round") or 0
            is_annotated = name in self.data and int(stem[1:]) <= self.round
            assert not is_annotated or told >= self.round, f"{name} lost its annotation"
        dataset = service.get_dataset(f"{root}/results/processed_dataset.md.json")
        service.get_dataset_runs(dataset)
        results = {service.get_processed_data(item.md_uri).name for item in dataset.uris}
        assert self.results <= results, f"lost {self.results - results}"
        kinds = {finding.kind for finding in service.check_experiment(root)}
        assert kinds <= ORPHANS, f"found {kinds - ORPHANS}"


def kills(place: Path, count: int, seed: int) -> dict[str, Any]:
    """Kill a process at random moments, and look each time whether what it had done is there."""
    chance = random.Random(seed)
    done = mended = 0
    started = time.monotonic()
    while done < count:
        folder = place / f"k{done}"
        (folder / "sources").mkdir(parents=True)
        root, committed = prepare(folder), Committed()
        for turn in range(min(25, count - done)):  # then a new one, so that no check takes long
            _kill_once(root, folder / "sources", turn * 10_000, chance.uniform(0.0, 0.08), committed)
            committed.check(root)
            if turn % 5 == 4 or done == count - 1:
                mended += len(list(LocalMetadataService(durable=False).repair_experiment(root)))
                findings = list(LocalMetadataService(durable=False).check_experiment(root))
                assert findings == [], findings
            done += 1
    return {"kills": done, "repairs": mended, "seconds": round(time.monotonic() - started, 1)}


def _kill_once(root: str, sources: Path, start: int, after: float, committed: Committed) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work(root, sources, start, lambda what, v: os.write(writer, f"{json.dumps([what, v])}\n".encode()) and None)
        except BaseException:  # noqa: BLE001 - the parent sees the status
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        for line in file:
            committed.take(*json.loads(line))
    assert os.WIFSIGNALED(status), "the work failed before it was killed"


def together(place: Path, processes: int, rounds: int, readers: int) -> dict[str, Any]:
    """Let processes import, annotate and run on one experiment, with readers beside them."""
    root, sources = prepare(place), place / "sources"
    sources.mkdir()
    import_one(LocalMetadataService(durable=False), root, sources, "shared")
    started = time.monotonic()
    writers = [_fork(lambda me=me: _write(root, sources, me, rounds)) for me in range(processes)]
    looking = [_fork(lambda: _read(root)) for _ in range(readers)]
    failed = [child for child in writers if os.waitpid(child, 0)[1]]
    seconds = time.monotonic() - started
    for child in looking:
        os.kill(child, signal.SIGTERM)
    torn = [child for child in looking if os.WIFEXITED(os.waitpid(child, 0)[1])]
    assert not failed, f"{len(failed)} writers failed"
    assert not torn, f"{len(torn)} readers failed"
    _look_for_all(root, processes, rounds)
    changes = 3 * processes * rounds
    return {"changes": changes, "seconds": round(seconds, 1), "per second": round(changes / seconds)}


def _look_for_all(root: str, processes: int, rounds: int) -> None:
    service = LocalMetadataService(durable=False)
    data = raw_data(service, root)
    everything = {f"{me}-{number}" for me in range(processes) for number in range(rounds)}
    assert {each.name for each in data} == everything | {"shared"}, "imports are lost"
    assert len({each.uuid for each in data}) == len({each.uri for each in data}) == len(data)
    (shared,) = [each for each in data if each.name == "shared"]
    assert shared.key_value_pairs.keys() >= everything, "annotations are lost"
    dataset = service.get_dataset(f"{root}/results/processed_dataset.md.json")
    runs = [run.process_name for run in service.get_dataset_runs(dataset)]
    assert sorted(runs) == sorted(everything), "runs are lost"
    assert list(service.check_experiment(root)) == []


def _write(root: str, sources: Path, me: int, rounds: int) -> None:
    service = LocalMetadataService(durable=False)
    dataset = service.get_dataset(f"{root}/results/processed_dataset.md.json")
    shared = f"{root}/data/shared.md.json"
    for number in range(rounds):
        name = f"{me}-{number}"
        import_one(service, root, sources, name)
        data = service.get_raw_data(shared)
        data.set_key_value_pair(name, "1")
        service.update_raw_data(data)
        service.create_run(dataset, Run(process_name=name))
    service.flush()


def _read(root: str) -> None:
    while True:
        service = LocalMetadataService(durable=False)
        data = raw_data(service, root)
        assert len({each.uuid for each in data}) == len(data)
        list(service.query_data(Container(f"{root}/data/raw_dataset.md.json"), "name=shared"))


def _fork(action: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        action()
        status = 0
    except BaseException:  # noqa: BLE001 - the parent sees the status
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    """Run one of the hardships, and write what it was as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    one = commands.add_parser("kills")
    one.add_argument("--count", type=int, default=1000)
    one.add_argument("--seed", type=int, default=1)
    other = commands.add_parser("together")
    other.add_argument("--processes", type=int, default=8)
    other.add_argument("--rounds", type=int, default=500)
    other.add_argument("--readers", type=int, default=2)
    given = vars(parser.parse_args())
    chosen = given.pop("command")
    calls = {chosen: given} if chosen else {"kills": vars(one.parse_args([])), "together": vars(other.parse_args([]))}
    for command, options in calls.items():
        with tempfile.TemporaryDirectory() as place:
            try:
                print(json.dumps({command: {"kills": kills, "together": together}[command](Path(place), **options)}))
            except AssertionError as error:
                sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main()
