"""Trees of how things came to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.cli.documents import run_document
from bioimageit_core.cli.output import cell, console
from bioimageit_core.cli.status import printable
from bioimageit_core.containers import Data, ProcessedData, Run
from bioimageit_core.core.exceptions import DataServiceError

if TYPE_CHECKING:
    from rich.tree import Tree

    from bioimageit_core.api import Request
    from bioimageit_core.containers import Experiment

__all__ = ["Node", "draw", "of_data", "of_experiment"]

_DEEPEST = 100


@dataclass
class Node:
    """A thing, and what it was made from.

    Attributes
    ----------
    role
        ``experiment``, ``dataset``, ``data``, ``run`` or ``missing``.
    """

    role: str
    name: str
    facts: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    made_from: list[Node] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the tree as JSON."""
        return {
            "role": self.role,
            "name": self.name,
            **self.details,
            "made_from": [node.document() for node in self.made_from],
        }


def of_data(request: Request, data: Data, depth: int = 0) -> Node:
    """Return a data, the run that made it, what the run was given, and so on."""
    details = {"uuid": data.uuid, "md_uri": data.md_uri, "uri": data.uri, "type": data.type}
    if not isinstance(data, ProcessedData):
        return Node("data", data.name, f"imported {data.date} by {data.author}", details)
    node = Node("data", data.name, str(data.output.get("label") or data.output.get("name") or ""), details)
    if depth >= _DEEPEST:
        return node
    run = _run_node(request, data.run.md_uri)
    node.made_from.append(run)
    for given in data.inputs:
        try:
            read = request.get_raw_data if given.type == "raw" else request.get_processed_data
            made_from = of_data(request, read(given.uri), depth + 1)
        except DataServiceError as error:
            made_from = Node("missing", given.uri, str(error), {"uuid": given.uuid})
        made_from.details["input"] = given.name
        run.made_from.append(made_from)
    return node


def of_experiment(request: Request, experiment: Experiment, dataset: str = "") -> Node:
    """Return the datasets of an experiment (or one of them), the runs that made them, and the datasets they used."""
    details = {"uuid": experiment.uuid, "md_uri": experiment.md_uri}
    root = Node("experiment", experiment.name, f"{experiment.author}, {experiment.date}", details)
    infos = [experiment.raw_dataset, *experiment.processed_datasets]
    for info in infos:
        if dataset not in ("", info.name):
            continue
        read = request.get_dataset_from_uri(info.url)
        node = Node("dataset", info.name, f"{read.size()} data", {"uuid": info.uuid, "md_uri": info.url})
        root.made_from.append(node)
        if info is experiment.raw_dataset:
            continue
        for run in request.get_dataset_runs(read):
            run_node = _node_of_run(run)
            node.made_from.append(run_node)
            for given in run.inputs:
                name = "/".join(filter(None, (given.dataset, given.origin_output_name)))
                facts = f"{given.query or 'all'} → {given.name}"
                run_node.made_from.append(Node("dataset", name, facts, {"query": given.query, "input": given.name}))
    return root.made_from[0] if dataset and root.made_from else root


def draw(node: Node) -> None:
    """Draw a tree on standard output."""
    screen = console()
    screen.print(_tree(node, None), soft_wrap=True)


def _run_node(request: Request, md_uri: str) -> Node:
    try:
        return _node_of_run(request.get_run(md_uri))
    except DataServiceError as error:
        return Node("missing", md_uri or "run", str(error))


def _node_of_run(run: Run) -> Node:
    said = [f"{each.name}={cell(each.value)}" for each in run.parameters]
    record = run.extra.get("execution")
    if isinstance(record, dict):  # what is recorded beyond the published fields
        who = f"by {record['user']}" if record.get("user") else ""
        said += [cell(text) for text in (str(record.get("started", ""))[:16].replace("T", " "), who) if text]
    return Node("run", run.process_name, " ".join(said), run_document(run))


def _tree(node: Node, parent: Tree | None) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    style = {"run": "cyan", "missing": "red", "dataset": "bold", "experiment": "bold"}.get(node.role, "")
    prefix = {"run": "run of ", "missing": "missing: "}.get(node.role, "")
    label = Text(f"{prefix}{printable(node.name)}", style)
    given_to = node.details.get("input", "")
    if given_to and node.role == "data":
        label.append(f"  → {printable(given_to)}", "dim")
    if node.facts:
        label.append(f"  {printable(node.facts)}", "dim")
    tree = Tree(label, guide_style="dim") if parent is None else parent.add(label)
    for each in node.made_from:
        _tree(each, tree)
    return tree
