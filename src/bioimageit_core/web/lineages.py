"""How things came to be, as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from bioimageit_core.containers import Data, DatasetInfo, Experiment, ProcessedData, Run
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.web.documents import is_image

if TYPE_CHECKING:
    from bioimageit_core.web.site import Site

__all__ = ["Lineage", "of_data", "of_dataset"]

_MOST = 500  # nodes of one graph


class Node(BaseModel):
    """A data, a dataset or a run."""

    id: str
    kind: Literal["data", "run", "dataset", "missing"]
    name: str
    dataset: str = ""
    tool: str = ""
    state: str = ""
    is_image: bool = False


class Edge(BaseModel):
    """What came into something; the label is the name of the tool's input or output."""

    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(alias="from")
    to: str
    label: str = ""


class Lineage(BaseModel):
    """A graph: edges lead from what was there to what was made of it."""

    nodes: list[Node]
    edges: list[Edge]
    truncated: bool = Field(default=False, description="Whether there is more than is told.")


class _Graph:
    def __init__(self, site: Site, experiment: Experiment) -> None:
        self.site = site
        self.experiment = experiment
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str, str], Edge] = {}
        self.truncated = False

    def lineage(self) -> Lineage:
        return Lineage(nodes=list(self.nodes.values()), edges=list(self.edges.values()), truncated=self.truncated)

    def connect(self, source: str, target: str, label: str) -> None:
        self.edges[source, target, label] = Edge(**{"from": source, "to": target, "label": label})

    def is_full(self) -> bool:
        self.truncated = self.truncated or len(self.nodes) >= _MOST
        return self.truncated

    def add_data(self, data: Data) -> str:
        home = self.experiment.md_uri
        id_ = self.site.id_of(data, home)
        if id_ not in self.nodes:
            dataset = self.site.dataset_of(data, self.experiment)
            self.nodes[id_] = Node(
                id=id_, kind="data", name=data.name, dataset=dataset, is_image=is_image(self.site, data.format)
            )
        return id_

    def add_run(self, md_uri: str, dataset: str = "") -> str:
        id_ = self.site.ids.make("run", md_uri, self.experiment.md_uri)
        if id_ not in self.nodes:
            try:
                run = self.site.request.get_run(md_uri)
            except BioImageITError:
                self.nodes[id_] = Node(id=id_, kind="missing", name="a run that is gone")
            else:
                self.nodes[id_] = _run_node(id_, run, dataset)
        return id_

    def back(self, data: Data) -> None:
        """Add what a data was made from, and what that was made from."""
        left = [data]
        while left and not self.is_full():
            current = left.pop()
            id_ = self.add_data(current)
            if not isinstance(current, ProcessedData):
                continue
            run = self.add_run(current.run.md_uri, self.nodes[id_].dataset)
            self.connect(run, id_, current.output.get("label") or current.output.get("name") or "")
            for given in current.inputs:
                read = self.site.request.get_raw_data if given.type == "raw" else self.site.request.get_processed_data
                try:
                    found = read(given.uri)
                except BioImageITError:
                    missing = f"missing-{given.uuid}"
                    self.nodes[missing] = Node(id=missing, kind="missing", name="a data that is gone")
                    self.connect(missing, run, given.name)
                    continue
                is_new = self.site.id_of(found, self.experiment.md_uri) not in self.nodes
                self.connect(self.add_data(found), run, given.name)
                if is_new:
                    left.append(found)

    def forth(self, data: Data) -> None:
        """Add what was made from a data, and what was made from that."""
        uuids = {data.uuid}
        for info in self.experiment.processed_datasets:
            for made in self._made(info):
                if any(given.uuid in uuids for given in made.inputs):
                    if self.is_full():
                        return
                    uuids.add(made.uuid)
                    self.back(made)

    def _made(self, info: DatasetInfo) -> list[ProcessedData]:
        try:
            found = self.site.request.query(self.experiment, info.name)
        except BioImageITError:
            return []
        return [data for data in found if isinstance(data, ProcessedData)]


def of_data(site: Site, data: Data, experiment: Experiment) -> Lineage:
    """Return all that a data was made from, and all that was made from it."""
    graph = _Graph(site, experiment)
    graph.back(data)
    graph.forth(data)
    return graph.lineage()


def of_dataset(site: Site, experiment: Experiment, name: str) -> Lineage:
    """Return the datasets that a dataset was made from, with the runs between them, and those made from it."""
    graph = _Graph(site, experiment)
    infos = {info.name: info for info in [experiment.raw_dataset, *experiment.processed_datasets]}
    made: dict[str, list[Run]] = {}
    for info in experiment.processed_datasets:
        try:
            made[info.name] = site.request.get_dataset_runs(site.request.get_dataset_from_uri(info.url))
        except BioImageITError:
            made[info.name] = []
    wanted = _connected(
        name, {target: {given.dataset for run in runs for given in run.inputs} for target, runs in made.items()}
    )
    for each in wanted & infos.keys():
        id_ = site.ids.make("dataset", infos[each].url, experiment.md_uri)
        graph.nodes[id_] = Node(id=id_, kind="dataset", name=each, dataset=each)
    for target in wanted & made.keys():
        for run in made[target]:
            run_id = site.ids.make("run", run.md_uri, experiment.md_uri)
            graph.nodes[run_id] = _run_node(run_id, run, target)
            graph.connect(run_id, site.ids.make("dataset", infos[target].url, experiment.md_uri), "")
            for given in run.inputs:
                if given.dataset in infos:
                    source = site.ids.make("dataset", infos[given.dataset].url, experiment.md_uri)
                    graph.connect(source, run_id, given.name)
    return graph.lineage()


def _connected(name: str, sources: dict[str, set[str]]) -> set[str]:
    """Return a dataset, those before it and those after it."""
    before, left = {name}, [name]
    while left:
        new = sources.get(left.pop(), set()) - before
        before |= new
        left += new
    after, is_growing = {name}, True
    while is_growing:
        new = {target for target, given in sources.items() if given & after} - after
        after |= new
        is_growing = bool(new)
    return before | after


def _run_node(id_: str, run: Run, dataset: str) -> Node:
    from bioimageit_core.jobs.record import read_record

    record = read_record(run)
    return Node(
        id=id_,
        kind="run",
        name=run.process_name,
        dataset=dataset,
        tool=run.process_name,
        state=record.state if record else "",
    )
