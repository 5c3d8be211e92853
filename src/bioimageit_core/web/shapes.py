"""What the API gives and takes."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Completion",
    "DataDetail",
    "DataItem",
    "DataKind",
    "DatasetSummary",
    "ExperimentChange",
    "ExperimentItem",
    "ImageInfo",
    "InputOfData",
    "NewExperiment",
    "OutputOfTool",
    "Page",
    "Quantity",
    "Role",
    "RunItem",
    "ToolForm",
    "ToolSummary",
]

Item = TypeVar("Item")
Role = Literal["reader", "annotator", "owner"]
DataKind = Literal["raw", "processed"]


class Taken(BaseModel):
    """A body that a client sends; what is not known in it is refused."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(
        default=None, description="What to give as cursor for what follows; null where nothing does."
    )
    total: int | None = Field(default=None, description="How many there are in all; told with the first page.")


class DatasetSummary(BaseModel):
    """A dataset of an experiment."""

    id: str
    name: str
    kind: DataKind
    size: int


class ExperimentItem(BaseModel):
    """An experiment."""

    id: str
    uuid: str
    name: str
    author: str
    date: str
    keys: list[str]
    datasets: list[DatasetSummary]
    error: str | None = Field(default=None, description="Why it cannot be read.")


class NewExperiment(Taken):
    """An experiment to be made."""

    name: str = Field(min_length=1, max_length=255)
    author: str = Field(default="", max_length=255)
    date: str = Field(default="now", max_length=40)
    keys: list[str] = Field(default_factory=list, max_length=1000)


class ExperimentChange(Taken):
    """What is to change of an experiment; keys are added."""

    name: str | None = Field(default=None, min_length=1, max_length=255)
    author: str | None = Field(default=None, max_length=255)
    keys: list[str] | None = Field(default=None, max_length=1000)


class OutputOfTool(BaseModel):
    """Which output of its tool a data is."""

    name: str
    label: str


class DataItem(BaseModel):
    """A data in a list."""

    id: str
    uuid: str
    name: str
    kind: DataKind
    author: str
    date: str
    format: str
    key_values: dict[str, str]
    output: OutputOfTool | None = None
    thumbnail: str | None = Field(default=None, description="URL of a small PNG; null where it is no image.")


class InputOfData(BaseModel):
    """A data that another was made from."""

    name: str = Field(description="The tool's input.")
    id: str | None = Field(description="Null where it is gone.")
    data_name: str | None = None
    kind: DataKind


class InputOfRun(BaseModel):
    """A selection that a run was given."""

    name: str
    dataset: str
    query: str
    output: str


class Parameter(BaseModel):
    """A parameter of a run."""

    name: str
    value: str


class RunItem(BaseModel):
    """A run."""

    id: str
    tool: str
    parameters: list[Parameter]
    inputs: list[InputOfRun]
    date: str = ""
    state: str = ""
    user: str = ""
    counts: dict[str, int] = Field(default_factory=dict)


class Quantity(BaseModel):
    """A length or time with its unit."""

    value: float
    unit: str


class DataDetail(DataItem):
    """All that is known of a data."""

    experiment: str | None = Field(default=None, description="Id of its experiment.")
    dataset: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    run: RunItem | None = None
    inputs: list[InputOfData] = Field(default_factory=list)
    size: int | None = Field(default=None, description="Of its file, in bytes.")
    axes: str | None = None
    shape: list[int] | None = None
    pixel_sizes: dict[str, Quantity] | None = None


class Channel(BaseModel):
    """A channel, with what to show it in."""

    name: str
    color: str | None = None
    window: tuple[float, float] | None = None


class ImageInfo(BaseModel):
    """How a viewer reads an image."""

    kind: Literal["ome-zarr", "ome-tiff"]
    url: str
    axes: str
    shape: list[int]
    dtype: str
    pixel_sizes: dict[str, Quantity]
    channels: list[Channel]
    is_labels: bool
    scenes: list[str] = Field(default=[], description="Names of all images in the file.")


class Completion(BaseModel):
    """What may come next in a query: put `insert` in place of what is from `start` to `end`."""

    insert: str
    label: str
    kind: Literal["key", "value", "operator"]
    start: int
    end: int


class ToolSummary(BaseModel):
    """A tool in a list."""

    fullname: str
    id: str
    name: str
    version: str
    description: str
    categories: list[str] = Field(default_factory=list)


class ToolForm(ToolSummary):
    """A tool and what it asks for."""

    help: str
    members: list[dict[str, Any]] = Field(
        description="As the wrapper says them; kind is param, conditional, section or repeat."
    )
    outputs: list[dict[str, str]]
