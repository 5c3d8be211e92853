"""The service in memory keeps the contract; it is the model that others are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bioimageit_core.testing import DataServiceTests, FaultCounter, MemoryMetadataService, MemoryStore


class TestMemory(DataServiceTests):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def service(self, store: MemoryStore) -> Iterator[MemoryMetadataService]:
        service = MemoryMetadataService(store)
        yield service
        service.close()

    @pytest.fixture
    def second_session(self, store: MemoryStore) -> Iterator[MemoryMetadataService]:
        service = MemoryMetadataService(store)
        yield service
        service.close()

    @pytest.fixture
    def destination(self) -> str:
        return "bench"

    @pytest.fixture
    def fault(self, store: MemoryStore):
        counter = FaultCounter()
        store.before_write = counter.before_write
        return counter.at
