"""The definition of a tools service: tools are found, read and listed by category."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bioimageit_core.core.exceptions import ToolNotFoundError, ToolsServiceError
from bioimageit_core.plugins.contracts import ToolsService
from bioimageit_core.testing.ability import ability

__all__ = ["ToolsServiceTests"]

ROOTS = ("", "root")


class ToolsServiceTests:
    """All that a tools service does.

    An author supplies `service`, one that knows a tool at least; what is checked is what it says of its own tools.

    Attributes
    ----------
    lacks
        Abilities that the service is known not to have, and why; their tests are skipped with that reason.

    Examples
    --------
    A whole conformance test::

        class TestCatalogue(ToolsServiceTests):
            @pytest.fixture
            def service(self):
                return Catalogue("https://tools.example.org")
    """

    lacks: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def service(self) -> Any:
        """Give the service under test."""
        pytest.fail(f"{type(self).__name__} must have a fixture `service`", pytrace=False)

    @pytest.fixture(autouse=True)
    def _known_lack(self, request: pytest.FixtureRequest) -> None:
        marker = request.node.get_closest_marker("bioimageit_ability")
        if marker is not None and marker.args[0] in self.lacks:
            pytest.skip(self.lacks[marker.args[0]])

    @pytest.fixture
    def found(self, service: Any) -> list[Any]:
        """Give all tools that the service knows; there must be one."""
        found: list[Any] = service.search("")
        assert found, "the service knows no tool: give the kit one that does"
        return found

    @ability("contract")
    def test_it_has_every_method_of_the_contract(self, service: Any) -> None:
        required = sorted(ToolsService.__abstractmethods__)

        assert [name for name in required if not callable(getattr(service, name, None))] == []

    @ability("search")
    def test_a_search_for_nothing_finds_all_once(self, service: Any, found: list[Any]) -> None:
        names = [item.fullname() for item in found]

        assert len(set(names)) == len(names)
        assert sorted(item.fullname() for item in service.search()) == sorted(names)
        assert all(item.id and item.name and item.version and item.uri for item in found)

    @ability("search")
    def test_a_tool_is_found_by_a_part_of_its_name_in_any_case(self, service: Any, found: list[Any]) -> None:
        for item in found[:10]:
            for part in (item.name, item.name.upper(), item.name.lower(), item.id):
                assert item.fullname() in [hit.fullname() for hit in service.search(part)]

    @ability("search")
    def test_what_is_found_contains_what_was_searched(self, service: Any, found: list[Any]) -> None:
        word = found[0].name.lower()

        for hit in service.search(word):
            assert word in f"{hit.name}\n{hit.id}\n{hit.description}".lower()
        assert service.search("no tool is called like this (.*") == []

    @ability("reading")
    def test_a_tool_is_read_by_its_full_name_and_by_its_uri(self, service: Any, found: list[Any]) -> None:
        for item in found[:10]:
            for tool in (service.get_tool(item.fullname()), service.read_tool(item.uri)):
                assert (tool.id, tool.name, tool.version) == (item.id, item.name, item.version)
                assert tool.fullname() == item.fullname()

    @ability("reading")
    def test_what_a_tool_takes_and_gives_has_names(self, service: Any, found: list[Any]) -> None:
        for item in found[:10]:
            tool = service.get_tool(item.fullname())
            assert tool.command
            assert all(parameter.name for parameter in [*tool.inputs, *tool.outputs])
            assert len({output.name for output in tool.outputs}) == len(tool.outputs)

    @ability("reading")
    def test_a_tool_that_was_read_is_the_callers_own(self, service: Any, found: list[Any]) -> None:
        first = service.get_tool(found[0].fullname())
        name, count = first.name, len(first.inputs)
        first.name = "changed"
        first.inputs.append("changed")

        again = service.get_tool(found[0].fullname())
        assert (again.name, len(again.inputs)) == (name, count)

    @ability("errors")
    @pytest.mark.parametrize("name", ["", "no_such_tool_v1.0", "../../etc/passwd", "a\0b"])
    def test_a_tool_that_nobody_knows_is_an_error(self, service: Any, name: str) -> None:
        with pytest.raises(ToolNotFoundError):
            service.get_tool(name)

    @ability("errors")
    def test_a_wrapper_that_is_not_there_is_an_error(self, service: Any, tmp_path: Path) -> None:
        with pytest.raises(ToolsServiceError):
            service.read_tool(str(tmp_path / "none.xml"))

    @ability("categories")
    def test_every_category_has_an_identity_and_its_tools_can_be_read(self, service: Any) -> None:
        seen: dict[str, Any] = {}
        waiting = [category for root in ROOTS for category in service.get_categories(root)]
        while waiting:
            category = waiting.pop()
            if category.id in seen:
                continue
            seen[category.id] = category
            waiting += service.get_categories(category.id)
        for category in seen.values():
            assert category.name
            for item in service.get_category_tools(category.id):
                assert service.get_tool(item.fullname()).id == item.id

    @ability("categories")
    def test_a_category_that_nobody_knows_has_nothing_in_it(self, service: Any) -> None:
        try:
            assert service.get_categories("no such category") == []
            assert service.get_category_tools("no such category") == []
        except ToolsServiceError:
            return

    @ability("pipelines")
    def test_a_pipeline_is_read(self, service: Any, found: list[Any], tmp_path: Path) -> None:
        step = {
            "name": "first",
            "tool": found[0].fullname(),
            "inputs": [{"name": "i", "dataset": "data", "query": "", "origin_output_name": ""}],
            "parameters": [{"name": "sigma", "value": "2"}],
            "outputs": [{"name": "o", "save": True}],
            "output_dataset_name": "result",
        }
        document = {
            "name": "kit",
            "description": "d",
            "user": "ada",
            "date": "2024-01-01",
            "uuid": "u",
            "steps": [step],
        }
        path = tmp_path / "pipeline.json"
        path.write_text(json.dumps(document))

        pipeline = service.get_pipeline(str(path))

        assert (pipeline.name, pipeline.user) == ("kit", "ada")
        (first,) = pipeline.steps
        assert (first.name, first.tool, first.output_dataset_name) == ("first", found[0].fullname(), "result")
        assert [(p.name, p.value) for p in first.parameters] == [("sigma", "2")]
        assert [(i.name, i.dataset) for i in first.inputs] == [("i", "data")]

    @ability("pipelines")
    @pytest.mark.parametrize("text", [None, "", "{", "[]", '{"name": "cut'])
    def test_a_pipeline_that_cannot_be_read_is_an_error(self, service: Any, tmp_path: Path, text: str | None) -> None:
        path = tmp_path / "pipeline.json"
        if text is not None:
            path.write_text(text)
        with pytest.raises(ToolsServiceError):
            service.get_pipeline(str(path))
