"""What ``--json`` writes: the shapes are stable."""

from __future__ import annotations

from typing import Any

from bioimageit_core.containers import (
    Data,
    DatasetInfo,
    Experiment,
    ProcessedData,
    RawData,
    Run,
    Tool,
    ToolIndexContainer,
    ToolParameterContainer,
)

__all__ = ["data_document", "experiment_document", "run_document", "tool_document", "tool_index_document"]


def experiment_document(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as JSON."""
    return {
        "name": experiment.name,
        "author": experiment.author,
        "date": experiment.date,
        "uuid": experiment.uuid,
        "md_uri": experiment.md_uri,
        "keys": experiment.keys,
        "datasets": [_info(experiment.raw_dataset), *map(_info, experiment.processed_datasets)],
    }


def data_document(data: Data) -> dict[str, Any]:
    """Return a data as JSON."""
    document: dict[str, Any] = {
        "name": data.name,
        "type": data.type,
        "author": data.author,
        "date": data.date,
        "format": data.format,
        "uuid": data.uuid,
        "uri": data.uri,
        "md_uri": data.md_uri,
    }
    if isinstance(data, RawData):
        document["key_value_pairs"] = data.key_value_pairs
        document["metadata"] = data.metadata
    if isinstance(data, ProcessedData):
        document["run"] = {"uuid": data.run.uuid, "md_uri": data.run.md_uri}
        document["inputs"] = [
            {"name": each.name, "type": each.type, "uuid": each.uuid, "md_uri": each.uri} for each in data.inputs
        ]
        document["output"] = data.output
    return document


def run_document(run: Run) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "uuid": run.uuid,
        "md_uri": run.md_uri,
        "tool": {"name": run.process_name, "uri": run.process_uri},
        "parameters": {parameter.name: parameter.value for parameter in run.parameters},
        "inputs": [
            {
                "name": each.name,
                "dataset": each.dataset,
                "query": each.query,
                "origin_output_name": each.origin_output_name,
            }
            for each in run.inputs
        ],
        "record": run.extra,
    }


def tool_index_document(tool: ToolIndexContainer) -> dict[str, Any]:
    """Return what a search finds of a tool as JSON."""
    return {
        "fullname": tool.fullname(),
        "id": tool.id,
        "name": tool.name,
        "version": tool.version,
        "description": tool.description,
        "uri": tool.uri,
    }


def tool_document(tool: Tool) -> dict[str, Any]:
    """Return a tool as JSON."""
    return {
        "fullname": tool.fullname(),
        "id": tool.id,
        "name": tool.name,
        "version": tool.version,
        "type": tool.type,
        "description": tool.description,
        "uri": tool.uri,
        "categories": tool.categories,
        "requirements": tool.requirements,
        "inputs": [_parameter(each) for each in tool.inputs],
        "outputs": [_parameter(each) for each in tool.outputs],
        "help": tool.help,
    }


def _info(info: DatasetInfo) -> dict[str, str]:
    return {"name": info.name, "uuid": info.uuid, "md_uri": info.url}


def _parameter(parameter: ToolParameterContainer) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": parameter.name,
        "io": parameter.io,
        "type": parameter.type,
        "description": parameter.description,
        "is_data": parameter.is_data,
        "format": parameter.format,
        "default": parameter.default_value,
    }
    if parameter.select_info.size():
        document["choices"] = list(parameter.select_info.values)
    return document
