"""The published contract, as data: modules, names, fields, signatures and constants that people write against."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

import bioimageit_core
from bioimageit_core import containers
from bioimageit_core.api import APIAccess, Request
from bioimageit_core.containers import data_containers
from bioimageit_core.core import exceptions
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.core.observer import Observable, Observer
from bioimageit_core.plugins.contracts import DataService, RunnerService, ToolsService
from bioimageit_core.plugins.data_local import LocalMetadataService

NAMES = {
    "bioimageit_core": "Request Config ConfigAccess",
    "bioimageit_core.api": "Request APIAccess",
    "bioimageit_core.core.config": "Config ConfigAccess",
    "bioimageit_core.core.exceptions": """
        ConfigError DataServiceError DataQueryError ToolNotFoundError ToolsServiceError RunnerExecError
    """,
    "bioimageit_core.core.observer": "Observer Observable",
    "bioimageit_core.core.utils": "format_date generate_uuid",
    "bioimageit_core.core.serialize": """
        serialize_experiment serialize_dataset serialize_raw_data serialize_processed_data serialize_run
        serialize_data
    """,
    "bioimageit_core.containers": """
        Container Data RawData ProcessedData ProcessedDataInputContainer Dataset DatasetInfo Experiment Run
        RunParameterContainer RunInputContainer Job JobInputs JobInput Tool ToolParameterContainer
        CmdSelectContainer ToolTestParameterContainer ToolIndexContainer ToolsCategoryContainer Pipeline
        PipelineStep PipelineInput PipelineOutput PipelineParameter METADATA_TYPE_RAW
        METADATA_TYPE_PROCESSED PARAM_NUMBER PARAM_STRING PARAM_SELECT PARAM_BOOLEAN PARAM_FILE IO_PARAM
        IO_INPUT IO_OUTPUT
    """,
    "bioimageit_core.containers.data_containers": """
        Container RawData ProcessedData ProcessedDataInputContainer Dataset DatasetInfo Experiment Run
        RunParameterContainer RunInputContainer METADATA_TYPE_RAW METADATA_TYPE_PROCESSED
    """,
    "bioimageit_core.containers.runners_containers": "Job JobInputs JobInput",
    "bioimageit_core.containers.tools_containers": """
        Tool ToolParameterContainer CmdSelectContainer ToolIndexContainer ToolTestParameterContainer
        ToolsCategoryContainer PARAM_NUMBER PARAM_STRING PARAM_SELECT PARAM_BOOLEAN PARAM_FILE IO_PARAM
        IO_INPUT IO_OUTPUT
    """,
    "bioimageit_core.containers.pipeline_containers": """
        Pipeline PipelineStep PipelineInput PipelineOutput PipelineParameter
    """,
    "bioimageit_core.plugins.data_factory": "metadataServices",
    "bioimageit_core.plugins.runners_factory": "runnerServices",
    "bioimageit_core.plugins.tools_factory": "toolsServices",
    "bioimageit_core.plugins.data_local": "LocalMetadataServiceBuilder LocalMetadataService",
}

FIELDS = {
    "Container": "md_uri uuid",
    "Data": "md_uri uuid name author date format uri type",
    "RawData": "md_uri uuid name author date format uri type key_value_pairs metadata",
    "ProcessedData": "md_uri uuid name author date format uri type run inputs output",
    "ProcessedDataInputContainer": "name uri uuid type",
    "Dataset": "md_uri uuid name uris",
    "DatasetInfo": "name url uuid",
    "Experiment": "md_uri uuid name author date raw_dataset processed_datasets keys",
    "Run": "md_uri uuid process_name process_uri processed_dataset parameters inputs",
    "RunParameterContainer": "name value",
    "RunInputContainer": "name dataset query origin_output_name",
    "Job": "experiment tool parameters inputs output_dataset_name",
    "JobInputs": "inputs",
    "Tool": "id name version type uri description requirements command inputs outputs tests help categories",
    "Pipeline": "name description user date uuid bioimageit_version steps",
    "PipelineStep": "name tool inputs parameters outputs output_dataset_name",
    "JobInput": "",
    "ToolParameterContainer": "",
    "CmdSelectContainer": "",
    "ToolTestParameterContainer": "",
    "ToolIndexContainer": "",
    "ToolsCategoryContainer": "",
    "PipelineInput": "",
    "PipelineOutput": "",
    "PipelineParameter": "",
}

METHODS = {
    "RawData": ["set_key_value_pair(key, value)"],
    "ProcessedData": [
        "set_info(name, author, date, format_, url)",
        "add_input(id_, data)",
        "add_input_(id_, uri, uuid, type_)",
        "set_output(id_, label)",
    ],
    "Dataset": ["size()"],
    "Experiment": ["set_key(key)"],
    "Run": [
        "set_process(name, uri)",
        "set_dataset(dataset)",
        "add_parameter(name, value)",
        "add_input(name, dataset, query, origin_output_name)",
    ],
    "Job": [
        "set_experiment(experiment)",
        "set_tool(tool)",
        "set_param(key, value)",
        "set_input(name, dataset, query, origin_output_name='')",
        "set_output_dataset_name(name)",
    ],
    "JobInputs": ["count()", "add_input(name, dataset, query, origin_output_name='')"],
    "Tool": ["fullname()", "man()"],
}

DATA_SERVICE = [
    "create_experiment(name, author, date='now', keys=None, destination='')",
    "get_workspace_experiments(workspace_uri)",
    "get_experiment(md_uri)",
    "update_experiment(experiment)",
    "import_data(experiment, data_path, name, author, format_, date='now', key_value_pairs=dict)",
    "import_dir(experiment, dir_uri, filter_, author, format_, date, directory_tag_key='', observers=None)",
    "get_raw_data(md_uri)",
    "update_raw_data(raw_data)",
    "get_processed_data(md_uri)",
    "update_processed_data(processed_data)",
    "get_dataset(md_uri)",
    "update_dataset(dataset)",
    "create_dataset(experiment, dataset_name)",
    "create_run(dataset, run_info)",
    "get_run(md_uri)",
    "create_data(dataset, run, processed_data)",
]

OPTIONAL = [
    "get_dataset_runs(dataset)",
    "create_data_uri(dataset, run, processed_data)",
    "get_data_uri(data)",
    "download_data(md_uri, destination)",
    "needs_cleanning()",
]

RUNNER = ["set_up(tool, job_id)", "exec(tool, args, job_id)", "tear_down(tool, job_id)"]

TOOLS = [
    "search(keyword)",
    "get_tool(fullname)",
    "read_tool(uri)",
    "get_categories(parent)",
    "get_category_tools(category)",
    "get_pipeline(uri)",
]

REQUEST = [
    "connect()",
    "create_experiment(name, author, date, keys, destination)",
    "get_workspace_experiments(workspace_uri)",
    "get_experiment(md_uri)",
    "update_experiment(experiment)",
    "set_key(experiment, key)",
    "set_keys(experiment, keys)",
    "import_data(experiment, data_path, name, author, format_, date, key_value_pairs)",
    "import_dir(experiment, dir_uri, filter_, author, format_, date, directory_tag_key)",
    "annotate_from_name(experiment, key, values)",
    "annotate_using_separator(experiment, key, separator, value_position)",
    "get_raw_data(md_uri)",
    "update_raw_data(raw_data)",
    "get_processed_data(md_uri)",
    "update_processed_data(processed_data)",
    "get_dataset_from_uri(md_uri)",
    "update_dataset(dataset)",
    "get_raw_dataset(experiment)",
    "get_dataset(experiment, name)",
    "is_dataset(experiment, name)",
    "create_dataset(experiment, dataset_name)",
    "create_run(dataset, run_info)",
    "get_run(md_uri)",
    "get_dataset_runs(dataset)",
    "create_data(dataset, run, processed_data)",
    "get_parent(processed_data)",
    "get_origin(processed_data)",
    "query(experiment, dataset_name, query='', origin_output_name='')",
    "get_data(dataset, query='', origin_output_name='')",
    "display_experiment(experiment)",
    "download_data(md_uri, destination)",
    "view_data(md_uri)",
    "search_tool(keyword='')",
    "get_tool(fullname)",
    "get_tool_from_uri(uri)",
    "get_categories(parent)",
    "get_category_tools(category)",
    "export_tools_to_json(path)",
    "get_pipeline(uri)",
    "exec(tool, **values)",
    "run(job)",
    "run_pipeline(experiment, pipeline)",
]

FORMATS = "imagetiff imagezarr tablecsv arraycsv numbercsv trackmatemodel movietxt bioformat raw"


def assert_published(owner: Any, published: str) -> None:
    """The method is there, with the published arguments in their order, and asks for no more."""
    name, arguments = re.fullmatch(r"(\w+)\((.*)\)", published).groups()  # type: ignore[union-attr]
    signature = inspect.signature(getattr(owner, name))
    found = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    expected = [argument.split("=") for argument in arguments.split(", ") if argument]
    names = [str(p).split(":")[0].split("=")[0].strip() for p in found if p.kind is not p.KEYWORD_ONLY]
    assert names[: len(expected)] == [argument[0] for argument in expected], published
    for parameter in found[len(expected) :]:
        assert parameter.default is not parameter.empty, f"{published}: {parameter.name} is new and required"
    for parameter, (_, *default) in zip(found, expected, strict=False):
        if default:
            assert parameter.default == {"''": "", "'now'": "now", "None": None, "dict": dict}[default[0]], published


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in NAMES for name in NAMES[module].split()])
def test_published_names_are_importable(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) is not None


@pytest.mark.parametrize("class_", FIELDS)
def test_containers_are_made_without_arguments_and_are_mutable(class_: str) -> None:
    container = getattr(containers, class_)()

    for field in FIELDS[class_].split():
        assert hasattr(container, field), field
        setattr(container, field, "other")
        assert getattr(container, field) == "other"


@pytest.mark.parametrize("class_", ["Container", "ProcessedDataInputContainer", "DatasetInfo", "RunParameterContainer"])
def test_small_containers_take_their_fields_in_order(class_: str) -> None:
    names = FIELDS[class_].split()

    container = getattr(containers, class_)(*names)

    assert [getattr(container, name) for name in names] == names


@pytest.mark.parametrize(("class_", "method"), [(class_, method) for class_ in METHODS for method in METHODS[class_]])
def test_containers_have_the_published_methods(class_: str, method: str) -> None:
    assert_published(getattr(containers, class_), method)


@pytest.mark.parametrize("method", DATA_SERVICE)
@pytest.mark.parametrize("service", [DataService, LocalMetadataService])
def test_a_data_service_has_the_published_methods(service: type, method: str) -> None:
    assert_published(service, method)


def test_a_data_service_needs_no_method_that_is_not_published() -> None:
    published = {method.split("(")[0] for method in DATA_SERVICE}

    assert set(DataService.__abstractmethods__) == published
    assert set(RunnerService.__abstractmethods__) == {method.split("(")[0] for method in RUNNER}
    assert set(ToolsService.__abstractmethods__) == {method.split("(")[0] for method in TOOLS}


@pytest.mark.parametrize("method", OPTIONAL)
def test_local_has_the_optional_methods(method: str) -> None:
    assert_published(LocalMetadataService, method)


@pytest.mark.parametrize(
    ("service", "method"), [(RunnerService, method) for method in RUNNER] + [(ToolsService, method) for method in TOOLS]
)
def test_runners_and_tools_services_have_the_published_methods(service: type, method: str) -> None:
    assert_published(service, method)


@pytest.mark.parametrize("method", REQUEST)
def test_a_request_has_the_published_methods(method: str) -> None:
    assert_published(Request, method)


def test_a_request_is_made_as_published() -> None:
    assert list(inspect.signature(Request).parameters) == ["config_file", "debug", "log"]
    assert [parameter.default for parameter in inspect.signature(Request).parameters.values()] == ["", True, True]
    assert issubclass(Request, Observable)
    assert_published(APIAccess, "instance(config_file='')")


@pytest.mark.parametrize(
    "method",
    [
        "new_job(job_id)",
        "notify(message)",
        "notify_warning(message)",
        "notify_error(message)",
        "notify_progress(progress, message='')",
    ],
)
def test_an_observer_has_the_published_methods(method: str) -> None:
    assert_published(Observer, method)


@pytest.mark.parametrize("name", NAMES["bioimageit_core.core.exceptions"].split())
def test_published_errors_are_errors_of_the_library(name: str) -> None:
    assert issubclass(getattr(exceptions, name), BioImageITError)


def test_constants_have_the_published_values() -> None:
    assert (data_containers.METADATA_TYPE_RAW, data_containers.METADATA_TYPE_PROCESSED) == ("raw", "processed")
    assert containers.RawData().type == "raw"
    assert containers.ProcessedData().type == "processed"
    assert containers.ProcessedData().output == {"name": "", "label": ""}


@pytest.mark.parametrize("module", ["data_factory", "runners_factory", "tools_factory"])
def test_registries_have_the_published_methods(module: str) -> None:
    (registry,) = [
        value
        for name, value in vars(importlib.import_module(f"bioimageit_core.plugins.{module}")).items()
        if name.endswith("Services")
    ]

    assert_published(registry, "register_builder(name, builder)")
    assert_published(registry, "get(name, **config)")


@pytest.mark.parametrize(
    ("helper", "arguments", "result"),
    [
        ("relative_path", ("a/data/x.tif", "a/data/x.md.json"), "x.tif"),
        ("relative_path", ("a/data/x.md.json", "a/p/y.md.json"), "../data/x.md.json"),
        ("absolute_path", ("x.tif", "a/data/x.md.json"), "a/data/x.tif"),
        ("simplify_path", ("a/b/../c",), "a/c"),
    ],
)
def test_the_static_helpers_of_local_accept_relative_paths(
    helper: str, arguments: tuple[str, ...], result: str
) -> None:
    assert getattr(LocalMetadataService, helper)(*arguments) == result


def test_dates_and_identities() -> None:
    from bioimageit_core.core.utils import format_date, generate_uuid

    assert re.fullmatch(r"\d{4}-\d\d-\d\d", format_date("now"))
    assert format_date("2020-01-02") == "2020-01-02"
    assert generate_uuid() != generate_uuid()


def test_formats_in_use_are_in_the_table_that_comes_with_the_package() -> None:
    from bioimageit_core.core.formats import load_formats

    assert set(load_formats().names()) >= set(FORMATS.split())


def test_the_package_says_its_version_and_refuses_other_names() -> None:
    assert re.match(r"\d+\.\d+", bioimageit_core.__version__)
    with pytest.raises(AttributeError, match="no attribute 'Requests'"):
        _ = bioimageit_core.Requests
