"""Several sessions and writers on one store, and writes that fail: nothing is lost, nothing is half there."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, Run
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.testing.ability import ability
from bioimageit_core.testing.data_fixtures import DataFixtures, Fault, Lineage, content_of, facts, listed, make_result

__all__ = ["ConcurrencyTests", "FaultTests", "SessionTests"]

_MAX_WRITES = 40  # no operation of the contract should need more


@ability("two sessions")
class SessionTests(DataFixtures):
    """What one session writes, another reads; what one knows of old overwrites nothing."""

    def test_the_other_session_sees_what_is_written(
        self, service: Any, other: Any, lineage: Lineage, experiment: Experiment, tmp_path: Path
    ) -> None:
        fresh = service.get_experiment(experiment.md_uri)

        assert facts(other.get_experiment(experiment.md_uri)) == facts(fresh)
        assert facts(other.get_raw_data(lineage.raw.md_uri)) == facts(service.get_raw_data(lineage.raw.md_uri))
        assert facts(other.get_processed_data(lineage.processed.md_uri)) == facts(lineage.processed)
        assert facts(other.get_run(lineage.run.md_uri)) == facts(lineage.run)
        assert content_of(other, lineage.processed, str(tmp_path)) == b"result of cell 1 mask"

    def test_a_change_is_seen_by_who_has_read_before(
        self, service: Any, other: Any, experiment: Experiment, image: str
    ) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {})
        seen = other.get_raw_data(data.md_uri)
        data.set_key_value_pair("Population", "new")
        service.update_raw_data(data)

        assert seen.key_value_pairs["Population"] == ""
        assert other.get_raw_data(data.md_uri).key_value_pairs["Population"] == "new"

    def test_an_old_experiment_unlists_no_dataset(self, service: Any, other: Any, experiment: Experiment) -> None:
        old = service.get_experiment(experiment.md_uri)
        other.create_dataset(other.get_experiment(experiment.md_uri), "threshold")
        old.author = "grace"
        service.update_experiment(old)

        fresh = other.get_experiment(experiment.md_uri)
        assert [d.name for d in fresh.processed_datasets] == ["threshold"]
        assert fresh.author == "grace"

    def test_importing_with_an_old_experiment_loses_no_key(
        self, service: Any, other: Any, experiment: Experiment, tmp_path: Path
    ) -> None:
        old = service.get_experiment(experiment.md_uri)
        for session, known, key in ((other, experiment, "One"), (service, old, "Two")):
            path = tmp_path / f"{key}.tif"
            path.write_bytes(key.encode())
            session.import_data(known, str(path), key, "ada", "imagetiff", "now", {key: "1"})

        assert set(service.get_experiment(experiment.md_uri).keys) == {"Population", "One", "Two"}
        assert len(listed(other, experiment)) == 2

    def test_a_name_that_the_other_session_took_is_a_conflict(
        self, service: Any, other: Any, experiment: Experiment, destination: str
    ) -> None:
        other.create_dataset(other.get_experiment(experiment.md_uri), "threshold")
        with pytest.raises(ConflictError):
            service.create_dataset(experiment, "threshold")
        with pytest.raises(ConflictError):
            other.create_experiment(experiment.name, "ada", "now", [], destination)


def at_once(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all in threads that start together; give what each returned or raised."""
    start = threading.Barrier(len(actions))
    results: list[Any] = [None] * len(actions)

    def run(index: int) -> None:
        start.wait()
        try:
            results[index] = actions[index]()
        except Exception as error:  # noqa: BLE001
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _strange(results: Sequence[Any], allowed: type[Exception] | tuple[type[Exception], ...] = ()) -> list[str]:
    return [repr(r) for r in results if isinstance(r, Exception) and not isinstance(r, allowed)]


