from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bioimageit_core.core.exceptions import ConfigError, ToolNotFoundError, ToolsServiceError
from bioimageit_core.plugins.tools_local import LocalToolsService, LocalToolsServiceBuilder

GOOD = """<tool id="{id}" name="{name}" version="{version}"><description>{about}</description>
<command>x ${{i}}</command></tool>"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for folder, id_, name, version in (
        ("blur", "gauss", "Gaussian blur", "1.0"),
        ("blur", "gauss", "Gaussian blur", "2.0"),
        ("count", "count", "Count objects", "0.1+galaxy0"),
    ):
        path = tmp_path / folder / f"{id_}_{version}.xml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(GOOD.format(id=id_, name=name, version=version, about=f"about {name}"))
    (tmp_path / "blur" / ".shed.yml").write_text("categories:\n- Imaging\n- Filters\n")
    (tmp_path / "count" / ".shed.yml").write_text("categories: [Imaging]\n")
    (tmp_path / "blur" / "macros.xml").write_text("<macros/>")
    (tmp_path / "blur" / "test-data").mkdir()
    (tmp_path / "blur" / "test-data" / "data.xml").write_text("<tool")
    (tmp_path / "count" / "broken.xml").write_text("<tool id='x'>")
    (tmp_path / "count" / "bomb.xml").write_text("<!DOCTYPE x [<!ENTITY a 'a'>]><tool id='x'/>")
    return tmp_path


@pytest.fixture
def service(directory: Path) -> LocalToolsService:
    return LocalToolsService([str(directory)], toolbox=False)


def test_search_finds_by_name_id_and_description(service: LocalToolsService) -> None:
    assert [item.fullname() for item in service.search()] == ["count_v0.1+galaxy0", "gauss_v1.0", "gauss_v2.0"]
    assert [item.id for item in service.search("GAUSSIAN")] == ["gauss", "gauss"]
    assert [item.id for item in service.search("about count")] == ["count"]
    assert service.search("nothing like that") == []


def test_a_tool_is_got_by_its_full_name(service: LocalToolsService) -> None:
    tool = service.get_tool("gauss_v2.0")
    assert (tool.fullname(), tool.categories) == ("gauss_v2.0", ["Imaging", "Filters"])
    assert service.get_tool("count").version == "0.1+galaxy0"


def test_a_name_that_is_not_known_or_not_unique_says_which_are_similar(service: LocalToolsService) -> None:
    with pytest.raises(ToolNotFoundError, match=r"gauss_v1\.0 or gauss_v2\.0"):
        service.get_tool("gauss")
    with pytest.raises(ToolNotFoundError, match=r"did you mean gauss_v\d\.0"):
        service.get_tool("gaus_v1.0")


def test_a_broken_wrapper_stops_no_other_and_is_listed_with_its_reason(service: LocalToolsService) -> None:
    broken = {Path(path).name: reason for path, reason in service.broken_tools().items()}
    assert set(broken) == {"broken.xml", "bomb.xml"}
    assert "not well-formed" in broken["broken.xml"]
    assert "document type" in broken["bomb.xml"]


def test_a_directory_that_is_not_there_is_reported_and_stops_nothing(directory: Path) -> None:
    service = LocalToolsService([str(directory / "no"), str(directory / "count")], toolbox=False)
    assert [item.id for item in service.search()] == ["count"]
    assert "no such directory" in service.broken_tools()[str(directory / "no")]


def test_categories_are_those_of_the_wrappers_directories(service: LocalToolsService) -> None:
    assert [category.name for category in service.get_categories("root")] == ["Imaging", "Filters"]
    assert [item.fullname() for item in service.get_category_tools("imaging")] == [
        "gauss_v1.0", "gauss_v2.0", "count_v0.1+galaxy0",
    ]  # fmt: skip
    assert service.get_category_tools("other") == []


def test_a_file_of_categories_adds_names_parents_and_tools(directory: Path) -> None:
    file = directory / "toolboxes.json"
    categories = [
        {"id": "imaging", "name": "Imaging", "description": "Images", "thumbnail": "i.png"},
        {"id": "counting", "name": "Counting", "parent": "imaging", "tools": ["count"]},
    ]
    file.write_text(json.dumps({"categories": categories}))
    service = LocalToolsService([str(directory)], str(file), toolbox=False)

    assert [(c.id, c.thumbnail) for c in service.get_categories("")] == [("imaging", "i.png"), ("Filters", "")]
    assert [c.id for c in service.get_categories("imaging")] == ["counting"]
    assert [item.id for item in service.get_category_tools("counting")] == ["count"]


@pytest.mark.parametrize("text", ["{", "3", '{"categories": 3}', "[1]"])
def test_a_file_of_categories_that_is_wrong_is_an_error_that_names_it(directory: Path, text: str) -> None:
    file = directory / "toolboxes.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"toolboxes\.json"):
        LocalToolsService([str(directory)], str(file), toolbox=False).get_categories("")


def test_the_builder_gives_the_same_service_and_ignores_what_it_does_not_know(directory: Path) -> None:
    builder = LocalToolsServiceBuilder()
    service = builder(xml_dirs=[str(directory)], categories="", toolbox=False, other=1)
    assert builder() is service
    assert len(service.search()) == 3


def test_the_shipped_toolbox_is_there_unless_switched_off() -> None:
    names = {item.id for item in LocalToolsService().search()}
    assert "gaussian_filter" in names
    assert LocalToolsService().broken_tools() == {}
    assert LocalToolsService(toolbox=False).search() == []


def test_what_was_added_is_found_after_a_refresh(service: LocalToolsService, directory: Path) -> None:
    service.search()
    (directory / "new.xml").write_text(GOOD.format(id="new", name="New", version="1", about=""))
    service.refresh()
    assert [item.id for item in service.search("new")] == ["new"]


def test_a_thousand_wrappers_are_searched_in_about_a_second(tmp_path: Path) -> None:
    filler = '<param name="p" type="text" label="some parameter"/>' * 60
    (tmp_path / "macros.xml").write_text('<macros><token name="@V@">1.0</token></macros>')
    for number in range(1000):
        (tmp_path / f"tool_{number}.xml").write_text(
            f'<tool id="t{number}" name="Tool {number}" version="@V@+galaxy{number}"><macros>'
            f"<import>macros.xml</import></macros><description>d</description><inputs>{filler}</inputs></tool>"
        )
    started = time.perf_counter()
    found = LocalToolsService([str(tmp_path)], toolbox=False).search("tool 99")
    seconds = time.perf_counter() - started

    assert len(found) == 11
    assert found[0].version.startswith("1.0+galaxy")
    assert seconds < 5  # about 0.5 s on an idle machine


PIPELINE = {
    "name": "p",
    "description": "d",
    "user": "ada",
    "date": "2024-01-01",
    "uuid": "u",
    "bioimageit_version": "0.1.2",
    "steps": [
        {
            "name": "blur",
            "tool": "gauss_v1.0",
            "inputs": [{"name": "i", "dataset": "data", "query": "a=1", "origin_output_name": ""}],
            "parameters": [{"name": "sigma", "value": 2}],
            "outputs": [{"name": "o", "save": False}],
            "output_dataset_name": "blurred",
        },
        {
            "name": "count",
            "tool": "count_v0.1+galaxy0",
            "inputs": [{"name": "i", "dataset": "blurred", "query": "", "origin_output_name": "o"}],
            "parameters": [],
            "outputs": [],
            "output_dataset_name": "counts",
        },
    ],
}
YAML = """
name: p
description: d
user: ada
date: 2024-01-01
uuid: u
bioimageit_version: 0.1.2
steps:
  - name: blur
    tool: gauss_v1.0
    inputs: {i: {dataset: data, query: a=1}}
    parameters: {sigma: 2}
    outputs: {o: false}
    dataset: blurred
  - name: count
    tool: count_v0.1+galaxy0
    inputs: {i: {dataset: blurred, output: o}}
    dataset: counts
