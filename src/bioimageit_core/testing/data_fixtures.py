"""What the tests of a data service are given: by its author, by default, or made from both."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest

from bioimageit_core.containers import Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.testing.content import Content, read_content

__all__ = [
    "DataFixtures",
    "Fault",
    "FaultCounter",
    "Lineage",
    "RawAccess",
    "content_of",
    "facts",
    "listed",
    "make_result",
]

RawAccess: TypeAlias = Callable[[str], Mapping[str, Any]]
"""Reads the record at an ``md_uri`` without the code under test, as a document of the published shape."""


class FaultCounter:
    """Fails the n-th write: call `before_write` wherever the store is about to be written."""

    def __init__(self) -> None:
        self.left = 0
        self.has_fired = False

    @contextmanager
    def at(self, number: int) -> Iterator[FaultCounter]:
        """Let the write of this number fail, from 1, and none after the block."""
        self.left, self.has_fired = number, False
        try:
            yield self
        finally:
            self.left = 0

    def before_write(self) -> None:
        """Count a write; raise `OSError` (no space left) if it is the one."""
        self.left -= 1
        if self.left == 0:
            self.has_fired = True
            raise OSError(28, "No space left on device (injected)")


Fault: TypeAlias = Callable[[int], AbstractContextManager[FaultCounter]]
"""Makes the n-th write of the block fail; what it yields says afterwards whether it ``has_fired``."""


@dataclass
class Lineage:
    """One raw data, and a processed one that was made from it."""

    raw: RawData
    dataset: Dataset
    run: Run
    processed: ProcessedData


class DataFixtures:
    """Fixtures of the kit for data services.

    An author supplies `service` and `destination`, and as many of `second_session`, `raw` and `fault` as can be
    had; what is missing is skipped, and the verdict says so.

    Attributes
    ----------
    lacks
        Abilities that the service is known not to have, and why; their tests are skipped with that reason.
    max_examples
        How many examples each property is tried on; lower it for a service that is far away.
    """

    lacks: ClassVar[Mapping[str, str]] = {}
    max_examples: ClassVar[int] = 20

    @pytest.fixture
    def service(self) -> Any:
        """Give the service under test; its store need not be empty."""
        pytest.fail(f"{type(self).__name__} must have a fixture `service`", pytrace=False)

    @pytest.fixture
    def destination(self) -> str:
        """Say what to give to ``create_experiment`` as its destination."""
        pytest.fail(f"{type(self).__name__} must have a fixture `destination`", pytrace=False)

    @pytest.fixture
    def workspace(self, destination: str) -> str:
        """Say where ``get_workspace_experiments`` finds what was created in `destination`."""
        return destination

    @pytest.fixture
    def second_session(self) -> Any:
        """Give another service on the same store, as another process would have it."""
        return None

    @pytest.fixture
    def raw(self) -> RawAccess | None:
        """Give an access to the stored records that does not use the code under test."""
        return None

    @pytest.fixture
    def fault(self) -> Fault | None:
        """Give a way to make the n-th write to the store fail; see `FaultCounter`."""
        return None

    @pytest.fixture
    def nowhere(self) -> list[str]:
        """Give URIs at which nothing is stored."""
        return ["", "nothing-is-stored-here", f"{uuid.uuid4()}/experiment.md.json"]

    @pytest.fixture(autouse=True)
    def _known_lack(self, request: pytest.FixtureRequest) -> None:
        marker = request.node.get_closest_marker("bioimageit_ability")
        if marker is not None and marker.args[0] in self.lacks:
            pytest.skip(self.lacks[marker.args[0]])

    @pytest.fixture
    def other(self, second_session: Any) -> Any:
        """Give the second session, or skip."""
        if second_session is None:
            pytest.skip("no fixture `second_session`: a second session on the same store was not tried")
        return second_session

    @pytest.fixture
    def experiment(self, service: Any, destination: str) -> Experiment:
        """Give a new experiment with the key ``Population``."""
        created: Experiment = service.create_experiment(
            f"kit {uuid.uuid4().hex[:12]}", "ada", "2024-02-29", ["Population"], destination
        )
        return created

    @pytest.fixture
    def image(self, tmp_path: Path) -> str:
        """Give the path of a file to import."""
        folder = tmp_path / "sources"
        folder.mkdir(exist_ok=True)
        path = folder / "cell 1.tif"
        path.write_bytes(b"II*\0 not really an image \xff\x00\r\n")
        return str(path)

    @pytest.fixture
    def lineage(self, service: Any, experiment: Experiment, image: str, tmp_path: Path) -> Lineage:
        """Give a raw data and what a run made of it."""
        raw = service.import_data(
            experiment, image, "cell 1.tif", "ada", "imagetiff", "2024-02-29", {"Population": "p53"}
        )
        dataset = service.create_dataset(experiment, "threshold")
        run = Run()
        run.set_process("Threshold v1", "tools/threshold.xml")
        run.add_parameter("level", "0.5")
        run.add_input("image", "data", "Population=p53", "")
        run = service.create_run(dataset, run)
        processed = make_result(service, dataset, run, raw, str(tmp_path), "cell 1 mask")
        return Lineage(raw, dataset, run, processed)


def make_result(
    service: Any, dataset: Dataset, run: Run, source: RawData | ProcessedData, folder: str, name: str, output: str = "o"
) -> ProcessedData:
    """Record a processed data as a job does: ask where to write, write, store."""
    new = ProcessedData()
    new.set_info(name, "ada", "2024-03-01", "imagetiff", "")
    new.set_output(output, "Mask")
    new.add_input("image", source)
    if callable(getattr(service, "create_data_uri", None)):
        new = service.create_data_uri(dataset, run, new)
    else:
        new.uri = os.path.join(folder, f"{uuid.uuid4().hex}.tif")
    with open(new.uri, "wb") as file:
        file.write(b"result of " + name.encode("utf-8", "surrogatepass"))
    stored: ProcessedData = service.create_data(dataset, run, new)
    return stored


def facts(container: Any) -> dict[str, Any]:
    """Give everything that a container says, as a dict."""
    return asdict(container)


def listed(service: Any, experiment: Experiment) -> list[str]:
    """List the URIs of the raw data of an experiment, as another reader would."""
    fresh = service.get_experiment(experiment.md_uri)
    return [entry.md_uri for entry in service.get_dataset(fresh.raw_dataset.url).uris]


def content_of(service: Any, data: RawData | ProcessedData, folder: str) -> Content:
    """Read the file of a data by the means that the service has."""
    if callable(getattr(service, "download_data", None)):
        target = os.path.join(folder, f"download-{uuid.uuid4().hex}")
        return read_content(service.download_data(data.md_uri, target))
    if callable(getattr(service, "get_data_uri", None)):
        return read_content(service.get_data_uri(data))
    return read_content(data.uri)
