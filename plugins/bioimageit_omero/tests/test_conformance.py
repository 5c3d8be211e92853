"""The conformance kit, against each server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bioimageit_core.testing.data import DataServiceTests


class DoubleFault:
    """A write that the server fails."""

    def __init__(self, double: Any) -> None:
        self._double = double

    @property
    def has_fired(self) -> bool:
        return bool(self._double.command("fired"))


@pytest.fixture(scope="module")
def shared(place: Any) -> Iterator[list[Any]]:
    """Give two services that stay connected for all tests of the kit."""
    from bioimageit_omero import OmeroMetadataServiceBuilder

    services = [OmeroMetadataServiceBuilder()(**place.config()) for _ in range(2)]
    yield services
    for service in services:
        service.close()


class TestOmero(DataServiceTests):
    max_examples = 5

    @pytest.fixture
    def service(self, shared: list[Any]) -> Any:
        return shared[0]

    @pytest.fixture
    def second_session(self, shared: list[Any]) -> Any:
        return shared[1]

    @pytest.fixture
    def destination(self) -> str:
        return ""

    @pytest.fixture
    def raw(self, place: Any) -> Iterator[Callable[[str], Any]]:
        """Read the attached documents with the client alone."""
        from omero.gateway import BlitzGateway

        gateway = BlitzGateway(place.user, place.password, host=place.host, port=place.port, secure=True)
        assert gateway.connect()

        def read(md_uri: str) -> Any:
            kind, number = md_uri.rsplit("/", 2)[-2:]
            if kind == "Run":
                annotation = gateway.getObject("FileAnnotation", int(number))
                return json.loads(b"".join(annotation.getFileInChunks()))
            link = "AnnotationAnnotationLink" if kind == "File" else f"{kind}AnnotationLink"
            text = f"select l from {link} l join fetch l.child c where l.parent.id = {number}"
            pairs = {}
            for found in gateway.getQueryService().findAllByQuery(text, None):
                if type(found.child).__name__ == "MapAnnotationI":
                    pairs[found.child.ns.val] = {pair.name: pair.value for pair in found.child.mapValue}
            document = json.loads(pairs["bioimageit.org/omero/record"]["document"])
            if "key_value_pairs" in document:
                document["key_value_pairs"] = pairs.get("openmicroscopy.org/omero/client/mapAnnotation", {})
            return document

        yield read
        gateway.close()

    @pytest.fixture
    def fault(self, place: Any) -> Any:
        if place.double is None:
            return None

        @contextlib.contextmanager
        def fail(number: int) -> Iterator[DoubleFault]:
            place.double.command(f"fail {number}")
            try:
                yield DoubleFault(place.double)
            finally:
                place.double.command("fail 0")

        return fail
