"""The definition of a data service: one that passes these tests is one."""

from __future__ import annotations

from bioimageit_core.testing.data_arrival import ArrivalTests
from bioimageit_core.testing.data_concurrent import ConcurrencyTests, FaultTests, SessionTests
from bioimageit_core.testing.data_content import ContentMemoryTests
from bioimageit_core.testing.data_experiments import ContractTests, ExperimentTests, RawDataTests
from bioimageit_core.testing.data_hostile import NameTests, ValueTests
from bioimageit_core.testing.data_import import ImportDirTests, ImportTests
from bioimageit_core.testing.data_lineage import DatasetTests, FileTests, LineageTests
from bioimageit_core.testing.data_machine import MachineTests
from bioimageit_core.testing.data_queries import QueryTests
from bioimageit_core.testing.data_together import TogetherTests

__all__ = ["DataServiceTests"]


class DataServiceTests(
    ContractTests,
    ExperimentTests,
    ImportTests,
    ImportDirTests,
    RawDataTests,
    DatasetTests,
    LineageTests,
    FileTests,
    TogetherTests,
    ArrivalTests,
    ContentMemoryTests,
    NameTests,
    ValueTests,
    SessionTests,
    ConcurrencyTests,
    FaultTests,
    QueryTests,
    MachineTests,
):
    """All that a data service does; see `DataFixtures` for what its author supplies.

    Examples
    --------
    A whole conformance test::

        class TestSketchbook(DataServiceTests):
            @pytest.fixture
            def service(self, tmp_path):
                return SketchbookService(tmp_path / "book.json")

            @pytest.fixture
            def destination(self):
                return "shelf"
    """
