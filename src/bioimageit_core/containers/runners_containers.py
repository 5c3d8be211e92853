"""Containers of a job: a run that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.containers.data_containers import Experiment
from bioimageit_core.containers.tools_containers import Tool

__all__ = ["Job", "JobInput", "JobInputs"]


@dataclass(eq=False)
class JobInput:
    """The data of `dataset` that `query` selects, for one input of the tool."""

    name: str = ""
    dataset: str = ""
    query: str = ""
    origin_output_name: str = ""


@dataclass(eq=False)
class JobInputs:
    """The inputs of a job."""

    inputs: list[JobInput] = field(default_factory=list)

    def count(self) -> int:
        """Count the inputs."""
        return len(self.inputs)

    def add_input(self, name: str, dataset: str, query: str, origin_output_name: str = "") -> None:
        """Add an input."""
        self.inputs.append(JobInput(name, dataset, query, origin_output_name))


@dataclass(eq=False)
class Job:
    """A run that is asked for: experiment, tool, inputs, parameters and the name of the output dataset."""

    experiment: Experiment | None = None
    tool: Tool | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: JobInputs = field(default_factory=JobInputs)
    output_dataset_name: str = ""

    def set_experiment(self, experiment: Experiment) -> None:
        """Set the experiment whose data are processed."""
        self.experiment = experiment

    def set_tool(self, tool: Tool) -> None:
        """Set the tool to run."""
        self.tool = tool

    def set_param(self, key: str, value: Any) -> None:
        """Set a parameter of the tool."""
        self.parameters[key] = value

    def set_input(self, name: str, dataset: str, query: str, origin_output_name: str = "") -> None:
        """Select the data for one input of the tool."""
        self.inputs.add_input(name, dataset, query, origin_output_name)

    def set_output_dataset_name(self, name: str) -> None:
        """Name the dataset that gets the results."""
        self.output_dataset_name = name
