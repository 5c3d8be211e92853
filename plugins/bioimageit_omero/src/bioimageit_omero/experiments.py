"""Experiments and datasets: Projects and Datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bioimageit_core.containers import Container, Dataset, DatasetInfo, Experiment
from bioimageit_core.core.exceptions import ConflictError, NotFoundError
from bioimageit_core.core.records import container_of
from bioimageit_core.core.utils import format_date, generate_uuid

from bioimageit_omero.annotations import (
    DATA,
    KEY,
    RECORD,
    Annotated,
    link_to,
    read_annotated,
    read_annotations,
    shared_annotations,
)
from bioimageit_omero.base import Base, creation_date, group_of, owner_name, text_of
from bioimageit_omero.ice import model, rstring
from bioimageit_omero.session import ALL_GROUPS
from bioimageit_omero.uris import DATASET, FILE, IMAGE, PROJECT, Ref
from bioimageit_omero.values import check_text

__all__ = ["Experiments", "ProjectState", "keys_of"]

RAW = "data"


@dataclass
class ProjectState:
    """A project with its annotations and datasets, as they are now.

    Attributes
    ----------
    datasets
        Identity, name and record's identity of each dataset, in the order in which they joined.
    """

    made: Any
    annotated: Annotated
    datasets: list[tuple[int, str, str]]

    @property
    def ref(self) -> Ref:
        """The project."""
        return self.annotated.ref

    @property
    def group(self) -> int:
        """Its group."""
        return group_of(self.made)

    @property
    def raw_dataset(self) -> int:
        """The dataset of the raw data: the one named ``data``, else the first; 0 where there is none."""
        named = [id_ for id_, name, _ in self.datasets if name == RAW]
        return named[0] if named else next((id_ for id_, _, _ in self.datasets), 0)

    @property
    def keys(self) -> list[str]:
        """The vocabulary: the tags of the project."""
        return keys_of(self.annotated)


def keys_of(annotated: Annotated) -> list[str]:
    """Give the vocabulary of annotation keys of a project: its tags, in the order in which they joined."""
    tags = sorted((a for a in annotated.annotations if a.kind == "TagAnnotation"), key=lambda a: a.link)
    found = list(dict.fromkeys(tag.text for tag in tags if tag.text))
    order = json.loads(annotated.facts.get("keys", "[]"))
    places = {key: place for place, key in enumerate(order)}
    return sorted(found, key=lambda key: places.get(key, len(places)))


class Experiments(Base):
    """Creates, lists, reads and writes experiments and datasets."""

    # experiments

    def create_experiment(
        self, name: str, author: str, date: str = "now", keys: list[str] | None = None, destination: str = ""
    ) -> Experiment:
        """Create a project with an empty dataset ``data``; `destination` is the name of a group, or ``''``."""
        self.check_name("experiment", name)
        vocabulary = [check_text("key", key) for key in dict.fromkeys(keys or [])]
        group = self.group_of(destination)
        if self._same_name(name, group):
            raise ConflictError(f"OMERO: you have an experiment named {name!r} in this group")
        experiment = Experiment("", generate_uuid(), name, author, format_date(date), keys=vocabulary)
        raw = Dataset("", generate_uuid(), RAW)
        project, dataset = model().ProjectI(), model().DatasetI()
        project.setName(rstring(name))
        dataset.setName(rstring(RAW))
        project.linkDataset(dataset)
        project.linkAnnotation(self.record(self._experiment_facts(experiment)))
        dataset.linkAnnotation(self.record(self._dataset_facts(raw)))
        known = self._known_tags(vocabulary, group)
        for key in vocabulary:
            project.linkAnnotation(known.get(key) or _new_tag(key))
        (saved,) = self.session.save([project], group)
        ref = Ref(PROJECT, int(saved.id.val))
        if min(self._same_name(name, group)) != ref.id:
            self.session.delete({"Project": [ref.id]}, group)
            raise ConflictError(f"OMERO: somebody created an experiment named {name!r} at the same time")
        return self.get_experiment(self.uris.of(ref))

    def get_workspace_experiments(self, workspace_uri: str) -> list[dict[str, Any]]:
        """List the projects of a group: of your default group for ``''`` or a path, of all your groups for ``*``."""
        group = ALL_GROUPS if workspace_uri == "*" else self.group_of(workspace_uri)
        states = self._states("o.id > :id", "l.id > :id", {"id": 0}, group)
        found = [self._experiment(state) for state in states]
        return [{"md_uri": experiment.md_uri, "info": experiment} for experiment in found]

    def get_experiment(self, md_uri: str) -> Experiment:
        """Read an experiment."""
        return self._experiment(self.state_of(md_uri))

    def update_experiment(self, experiment: Experiment) -> None:
        """Write an experiment's information and keys; its list of datasets is the server's own."""
        self.again(lambda: self._update_experiment(experiment))

    def _update_experiment(self, experiment: Experiment) -> None:

        state = self.state_of(experiment.md_uri)
        self.check_name("experiment", experiment.name)
        wanted = [check_text("key", key) for key in dict.fromkeys(experiment.keys)]
        facts = self._experiment_facts(experiment)
        tags = [a for a in state.annotated.annotations if a.kind == "TagAnnotation"]
        kept = [a for a in sorted(tags, key=lambda a: a.link) if a.text in wanted or a.link_owner != self.session.user]
        natural = list(dict.fromkeys([*(a.text for a in kept), *wanted]))
        if [key for key in natural if key in wanted] != wanted:
            facts["keys"] = json.dumps(wanted)
        elif "keys" in state.annotated.facts:
            facts["keys"] = "[]"
        shared = shared_annotations(
            self.session, PROJECT, [a.id for a in state.annotated.annotations if a.ns == RECORD]
        )
        objects = state.annotated.change(self.session.user, shared, facts)
        objects += self.new_tags(state, [key for key in wanted if key not in state.keys])
        if text_of(state.made.name) != experiment.name:
            state.made.setName(rstring(experiment.name))
            objects.append(state.made)
        self.session.save(objects, state.group)
        gone = [a.link for a in tags if a not in kept]
        self.session.delete({"ProjectAnnotationLink": gone}, state.group)

    def state_of(self, md_uri: str) -> ProjectState:
        """Read a project as it is now.

        Raises
        ------
        NotFoundError
            There is none.
        """
        ref = self.uris.read(md_uri, "experiment", PROJECT)
        states = self._states("o.id = :id", "l.parent.id = :id", {"id": ref.id}, ALL_GROUPS)
        if not states:
            raise NotFoundError("experiment", str(md_uri))
        return states[0]

    def _states(
        self, condition: str, link_condition: str, parameters: Mapping[str, int], group: int
    ) -> list[ProjectState]:
        text = (
            "select o from Project o join fetch o.details.owner join fetch o.details.creationEvent where " + condition
        )
        projects = self.session.objects(text, parameters, group)
        annotated = read_annotations(self.session, PROJECT, link_condition, parameters, group=group)
        text = (
            "select l.id, l.parent.id, d.id, d.name from ProjectDatasetLink l join l.child d "
            f"where {link_condition} order by l.id"
        )
        links = self.session.rows(text, parameters, group)
        text = (
            "select d.id, mv.value from DatasetAnnotationLink dl join dl.child a join a.mapValue mv join dl.parent d "
            "join d.projectLinks l where a.ns = :ns and mv.name = 'uuid' and " + link_condition + " order by a.id"
        )
        identities = dict(self.session.rows(text, {**parameters, "ns": RECORD}, group))
        made = []
        for project in sorted(projects, key=lambda p: p.id.val):
            id_ = int(project.id.val)
            own = [
                (d, name, identities.get(d) or self.uris.identity(self.session.database, Ref(DATASET, d)))
                for _, parent, d, name in links
                if parent == id_
            ]
            made.append(ProjectState(project, annotated.get(id_, Annotated(Ref(PROJECT, id_))), own))
        return made

    def _experiment(self, state: ProjectState) -> Experiment:
        document = state.annotated.document()
        md_uri = self.uris.of(state.ref)
        if document is None:
            made = Experiment(md_uri, author=owner_name(state.made), date=creation_date(state.made))
        else:
            made = container_of(Experiment, document, md_uri, self.resolve)
        made.name, made.uuid = text_of(state.made.name), self.identity(state.annotated)
        infos = {id_: DatasetInfo(name, self.uris.of(Ref(DATASET, id_)), uuid) for id_, name, uuid in state.datasets}
        made.raw_dataset = infos.pop(state.raw_dataset, DatasetInfo())
        made.processed_datasets = list(infos.values())
        made.keys = state.keys
        return made

    def _experiment_facts(self, experiment: Experiment) -> dict[str, str]:
        document = self.document(experiment, "raw_dataset", "processed_datasets", "keys")
        return {"uuid": experiment.uuid or generate_uuid(), "type": "experiment", "document": document}

    def _same_name(self, name: str, group: int) -> list[int]:
        text = "select p.id from Project p where p.name = :name and p.details.owner.id = :me"
        return [int(row[0]) for row in self.session.rows(text, {"name": name, "me": self.session.user}, group)]

    # keys

    def new_tags(self, state: ProjectState, keys: list[str]) -> list[Any]:
        """Make the links that give a project the tags of new keys; tags of ours are used again."""
        keys = [check_text("key", key) for key in dict.fromkeys(keys) if key and key not in state.keys]
        known = self._known_tags(keys, state.group)
        return [link_to(state.ref, known.get(key) or _new_tag(key)) for key in keys]

    def _known_tags(self, keys: list[str], group: int) -> dict[str, Any]:

        if not keys:
            return {}
        text = (
            "select t.textValue, t.id from TagAnnotation t where t.ns = :ns and t.textValue in (:keys) "
            "and t.details.owner.id = :me order by t.id"
        )
        rows = self.session.rows(text, {"ns": KEY, "keys": keys, "me": self.session.user}, group)
        return {key: model().TagAnnotationI(int(id_), False) for key, id_ in rows}

    # datasets

    def create_dataset(self, experiment: Experiment, dataset_name: str) -> Dataset:
        """Create an empty processed dataset."""
        self.check_name("dataset", dataset_name)
        state = self.state_of(experiment.md_uri)
        conflict = ConflictError(f"{text_of(state.made.name)!r} has a dataset named {dataset_name!r}")
        if dataset_name in [name for _, name, _ in state.datasets]:
            raise conflict
        new = Dataset("", generate_uuid(), dataset_name)
        dataset = model().DatasetI()
        dataset.setName(rstring(dataset_name))
        dataset.linkAnnotation(self.record(self._dataset_facts(new)))
        link = model().ProjectDatasetLinkI()
        link.setParent(model().ProjectI(state.ref.id, False))
        link.setChild(dataset)
        (saved,) = self.session.save([link], state.group)
        id_ = int(saved.child.id.val)
        fresh = self.state_of(experiment.md_uri)
        if next(d for d, name, _ in fresh.datasets if name == dataset_name) != id_:
            self.session.delete({"Dataset": [id_]}, state.group)
            raise conflict
        experiment.processed_datasets = self._experiment(fresh).processed_datasets
        return self.get_dataset(self.uris.of(Ref(DATASET, id_)))

    def get_dataset(self, md_uri: str) -> Dataset:
        """Read a dataset: its name and its list of images and attached data."""
        ref = self.uris.read(md_uri, "dataset", DATASET)
        made = self.one("Dataset", ref, md_uri, "dataset")
        annotated = read_annotated(self.session, [ref])[ref.id]
        document = annotated.document()
        dataset = Dataset(self.uris.of(ref))
        if document is not None:
            dataset = container_of(Dataset, document, dataset.md_uri, self.resolve)
        dataset.name, dataset.uuid = text_of(made.name), self.identity(annotated)
        identities = self._identities(ref)
        dataset.uris = [
            Container(self.uris.of(entry), identities.get(entry) or self.uris.identity(self.session.database, entry))
            for entry in self.entries(ref, annotated)
        ]
        return dataset

    def entries(self, dataset: Ref, annotated: Annotated) -> list[Ref]:
        """List the data of a dataset in their order: that of joining, unless another was written."""
        natural = [ref for ref, _ in sorted(self._links(dataset).items(), key=lambda item: item[1])]
        order = json.loads(annotated.facts.get("order", "[]"))
        places = {entry: place for place, entry in enumerate(order)}
        return sorted(natural, key=lambda ref: places.get(str(ref), len(places)))

    def _links(self, dataset: Ref) -> dict[Ref, tuple[int, int]]:
        """Give the data of a dataset, with the event in which each joined and its link."""
        text = "select l.child.id, l.details.creationEvent.id, l.id from DatasetImageLink l where l.parent.id = :id"
        found = {Ref(IMAGE, int(i)): (int(e), int(k)) for i, e, k in self.session.rows(text, {"id": dataset.id})}
        text = (
            "select a.id, l.details.creationEvent.id, l.id from DatasetAnnotationLink l join l.child a "
            "where l.parent.id = :id and a.ns = :ns"
        )
        rows = self.session.rows(text, {"id": dataset.id, "ns": DATA})
        return found | {Ref(FILE, int(i)): (int(e), int(k)) for i, e, k in rows}

    def _identities(self, dataset: Ref) -> dict[Ref, str]:
        found = {}
        for kind, link, joins in (
            (IMAGE, "ImageAnnotationLink", "join p.datasetLinks x where x.parent.id"),
            (FILE, "AnnotationAnnotationLink", ", DatasetAnnotationLink x where x.child.id = p.id and x.parent.id"),
        ):
            text = (
                f"select p.id, mv.value from {link} l join l.child a join a.mapValue mv join l.parent p {joins} = :id "
                "and a.ns = :ns and mv.name = 'uuid' order by a.id"
            )
            for id_, value in self.session.rows(text, {"id": dataset.id, "ns": RECORD}):
                found[Ref(kind, int(id_))] = str(value)
        return found

    def update_dataset(self, dataset: Dataset) -> None:
        """Write a dataset's name and list; a data that is taken from the list stays in the server."""
        self.again(lambda: self._update_dataset(dataset))

    def _update_dataset(self, dataset: Dataset) -> None:

        ref = self.uris.read(dataset.md_uri, "dataset", DATASET)
        made = self.one("Dataset", ref, dataset.md_uri, "dataset")
        self.check_name("dataset", dataset.name)
        annotated = read_annotated(self.session, [ref])[ref.id]
        links = self._links(ref)
        wanted = [self.uris.read(entry.md_uri, "data", IMAGE, FILE) for entry in dataset.uris]
        facts = self._dataset_facts(dataset)
        natural = [r for r in sorted(links, key=lambda r: links[r]) if r in wanted]
        natural += [r for r in wanted if r not in links]
        facts["order"] = json.dumps([str(r) for r in wanted] if natural != wanted else [])
        if facts["order"] == "[]" and "order" not in annotated.facts:
            del facts["order"]
        objects = annotated.change(self.session.user, frozenset(), facts)
        for new in dict.fromkeys(wanted):
            if new in links:
                continue
            if new.kind == FILE:
                objects.append(link_to(ref, model().FileAnnotationI(new.id, False)))
                continue
            link = model().DatasetImageLinkI()
            link.setParent(model().DatasetI(ref.id, False))
            link.setChild(model().ImageI(new.id, False))
            objects.append(link)
        if text_of(made.name) != dataset.name:
            made.setName(rstring(dataset.name))
            objects.append(made)
        self.session.save(objects, group_of(made))
        gone: dict[str, list[int]] = {"DatasetImageLink": [], "DatasetAnnotationLink": []}
        for old, (_, link_id) in links.items():
            if old not in wanted:
                gone["DatasetImageLink" if old.kind == IMAGE else "DatasetAnnotationLink"].append(link_id)
        self.session.delete(gone, group_of(made))

    def _dataset_facts(self, dataset: Dataset) -> dict[str, str]:
        document = self.document(dataset, "urls")
        return {"uuid": dataset.uuid or generate_uuid(), "type": "dataset", "document": document}


def _new_tag(key: str) -> Any:

    tag = model().TagAnnotationI()
    tag.setTextValue(rstring(key))
    tag.setNs(rstring(KEY))
    return tag
