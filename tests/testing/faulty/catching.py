"""What the modules of faulty services share: each service says which test of the kit must find its fault."""

from __future__ import annotations

import pytest

from bioimageit_core.testing import DataServiceTests, FaultCounter, MemoryMetadataService, MemoryStore


def caught_by(test):
    def register(service):
        service.caught_by = test
        return service

    return register


def faulty_in(module):
    """Give the services of a module, a mapping by name, that are registered."""
    return [each for each in list(module.values()) if isinstance(each, type) and "caught_by" in vars(each)]


def data_tests_of(module):
    """Give the kit's tests for each data service of a module, by name."""
    services = faulty_in(module)
    return {f"Test{each.__name__}": type(f"Test{each.__name__}", (FaultyTests,), {"faulty": each}) for each in services}


class FaultyTests(DataServiceTests):
    faulty = MemoryMetadataService

    @pytest.fixture
    def store(self):
        return MemoryStore()

    @pytest.fixture
    def service(self, store):
        service = self.faulty(store)
        yield service
        service.close()

    @pytest.fixture
    def second_session(self, store):
        service = self.faulty(store)
        yield service
        service.close()

    @pytest.fixture
    def destination(self, tmp_path):
        workspace = tmp_path / "walls" / "workspace"
        workspace.mkdir(parents=True)
        return str(workspace)

    @pytest.fixture
    def fault(self, store):
        counter = FaultCounter()
        store.before_write = counter.before_write
        return counter.at