@ability("concurrent writers")
class ConcurrencyTests(DataFixtures):
    """Writers in several threads and two sessions."""

    writers = 8

    @pytest.fixture
    def sessions(self, service: Any, second_session: Any) -> list[Any]:
        """Give a session for each writer."""
        return [service if n % 2 or second_session is None else second_session for n in range(self.writers)]

    def test_no_import_is_lost(self, sessions: list[Any], experiment: Experiment, tmp_path: Path) -> None:
        paths = []
        for number in range(self.writers):
            path = tmp_path / f"{number}.tif"
            path.write_bytes(b"%d" % number)
            paths.append(str(path))

        results = at_once(
            [
                lambda s=s, p=p, n=n: s.import_data(  # type: ignore[misc]
                    s.get_experiment(experiment.md_uri), p, f"{n}.tif", "ada", "imagetiff", "now", {f"key {n}": "1"}
                )
                for n, (s, p) in enumerate(zip(sessions, paths, strict=True))
            ]
        )

        assert _strange(results) == []
        assert sorted(listed(sessions[0], experiment)) == sorted(data.md_uri for data in results)
        fresh = sessions[1].get_experiment(experiment.md_uri)
        assert set(fresh.keys) == {"Population", *(f"key {n}" for n in range(self.writers))}

    def test_no_dataset_is_lost(self, sessions: list[Any], experiment: Experiment) -> None:
        results = at_once(
            [
                lambda s=s, n=n: s.create_dataset(s.get_experiment(experiment.md_uri), f"set {n}")  # type: ignore[misc]
                for n, s in enumerate(sessions)
            ]
        )

        assert _strange(results) == []
        fresh = sessions[0].get_experiment(experiment.md_uri)
        assert sorted(d.name for d in fresh.processed_datasets) == [f"set {n}" for n in range(self.writers)]

    def test_of_two_that_take_one_name_one_gets_it(
        self, sessions: list[Any], experiment: Experiment, destination: str, workspace: str
    ) -> None:
        name = f"kit {uuid.uuid4().hex[:12]}"
        datasets = at_once(
            [lambda s=s: s.create_dataset(s.get_experiment(experiment.md_uri), "one") for s in sessions]  # type: ignore[misc]
        )
        experiments = at_once(
            [lambda s=s: s.create_experiment(name, "ada", "now", [], destination) for s in sessions]  # type: ignore[misc]
        )

        for results in (datasets, experiments):
            assert _strange(results, ConflictError) == []
            assert len([r for r in results if not isinstance(r, Exception)]) == 1
        fresh = sessions[0].get_experiment(experiment.md_uri)
        assert [d.name for d in fresh.processed_datasets] == ["one"]
        infos = [item["info"] for item in sessions[0].get_workspace_experiments(workspace)]
        assert [info.name for info in infos].count(name) == 1

    def test_no_result_is_lost(self, sessions: list[Any], lineage: Lineage, tmp_path: Path) -> None:
        results = at_once(
            [
                lambda s=s, n=n: make_result(s, lineage.dataset, lineage.run, lineage.raw, str(tmp_path), f"r {n}")  # type: ignore[misc]
                for n, s in enumerate(sessions)
            ]
        )

        assert _strange(results) == []
        stored = {e.md_uri for e in sessions[0].get_dataset(lineage.dataset.md_uri).uris}
        assert stored == {lineage.processed.md_uri, *(data.md_uri for data in results)}
        for data in results:
            assert content_of(sessions[0], data, str(tmp_path)) == b"result of " + data.name.encode()

    def test_results_of_one_name_do_not_overwrite_each_other(
        self, sessions: list[Any], lineage: Lineage, tmp_path: Path
    ) -> None:
        results = at_once(
            [
                lambda s=s, n=n: make_result(s, lineage.dataset, lineage.run, lineage.raw, str(tmp_path), "r", f"o{n}")  # type: ignore[misc]
                for n, s in enumerate(sessions)
            ]
        )

        assert _strange(results) == []
        assert len({data.md_uri for data in results}) == self.writers
        outputs = [sessions[0].get_processed_data(data.md_uri).output["name"] for data in results]
        assert outputs == [f"o{n}" for n in range(self.writers)]

    def test_runs_of_one_dataset_are_kept_apart(self, sessions: list[Any], experiment: Experiment) -> None:
        dataset = sessions[0].create_dataset(experiment, "threshold")
        results = at_once(
            [lambda s=s, n=n: s.create_run(dataset, Run(process_name=f"p{n}")) for n, s in enumerate(sessions)]  # type: ignore[misc]
        )

        assert _strange(results) == []
        assert [sessions[0].get_run(r.md_uri).process_name for r in results] == [f"p{n}" for n in range(self.writers)]

    def test_a_reader_never_sees_half_of_a_write(self, sessions: list[Any], experiment: Experiment, image: str) -> None:
        data = sessions[0].import_data(experiment, image, "a", "ada", "imagetiff", "now", {})

        is_written = threading.Event()

        def write(session: Any, letter: str) -> None:
            try:
                for _ in range(10):
                    mine = session.get_raw_data(data.md_uri)
                    mine.metadata = {"first": letter, "filler": letter * 10_000, "last": letter}
                    session.update_raw_data(mine)
            finally:
                is_written.set()

        def read(session: Any) -> list[set[str]]:
            seen = []
            while not is_written.is_set():
                seen.append(session.get_raw_data(data.md_uri).metadata)
            return [{m["first"], m["last"], *m["filler"]} for m in seen if m]

        results = at_once([lambda: write(sessions[0], "a"), lambda: read(sessions[1]), lambda: read(sessions[0])])

        assert _strange(results, ConflictError) == []
        assert [letters for letters in [*results[1], *results[2]] if letters != {"a"}] == []


