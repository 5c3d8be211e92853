"""What a crate says of pipelines: the workflow, its steps, and which executions each step stands for.

Provenance Run Crate 0.5, https://w3id.org/ro/wfrun/provenance/0.5, which builds on Workflow Run Crate 0.5 and Workflow
RO-Crate 1.0. The workflow file is the pipeline with its sweeps laid out, as it ran: it can be run again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioimageit_core import __version__
from bioimageit_core.containers import Run
from bioimageit_core.core.paths import file_names, folded, storable_name
from bioimageit_core.exchange.crate.actions import COMPLETED, FAILED, Actions
from bioimageit_core.exchange.crate.describing import instant, person
from bioimageit_core.exchange.crate.graph import Graph, Reference, identifier
from bioimageit_core.exchange.crate.packing import Packed
from bioimageit_core.jobs.pipelines import PIPELINES

__all__ = ["FOLDER", "describe_pipelines", "pipelines_of"]

FOLDER = "workflows"
_BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_Record = Mapping[str, Any]


def pipelines_of(packed: Packed) -> list[_Record]:
    """List the records of the pipelines that were run in an experiment; those that cannot be read are passed over."""
    found = packed.experiment.extra.get(PIPELINES)
    return [
        record
        for record in (found if isinstance(found, list) else [])
        if isinstance(record, dict)
        and record.get("uuid")
        and record.get("steps")
        and all(isinstance(step, dict) and step.get("name") and step.get("tool") for step in record["steps"])
    ]


def describe_pipelines(graph: Graph, packed: Packed, actions: Actions, folder: Path) -> list[Reference]:
    """Write each pipeline as a workflow and describe its run; return the actions that only pipelines have."""
    runs = {run.uuid: run for dataset in packed.datasets for run in dataset.runs}
    (folder / FOLDER).mkdir()
    taken: set[str] = set()
    described = [_Workflow(graph, actions, runs, record).describe(folder, taken) for record in pipelines_of(packed)]
    return [action for found in described for action in found]


class _Workflow:
    def __init__(self, graph: Graph, actions: Actions, runs: Mapping[str, Run], record: _Record) -> None:
        self._graph = graph
        self._actions = actions
        self._runs = runs
        self._record = record
        self._uuid = str(record["uuid"])
        self._steps: list[_Record] = list(record["steps"])

    def describe(self, folder: Path, taken: set[str]) -> list[Reference]:
        name = str(self._record.get("name") or "pipeline")
        path = next(each for each in file_names(storable_name(f"{name}.json")) if folded(each) not in taken)
        taken.add(folded(path))
        (folder / FOLDER / path).write_text(json.dumps(self._document(name), indent=2), encoding="utf-8")
        steps = [self._step(number, step) for number, step in enumerate(self._steps)]
        workflow = self._graph.add_file(
            f"{FOLDER}/{path}",
            ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            name=name,
            version=self._uuid,
            encodingFormat="application/json",
            conformsTo=self._graph.add(
                _BIOSCHEMAS, "CreativeWork", name="Bioschemas ComputationalWorkflow", version="1.0"
            ),
            programmingLanguage=self._language(),
            hasPart=[self._actions.tool(name) for name in dict.fromkeys(str(step["tool"]) for step in self._steps)],
            step=steps,
        )
        self._graph.describe_root(mainEntity=workflow)  # of several, the last is the main one
        by_step = [self._executions(number, step) for number, step in enumerate(self._steps)]
        executed = {action["@id"] for actions in self._actions.of_run.values() for action in actions}
        others = [action for actions in by_step for action in actions if action["@id"] not in executed]
        return [self._run(name, workflow, by_step), *others]

    def _document(self, name: str) -> dict[str, Any]:
        """Make a pipeline of `core.wrappers.pipelines` of what ran."""
        steps = []
        for step in self._steps:
            run = self._runs.get(step.get("run", ""))
            steps.append(
                {
                    "name": step["name"],
                    "tool": step["tool"],
                    "output_dataset_name": step.get("dataset", ""),
                    "inputs": [
                        {
                            "name": each.name,
                            "dataset": each.dataset,
                            "query": each.query,
                            "origin_output_name": each.origin_output_name,
                        }
                        for each in (run.inputs if run else [])
                    ],
                    "parameters": [{"name": p.name, "value": p.value} for p in (run.parameters if run else [])],
                }
            )
        about = {"name": name, "uuid": str(self._record.get("pipeline") or ""), "bioimageit_version": __version__}
        return {**about, "steps": steps}

    def _language(self) -> Reference:
        return self._graph.add(
            identifier("language"),
            "ComputerLanguage",
            name="bioimageit_core pipeline",
            description="Steps of tools over the data of datasets that queries select, as JSON",
        )

    def _step(self, number: int, step: _Record) -> Reference:
        return self._graph.add(
            identifier("pipeline", self._uuid, str(step["name"])),
            "HowToStep",
            name=str(step["name"]),
            position=str(number),
            workExample=self._actions.tool(str(step["tool"])),
        )

    # Its run

    def _run(self, name: str, workflow: Reference, by_step: Sequence[list[Reference]]) -> Reference:
        about = {
            "agent": person(self._graph, str(self._record.get("user") or "")),
            "startTime": instant(str(self._record.get("started") or "")),
            "endTime": instant(str(self._record.get("ended") or "")),
            **_outcome(str(self._record.get("state")), _errors(self._steps)),
        }
        every = [self._graph.of(action) for actions in by_step for action in actions]
        results = _distinct(every, "result")
        run = self._graph.add(
            identifier("pipeline", self._uuid, "run"),
            "CreateAction",
            name=f"Run of pipeline {name}",
            description=f"Run of pipeline {name} with {len(self._steps)} steps",
            instrument=workflow,
            object=[each for each in _distinct(every, "object") if each not in results],
            result=results,
            **about,
        )
        self._organise(name, run, by_step, about)
        return run

    def _executions(self, number: int, step: _Record) -> list[Reference]:
        """Give the actions of a step; where nothing was executed, one that says why."""
        found = self._actions.of_run.get(str(step.get("run") or ""), [])
        if found:
            return found
        why = str(step.get("error") or "")
        is_failed = step.get("state") != "done"
        return [
            self._graph.add(
                identifier("pipeline", self._uuid, str(number), "nothing"),
                "CreateAction",
                name=f"{step['tool']} in step {step['name']}",
                description="Nothing was executed" if is_failed else "Nothing had to be executed: it was done already",
                instrument=self._actions.tool(str(step["tool"])),
                agent=person(self._graph, str(self._record.get("user") or "")),
                endTime=instant(str(self._record.get("ended") or "")),
                **_outcome("failed" if is_failed else "done", why),
            )
        ]

    def _organise(self, name: str, run: Reference, by_step: Sequence[list[Reference]], about: dict[str, Any]) -> None:
        engine = self._graph.add(
            identifier("software", "bioimageit_core", __version__),
            "SoftwareApplication",
            name="bioimageit_core",
            softwareVersion=__version__,
        )
        controls = [
            self._graph.add(
                identifier("pipeline", self._uuid, str(number), "control"),
                "ControlAction",
                name=f"Step {step['name']}",
                instrument={"@id": identifier("pipeline", self._uuid, str(step["name"]))},
                object=actions,
                **_outcome(str(step.get("state")), str(step.get("error") or "")),
            )
            for number, (step, actions) in enumerate(zip(self._steps, by_step, strict=True))
        ]
        self._graph.add(
            identifier("pipeline", self._uuid, "engine"),
            "OrganizeAction",
            name=f"Execution of pipeline {name}",
            instrument=engine,
            object=controls,
            result=run,
            **about,
        )


def _outcome(state: str, error: str) -> dict[str, Any]:
    return {"actionStatus": COMPLETED} if state == "done" else {"actionStatus": FAILED, "error": error or state}


def _errors(steps: Sequence[_Record]) -> str:
    return "\n".join(f"{step['name']}: {step['error']}" for step in steps if step.get("error"))


def _distinct(entities: Sequence[Mapping[str, Any]], key: str) -> list[Reference]:
    found = {}
    for entity in entities:
        said = entity.get(key, [])
        found.update({each["@id"]: each for each in (said if isinstance(said, list) else [said])})
    return list(found.values())
