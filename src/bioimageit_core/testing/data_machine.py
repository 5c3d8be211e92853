"""Any sequence of operations leaves a service in the state that the model in memory is in."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bioimageit_core.containers import Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import ConflictError
from bioimageit_core.testing.ability import ability
from bioimageit_core.testing.data_fixtures import DataFixtures, content_of, make_result
from bioimageit_core.testing.memory import MemoryMetadataService

__all__ = ["MachineTests"]

_WORDS = st.sampled_from(("a", "b", "Dose", "Day 2", "µ"))
_NAMES = st.sampled_from(("a.tif", "b.tif", "a b.tif", "ü.tif"))
_VALUES = st.sampled_from(("", "1", "p53", "two words", "µ 細", "x" * 300))
_NUMBERS = st.integers(0, 50)


@ability("state machine")
class MachineTests(DataFixtures):
    """The whole interface, in any order, beside the model."""

    steps = 25

    def test_any_sequence_of_operations_does_what_the_model_does(
        self, service: Any, destination: str, tmp_path: Path
    ) -> None:
        model = MemoryMetadataService()

        class Machine(_Machine):
            def __init__(self) -> None:
                super().__init__(service, model, destination, str(tmp_path))

        machine_settings = settings(
            max_examples=self.max_examples,
            stateful_step_count=self.steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(Machine, settings=machine_settings)
        finally:
            model.close()


class _Machine(RuleBasedStateMachine):
    """Does the same to the service and to the model; `both` is the pair of an experiment's URIs."""

    def __init__(self, service: Any, model: MemoryMetadataService, destination: str, folder: str) -> None:
        super().__init__()
        self.sides = (service, model)
        self.folder = folder
        self.taken: set[tuple[str, Any]] = set()
        self.pairs: dict[tuple[str, bytes], dict[str, str]] = {}
        name = f"kit {uuid.uuid4().hex[:12]}"
        self.both = tuple(
            side.create_experiment(name, "ada", "2024-01-01", ["a"], destination).md_uri for side in self.sides
        )

    def _each(self, action: Callable[[Any, Experiment], Any]) -> None:
        """Do it on both sides; one fails if and only if the other does, with the same error."""
        outcomes = []
        for side, uri in zip(self.sides, self.both, strict=True):
            try:
                action(side, side.get_experiment(uri))
                outcomes.append("")
            except ConflictError:
                outcomes.append("conflict")
        assert outcomes[0] == outcomes[1]
        assert self._outline(0) == self._outline(1)

    def teardown(self) -> None:
        """Compare everything."""
        assert self._state(0) == self._state(1)

    @rule(name=_NAMES, content=st.sampled_from((b"", b"1", b"22")), key=_WORDS, value=_VALUES)
    def import_data(self, name: str, content: bytes, key: str, value: str) -> None:
        """Import a file, perhaps one that is there."""
        if (name, content) in self.taken:  # whether that is a new data, or the old one listed again, is not said
            return
        path = Path(self.folder, uuid.uuid4().hex, name)
        path.parent.mkdir()
        path.write_bytes(content)
        pairs = self.pairs.setdefault((name, content), {key: value})
        self._each(lambda s, e: s.import_data(e, str(path), name, "ada", "imagetiff", "2024-01-02", pairs))

    @rule(key=_WORDS, author=st.sampled_from(("ada", "grace")))
    def update_experiment(self, key: str, author: str) -> None:
        """Change an experiment's information and add a key."""

        def update(side: Any, experiment: Experiment) -> None:
            experiment.set_key(key)
            experiment.author = author
            side.update_experiment(experiment)

        self._each(update)

    @precondition(lambda self: self._count_raw())
    @rule(number=_NUMBERS, key=_WORDS, value=_VALUES, size=st.sampled_from((0.5, 11, None, "µm")))
    def annotate(self, number: int, key: str, value: str, size: Any) -> None:
        """Change the annotations and the metadata of a raw data."""

        def update(side: Any, experiment: Experiment) -> None:
            data = _nth(_raw(side, experiment), number)
            data.set_key_value_pair(key, value)
            data.metadata["size"] = size
            side.update_raw_data(data)

        self._each(update)

    @rule(name=st.sampled_from(("data", "one", "two", "three µ")))
    def create_dataset(self, name: str) -> None:
        """Create a dataset, perhaps one that is there."""
        self._each(lambda side, experiment: side.create_dataset(experiment, name))

    @precondition(lambda self: self._count_processed())
    @rule(number=_NUMBERS, name=st.sampled_from(("Blur", "Measure")), value=_VALUES)
    def create_run(self, number: int, name: str, value: str) -> None:
        """Store a run of a dataset."""

        def create(side: Any, experiment: Experiment) -> None:
            run = Run(process_name=name)
            run.add_parameter("sigma", value)
            info = _nth(experiment.processed_datasets, number)
            side.create_run(side.get_dataset(info.url), run)

        self._each(create)

    @precondition(lambda self: self._count_raw() and self._count_processed())
    @rule(dataset=_NUMBERS, source=_NUMBERS, name=_NAMES, output=st.sampled_from(("o", "table")))
    def create_data(self, dataset: int, source: int, name: str, output: str) -> None:
        """Store what a run made of a raw data, or of what another made."""

        def create(side: Any, experiment: Experiment) -> None:
            into = side.get_dataset(_nth(experiment.processed_datasets, dataset).url)
            run = side.create_run(into, Run(process_name="made"))
            of = _nth([*_raw(side, experiment), *_processed(side, experiment)], source)
            make_result(side, into, run, of, self.folder, name, output)

        self._each(create)

    @precondition(lambda self: self._count_processed_data())
    @rule(number=_NUMBERS, author=st.sampled_from(("ada", "grace")), label=_VALUES)
    def update_processed_data(self, number: int, author: str, label: str) -> None:
        """Change a result's information."""

        def update(side: Any, experiment: Experiment) -> None:
            data = _nth(_processed(side, experiment), number)
            data.author, data.output["label"] = author, label
            side.update_processed_data(data)

        self._each(update)

    @precondition(lambda self: self._count_raw())
    @rule(number=_NUMBERS)
    def take_from_list(self, number: int) -> None:
        """Take a raw data from the list."""

        def update(side: Any, experiment: Experiment) -> None:
            dataset = side.get_dataset(experiment.raw_dataset.url)
            entry = _nth(dataset.uris, number)
            data = side.get_raw_data(entry.md_uri)
            self.taken.add((data.name, content_of(side, data, self.folder)))
            dataset.uris.remove(entry)
            side.update_dataset(dataset)

        self._each(update)

    def _count_raw(self) -> int:
        model, uri = self.sides[1], self.both[1]
        return len(_raw(model, model.get_experiment(uri)))

    def _count_processed(self) -> int:
        return len(self.sides[1].get_experiment(self.both[1]).processed_datasets)

    def _count_processed_data(self) -> int:
        model, uri = self.sides[1], self.both[1]
        return len(_processed(model, model.get_experiment(uri)))

    def _outline(self, side: int) -> Any:
        """Give what is cheap to read: it is compared after each step."""
        service, experiment = self.sides[side], self.sides[side].get_experiment(self.both[side])
        infos = [experiment.raw_dataset, *experiment.processed_datasets]
        sizes = [(info.name, len(service.get_dataset(info.url).uris)) for info in infos]
        return experiment.name, experiment.author, experiment.date, list(experiment.keys), sizes

    def _state(self, side: int) -> Any:
        service, experiment = self.sides[side], self.sides[side].get_experiment(self.both[side])
        raw, processed = _raw(service, experiment), _processed(service, experiment)
        return {
            "outline": self._outline(side),
            "raw": [(*self._common(service, data), data.key_value_pairs, data.metadata) for data in raw],
            "processed": [
                (*self._common(service, data), data.output, self._lineage(service, data)) for data in processed
            ],
        }

    def _common(self, service: Any, data: RawData | ProcessedData) -> tuple[Any, ...]:
        content = content_of(service, data, self.folder)
        return data.name, data.author, data.date, data.format, data.type, content

    def _lineage(self, service: Any, data: ProcessedData) -> Any:
        sources = []
        for entry in data.inputs:
            read = service.get_raw_data if entry.type == "raw" else service.get_processed_data
            source = read(entry.uri)
            assert source.uuid == entry.uuid
            sources.append((entry.name, entry.type, source.name))
        run = service.get_run(data.run.md_uri)
        return sources, run.process_name, [(p.name, p.value) for p in run.parameters]


def _nth(items: list[Any], number: int) -> Any:
    return items[number % len(items)]


def _raw(service: Any, experiment: Experiment) -> list[RawData]:
    dataset = service.get_dataset(experiment.raw_dataset.url)
    return [service.get_raw_data(entry.md_uri) for entry in dataset.uris]


def _processed(service: Any, experiment: Experiment) -> list[ProcessedData]:
    datasets = [service.get_dataset(info.url) for info in experiment.processed_datasets]
    return [service.get_processed_data(entry.md_uri) for dataset in datasets for entry in dataset.uris]
