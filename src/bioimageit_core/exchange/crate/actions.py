"""What a crate says of runs: tools with their parameters, and one action for each execution.

Process Run Crate 0.5, https://w3id.org/ro/wfrun/process/0.5: ``instrument`` is the tool, ``object`` what it was given,
``result`` what it made. An item that was not executed, because an earlier run had done it, is no action.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import ProcessedData, Run, Tool
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.exchange.crate.describing import instant, person, text_of
from bioimageit_core.exchange.crate.graph import WORKFLOW_RUN, Graph, Reference, identifier
from bioimageit_core.exchange.crate.packing import Packed, PackedDataset
from bioimageit_core.jobs.record import ItemRecord, RunRecord, read_record
from bioimageit_core.jobs.staleness import current_tool
from bioimageit_core.plugins.tool_requirements import images_of

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import ToolsService

__all__ = ["COMPLETED", "FAILED", "Actions"]

COMPLETED = "http://schema.org/CompletedActionStatus"
FAILED = "http://schema.org/FailedActionStatus"
_EXECUTED = {"done": COMPLETED, "failed": FAILED}
_IMAGE = re.compile(r"(?:(?P<registry>[^/]+[.:][^/]*|localhost)/)?(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@.*)?")


class Actions:
    """Describes runs, and remembers what it said of each.

    Attributes
    ----------
    of_run
        The actions of each run, by its uuid.
    """

    def __init__(self, graph: Graph, packed: Packed, files: Mapping[str, Reference], tools: ToolsService | None):
        self.graph = graph
        self.of_run: dict[str, list[Reference]] = {}
        self._packed = packed
        self._files = files
        self._tools = tools
        self._read: dict[str, Tool | None] = {}

    def describe(self) -> list[Reference]:
        """Describe every run of every dataset, and say from the whole crate where its actions are."""
        for dataset in self._packed.datasets:
            for run in dataset.runs:
                self.of_run[run.uuid] = list(self._run(dataset, run))
        return [action for actions in self.of_run.values() for action in actions]

    def tool(self, name: str) -> Reference:
        """Describe a tool by its full name."""
        version = name.rpartition("_v")[2] if "_v" in name else "unknown"
        return self.graph.add(
            identifier("tool", name),
            "SoftwareApplication",
            name=name.rpartition("_v")[0] or name or "unknown tool",
            softwareVersion=version,
            identifier=name,
        )

    def parameter(self, tool: str, kind: str, name: str, type_: str) -> Reference:
        """Describe a parameter, input or output of a tool; the tool says that it has it."""
        id_ = identifier("tool", tool, kind, name)
        is_new = id_ not in self.graph
        found = self.graph.add(
            id_,
            "FormalParameter",
            name=name,
            additionalType=type_,
            conformsTo=self.graph.add(
                "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE",
                "CreativeWork",
                name="Bioschemas FormalParameter",
                version="1.0",
            ),
        )
        if is_new:
            self.graph.append(self.tool(tool)["@id"], "output" if kind == "output" else "input", found)
        return found

    # Runs

    def _run(self, dataset: PackedDataset, run: Run) -> Iterator[Reference]:
        record = read_record(run)
        self.tool(run.process_name)
        values = dict(record.parameters) if record else {}
        values |= {parameter.name: parameter.value for parameter in run.parameters}
        given = [self._value(run, name, value) for name, value in values.items()]
        if record is None:
            yield self._unrecorded(dataset, run, given)
            return
        about = self._circumstances(run, record)
        for number, item in enumerate(record.items):
            if item.state in _EXECUTED:
                yield self._item(run, number, item, given, about)

    def _value(self, run: Run, name: str, value: Any) -> Reference:
        formal = self.parameter(run.process_name, "parameter", name, _type(value))
        return self.graph.add(
            identifier("run", run.uuid, name), "PropertyValue", name=name, value=text_of(value), exampleOfWork=formal
        )

    def _circumstances(self, run: Run, record: RunRecord) -> dict[str, Any]:
        ended = record.ended or record.started
        about: dict[str, Any] = {
            "agent": person(self.graph, record.user or self._packed.experiment.author),
            "startTime": instant(record.started),
            "endTime": instant(ended),
            "containerImage": self._image(run, record),
        }
        if record.environment:
            about["environment"] = self.graph.add(
                identifier("environment", record.environment),
                "PropertyValue",
                name="SHA-256 of the lock of the tool's environment",
                value=record.environment,
            )
        return about

    def _item(
        self, run: Run, number: int, item: ItemRecord, given: list[Reference], about: dict[str, Any]
    ) -> Reference:
        made_from = [self._file(run, "input", file.name, file.uuid) for file in item.inputs]
        made = [self._file(run, "output", file.name, file.uuid) for file in item.outputs]
        ended = f", exit status {item.exit_status}" if item.exit_status is not None else ""
        return self.graph.add(
            identifier("run", run.uuid, str(number), "execution"),
            "CreateAction",
            name=f"{run.process_name} of {item.name}",
            description=f"Execution of {run.process_name} on {item.name}{ended}; the times are those of its whole run",
            instrument=self.tool(run.process_name),
            object=[*filter(None, made_from), *given],
            result=[*filter(None, made)],
            actionStatus=_EXECUTED[item.state],
            error="\n".join(filter(None, (item.error, item.stderr))) if item.state == "failed" else "",
            resourceUsage=self._duration(run, number, item.seconds),
            **about,
        )

    def _duration(self, run: Run, number: int, seconds: float) -> Reference:
        return self.graph.add(
            identifier("run", run.uuid, str(number), "seconds"),
            "PropertyValue",
            name="elapsed time",
            propertyID="https://schema.org/duration",
            value=str(seconds),
            unitCode="https://qudt.org/vocab/unit/SEC",
        )

    def _unrecorded(self, dataset: PackedDataset, run: Run, given: list[Reference]) -> Reference:
        """Describe a run that says nothing of its executions: other software made it."""
        results = [item.data for item in dataset.data if isinstance(item.data, ProcessedData)]
        results = [data for data in results if data.run.uuid == run.uuid]
        sources = {item.uuid: item for data in results for item in data.inputs}
        return self.graph.add(
            identifier("run", run.uuid),
            "CreateAction",
            name=f"{run.process_name} over {dataset.name}",
            description="A run whose executions were not recorded one by one",
            instrument=self.tool(run.process_name),
            object=[*filter(None, (self._files.get(uuid) for uuid in sources)), *given],
            result=[self._files[data.uuid] for data in results],
            agent=person(self.graph, self._packed.experiment.author),
            endTime=max((instant(data.date) for data in results), default=""),
        )

    def _file(self, run: Run, kind: str, name: str, uuid: str) -> Reference | None:
        file = self._files.get(uuid)
        if file is not None:
            formal = self.parameter(run.process_name, kind, name, "Dataset" if file["@id"].endswith("/") else "File")
            self.graph.append(file["@id"], "exampleOfWork", formal)
        return file

    # Where a tool ran

    def _image(self, run: Run, record: RunRecord) -> Reference | None:
        """Describe the container that a run was executed in, if it was."""
        runner = record.runner.lower()
        is_sif = "singularity" in runner or "apptainer" in runner
        if not is_sif and not any(name in runner for name in ("container", "docker", "podman")):
            return None
        tool = self._current(run)
        images = images_of(tool, *(("singularity", "docker") if is_sif else ("docker",))) if tool else []
        match = _IMAGE.fullmatch(images[0]) if images else None
        if match is None or tool is None:
            return None
        kind = "SIFImage" if is_sif and images[0] in images_of(tool, "singularity") else "DockerImage"
        return self.graph.add(
            identifier("image", images[0]),
            "ContainerImage",
            additionalType={"@id": WORKFLOW_RUN + kind},
            registry=match["registry"] or "docker.io",
            name=match["name"],
            tag=match["tag"] or "latest",
        )

    def _current(self, run: Run) -> Tool | None:
        if run.process_name not in self._read:
            try:
                self._read[run.process_name] = current_tool(self._tools, run) if self._tools else None
            except BioImageITError:
                self._read[run.process_name] = None
        return self._read[run.process_name]


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"