"""


def test_a_pipeline_is_read_from_json_and_from_yaml(service: LocalToolsService, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps(PIPELINE))
    (tmp_path / "p.yaml").write_text(YAML)

    one, other = service.get_pipeline(str(tmp_path / "p.json")), service.get_pipeline(str(tmp_path / "p.yaml"))

    assert repr(one) == repr(other)
    assert one.steps[0].outputs[0].save is False
    assert one.steps[1].inputs[0].origin_output_name == "o"
    assert (one.user, one.steps[1].output_dataset_name) == ("ada", "counts")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.json", "{", "not JSON"),
        ("p.json", "[]", "a mapping is expected"),
        ("p.json", '{"name": "p"}', r"\$\.steps"),
        ("p.json", '{"steps": [{"name": "a"}]}', r"\$\.steps\[0\]\.tool"),
        ("p.json", '{"steps": [{"tool": "t", "inputs": [{}]}]}', r"inputs\[0\]\.name"),
        ("p.json", '{"steps": [{"tool": "t", "outputs": [{"name": "o", "save": 3}]}]}', "save: true or false"),
        (
            "p.yaml",
            "steps: [{tool: t, inputs: {i: {dataset: d, qurey: x}}}]",
            r"inputs\.i\.qurey: unknown; did you mean 'query'",
        ),
        ("p.yaml", "steps: [{tool: t, parameter: {sigma: 9}}]", r"steps\[0\].parameter: unknown; .*'parameters'"),
        ("p.yaml", "a: [", "not YAML"),
        ("p.yaml", "!!python/object/apply:os.system ['true']", "has a tag"),
        ("no.json", None, "cannot be read"),
    ],
)
def test_a_pipeline_that_cannot_be_read_is_an_error_that_names_file_and_field(
    service: LocalToolsService, tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ToolsServiceError, match=said):
        service.get_pipeline(str(tmp_path / name))
