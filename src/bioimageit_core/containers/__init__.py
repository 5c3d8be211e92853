"""The published containers: what services and scripts exchange."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers.data_containers import (
    METADATA_TYPE_PROCESSED,
    METADATA_TYPE_RAW,
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    ProcessedDataInputContainer,
    RawData,
    Run,
    RunInputContainer,
    RunParameterContainer,
)

if TYPE_CHECKING:
    from bioimageit_core.containers.pipeline_containers import (
        Pipeline,
        PipelineInput,
        PipelineOutput,
        PipelineParameter,
        PipelineStep,
    )
    from bioimageit_core.containers.runners_containers import Job, JobInput, JobInputs
    from bioimageit_core.containers.tools_containers import (
        IO_INPUT,
        IO_OUTPUT,
        IO_PARAM,
        PARAM_BOOLEAN,
        PARAM_FILE,
        PARAM_NUMBER,
        PARAM_SELECT,
        PARAM_STRING,
        CmdSelectContainer,
        Tool,
        ToolIndexContainer,
        ToolParameterContainer,
        ToolsCategoryContainer,
        ToolTestParameterContainer,
    )

__all__ = [
    "IO_INPUT",
    "IO_OUTPUT",
    "IO_PARAM",
    "METADATA_TYPE_PROCESSED",
    "METADATA_TYPE_RAW",
    "PARAM_BOOLEAN",
    "PARAM_FILE",
    "PARAM_NUMBER",
    "PARAM_SELECT",
    "PARAM_STRING",
    "CmdSelectContainer",
    "Container",
    "Data",
    "Dataset",
    "DatasetInfo",
    "Experiment",
    "Job",
    "JobInput",
    "JobInputs",
    "Pipeline",
    "PipelineInput",
    "PipelineOutput",
    "PipelineParameter",
    "PipelineStep",
    "ProcessedData",
    "ProcessedDataInputContainer",
    "RawData",
    "Run",
    "RunInputContainer",
    "RunParameterContainer",
    "Tool",
    "ToolIndexContainer",
    "ToolParameterContainer",
    "ToolTestParameterContainer",
    "ToolsCategoryContainer",
]

# those of tools, runners and pipelines are loaded when they are first asked for: commands that only look need none
_LATER = ("tools_containers", "runners_containers", "pipeline_containers")


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _LATER:
            found = importlib.import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                return globals().setdefault(name, getattr(found, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
