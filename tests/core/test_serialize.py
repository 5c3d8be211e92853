"""Containers as text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bioimageit_core.containers import Container, Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core import serialize


def a_processed_data() -> ProcessedData:
    data = ProcessedData("m", "1", run=Container("r", "2"))
    data.set_info("o", "ada", "2024-01-02", "imagetiff", "o.tif")
    data.add_input("i", RawData("raw", "3"))
    data.set_output("o", "Labels")
    return data


def a_run() -> Run:
    run = Run("r", "2")
    run.set_process("blur", "blur.xml")
    run.add_parameter("sigma", 2)
    run.add_input("i", "data", "a=b", "")
    return run


@pytest.mark.parametrize(
    ("function", "container", "expected"),
    [
        (serialize.serialize_experiment, Experiment(name="é", keys=["k"]), {"name": "é", "keys": ["k"]}),
        (serialize.serialize_dataset, Dataset(uris=[Container("a", "1")]), {"uris": [{"md_uri": "a", "uuid": "1"}]}),
        (serialize.serialize_raw_data, RawData(key_value_pairs={"k": "v"}), {"key_value_pairs": {"k": "v"}}),
        (serialize.serialize_data, RawData(extra={"x": 1}), {"extra": {"x": 1}, "type": "raw"}),
        (
            serialize.serialize_processed_data,
            a_processed_data(),
            {
                "inputs": [{"name": "i", "uri": "raw", "uuid": "3", "type": "raw"}],
                "output": {"name": "o", "label": "Labels"},
                "run": {"md_uri": "r", "uuid": "2"},
                "uri": "o.tif",
            },
        ),
        (
            serialize.serialize_run,
            a_run(),
            {
                "process_name": "blur",
                "parameters": [{"name": "sigma", "value": 2}],
                "inputs": [{"name": "i", "dataset": "data", "query": "a=b", "origin_output_name": ""}],
            },
        ),
    ],
)
def test_the_text_says_what_the_container_holds(function: Any, container: Any, expected: dict[str, Any]) -> None:
    document = json.loads(function(container))

    assert {key: document[key] for key in expected} == expected


def test_what_is_empty_beyond_the_published_fields_is_not_said() -> None:
    assert "extra" not in json.loads(serialize.serialize_run(Run()))