@ability("faults")
class FaultTests(DataFixtures):
    """A write that fails makes the whole operation fail, leaves all as it was, and can be tried again."""

    @pytest.fixture
    def failing(self, fault: Fault | None) -> Fault:
        """Give the author's fault, or skip."""
        if fault is None:
            pytest.skip("no fixture `fault`: writes that fail were not tried")
        return fault

    def _at_each_write(
        self,
        failing: Fault,
        action: Callable[[], Any],
        state: Callable[[], Any],
        is_done: Callable[[], bool] = lambda: False,
    ) -> Any:
        """Let each write of an action fail in turn, until none does; give what the action returned then.

        After a failure the state is that of before; an update, which can simply be made again, may also be done.
        """
        before = state()
        for number in range(1, _MAX_WRITES):
            with failing(number) as counter:
                try:
                    result = action()
                except DataServiceError:
                    assert counter.has_fired, "it failed although no write did"
                else:
                    # a write that may fail, such as that of a cache, or none failed
                    assert counter.has_fired or number > 1, "the fixture `fault` does not reach the store"
                    return result
            assert state() == before or is_done(), f"write {number} failed and left something behind"
        pytest.fail(f"more than {_MAX_WRITES} writes")

    def test_create_experiment(self, service: Any, failing: Fault, destination: str, workspace: str) -> None:
        name = f"kit {uuid.uuid4().hex[:12]}"
        made = self._at_each_write(
            failing,
            lambda: service.create_experiment(name, "ada", "now", ["k"], destination),
            lambda: sorted(item["md_uri"] for item in service.get_workspace_experiments(workspace)),
        )

        assert service.get_experiment(made.md_uri).name == name
        assert service.get_dataset(made.raw_dataset.url).uris == []

    def test_update_experiment(self, service: Any, failing: Fault, experiment: Experiment) -> None:
        def change() -> str:
            new = service.get_experiment(experiment.md_uri)
            new.author = "grace"
            service.update_experiment(new)
            return "done"

        def is_done() -> bool:
            return bool(service.get_experiment(experiment.md_uri).author == "grace")

        self._at_each_write(failing, change, lambda: facts(service.get_experiment(experiment.md_uri)), is_done)

        assert is_done()

    def test_import_data(
        self, service: Any, failing: Fault, experiment: Experiment, image: str, tmp_path: Path
    ) -> None:
        data = self._at_each_write(
            failing,
            lambda: service.import_data(
                service.get_experiment(experiment.md_uri), image, "a", "ada", "imagetiff", "now", {"New": "1"}
            ),
            lambda: listed(service, experiment),
        )

        assert listed(service, experiment) == [data.md_uri]
        assert service.get_raw_data(data.md_uri).key_value_pairs["New"] == "1"
        assert "New" in service.get_experiment(experiment.md_uri).keys
        assert content_of(service, data, str(tmp_path)) == Path(image).read_bytes()

    def test_update_raw_data(self, service: Any, failing: Fault, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {})

        def change() -> str:
            new = service.get_raw_data(data.md_uri)
            new.key_value_pairs = {"Population": "p53", "Dose": "3"}
            service.update_raw_data(new)
            return "done"

        def is_done() -> bool:
            return bool(service.get_raw_data(data.md_uri).key_value_pairs == {"Population": "p53", "Dose": "3"})

        self._at_each_write(failing, change, lambda: facts(service.get_raw_data(data.md_uri)), is_done)

        assert is_done()

    def test_create_dataset(self, service: Any, failing: Fault, experiment: Experiment) -> None:
        made = self._at_each_write(
            failing,
            lambda: service.create_dataset(service.get_experiment(experiment.md_uri), "threshold"),
            lambda: facts(service.get_experiment(experiment.md_uri)),
        )

        assert service.get_dataset(made.md_uri).name == "threshold"
        fresh = service.get_experiment(experiment.md_uri)
        assert [d.url for d in fresh.processed_datasets] == [made.md_uri]

    def test_create_run(self, service: Any, failing: Fault, experiment: Experiment) -> None:
        dataset = service.create_dataset(experiment, "threshold")
        run = self._at_each_write(
            failing,
            lambda: service.create_run(dataset, Run(process_name="p")),
            lambda: facts(service.get_dataset(dataset.md_uri)),
        )

        assert service.get_run(run.md_uri).process_name == "p"
        if callable(getattr(service, "get_dataset_runs", None)):
            assert [r.md_uri for r in service.get_dataset_runs(dataset)] == [run.md_uri]

    def test_create_data(self, service: Any, failing: Fault, lineage: Lineage, tmp_path: Path) -> None:
        made = self._at_each_write(
            failing,
            lambda: make_result(service, lineage.dataset, lineage.run, lineage.raw, str(tmp_path), "next", "second"),
            lambda: facts(service.get_dataset(lineage.dataset.md_uri)),
        )

        stored = service.get_dataset(lineage.dataset.md_uri).uris
        assert [e.md_uri for e in stored] == [lineage.processed.md_uri, made.md_uri]
        assert content_of(service, made, str(tmp_path)) == b"result of next"

    def test_import_dir_can_be_run_again(
        self, service: Any, failing: Fault, experiment: Experiment, tmp_path: Path
    ) -> None:
        folder = tmp_path / "plate"
        folder.mkdir()
        for name in ("a.tif", "b.tif", "c.tif"):
            (folder / name).write_bytes(name.encode())
        for number in range(1, 8, 2):
            with failing(number):
                try:
                    service.import_dir(experiment, str(folder), "", "ada", "imagetiff", "now", "Plate", None)
                except DataServiceError:
                    continue
        service.import_dir(experiment, str(folder), "", "ada", "imagetiff", "now", "Plate", None)

        data = [service.get_raw_data(uri) for uri in listed(service, experiment)]
        assert sorted(d.name.removesuffix(".tif") for d in data) == ["a", "b", "c"]
        assert sorted(content_of(service, d, str(tmp_path)) for d in data) == [b"a.tif", b"b.tif", b"c.tif"]  # type: ignore[type-var]
        assert {d.key_value_pairs["Plate"] for d in data} == {"plate"}
