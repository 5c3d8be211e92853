"""Containers of pipelines: steps that use each other's results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Pipeline", "PipelineInput", "PipelineOutput", "PipelineParameter", "PipelineStep"]


@dataclass(eq=False)
class PipelineInput:
    """The data of `dataset` that `query` selects, for one input of a step's tool."""

    name: str = ""
    dataset: str = ""
    query: str = ""
    origin_output_name: str = ""


@dataclass(eq=False)
class PipelineOutput:
    """An output of a step, and whether it is kept."""

    name: str = ""
    save: bool = True


@dataclass(eq=False)
class PipelineParameter:
    """A parameter of a step's tool and its value."""

    name: str = ""
    value: Any = ""


@dataclass(eq=False)
class PipelineStep:
    """One tool over one selection; `tool` is the tool's full name."""

    name: str = ""
    tool: str = ""
    inputs: list[PipelineInput] = field(default_factory=list)
    parameters: list[PipelineParameter] = field(default_factory=list)
    outputs: list[PipelineOutput] = field(default_factory=list)
    output_dataset_name: str = ""


@dataclass(eq=False)
class Pipeline:
    """Steps that use each other's results."""

    name: str = ""
    description: str = ""
    user: str = ""
    date: str = ""
    uuid: str = ""
    bioimageit_version: str = ""
    steps: list[PipelineStep] = field(default_factory=list)
