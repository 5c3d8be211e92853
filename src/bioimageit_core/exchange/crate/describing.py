"""What a crate says of an experiment: its files with their annotations, its people, its licence."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

from bioimageit_core.containers import RawData
from bioimageit_core.exchange.crate.graph import Graph, Reference, identifier, media_type
from bioimageit_core.exchange.crate.packing import Packed, PackedData, PackedDataset
from bioimageit_core.exchange.image_facts import IMAGE_KEYS, told
from bioimageit_core.plugins.store.layout import EXPERIMENT

__all__ = ["describe_experiment", "instant", "person", "text_of"]

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


def describe_experiment(
    graph: Graph, packed: Packed, licence: str, organization: str, profiles: dict[str, str]
) -> dict[str, Reference]:
    """Describe the crate as a whole, and every file in it.

    Parameters
    ----------
    licence
        An SPDX identifier (``CC-BY-4.0``), a URL, or empty where none is stated.
    organization
        Name of the publisher, and its URL after it; or empty.
    profiles
        Names of the profiles that the crate conforms to, by their URI.

    Returns
    -------
    dict
        The entity of each data, by its uuid.
    """
    experiment = packed.experiment
    conforms = [
        graph.add(uri, "CreativeWork", name=name, version=uri.rsplit("/", 1)[1]) for uri, name in profiles.items()
    ]
    publisher = _organization(graph, organization)
    author = person(graph, experiment.author)
    if author and publisher:
        graph.append(author["@id"], "affiliation", publisher)
    counts = ", ".join(f"{len(dataset.data)} in {dataset.name!r}" for dataset in packed.datasets)
    graph.describe_root(
        name=experiment.name or "experiment",
        description=f"Microscopy experiment with its results and how they came to be; data: {counts}",
        identifier=f"urn:uuid:{experiment.uuid}",
        author=author,
        publisher=publisher,
        dateCreated=experiment.date,
        datePublished=datetime.datetime.now(datetime.UTC).date().isoformat(),
        license=_licence(graph, licence),
        keywords=", ".join(experiment.keys),
        conformsTo=conforms,
    )
    graph.add_file(
        EXPERIMENT,
        name="Document of the experiment",
        description="The experiment as bioimageit_core keeps it; every data and run has such a document beside it",
        encodingFormat="application/json",
    )
    return {data.uuid: found for dataset in packed.datasets for data, found in _describe_dataset(graph, dataset)}


def person(graph: Graph, name: str) -> Reference | None:
    """Describe somebody by name; None where there is no name."""
    return graph.add(identifier("person", name), "Person", name=name) if name else None


def text_of(value: Any) -> str:
    """Write a value as text, as JSON where it is none."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def instant(text: str) -> str:
    """Write a point in time as the profiles want it: ISO 8601 with the offset in figures.

    Examples
    --------
    >>> instant("2026-11-22T21:40:55.245Z"), instant("2026-11-22"), instant("last week")
    ('2026-11-22T21:40:55.245+00:00', '2026-11-22', '')
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return ""
    if "T" not in text and " " not in text:
        return moment.date().isoformat()
    return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).isoformat(timespec="milliseconds")


def _organization(graph: Graph, text: str) -> Reference | None:
    name, _, url = text.strip().rpartition(" ")
    if not url.startswith(("https://", "http://")):
        name, url = text.strip(), ""
    return graph.add(url or identifier("organization", name), "Organization", name=name, url=url) if name else None


def _licence(graph: Graph, licence: str) -> Reference:
    if not licence:
        description = "Whoever made this crate stated no licence: ask the author before you use what is in it."
        return graph.add(identifier("no-licence"), "CreativeWork", name="No licence stated", description=description)
    if licence.startswith(("https://", "http://")):
        return graph.add(licence, "CreativeWork", name=licence, url=licence)
    if _SPDX.fullmatch(licence):
        url = f"https://spdx.org/licenses/{licence}"
        return graph.add(url, "CreativeWork", name=licence, identifier=licence, url=url)
    return graph.add(identifier("licence"), "CreativeWork", name=licence)


def _describe_dataset(graph: Graph, dataset: PackedDataset) -> list[tuple[Any, Reference]]:
    described = [(packed.data, _describe_data(graph, packed)) for packed in dataset.data]
    graph.add_directory(
        f"{dataset.folder}/",
        name=dataset.name,
        description="Imported data with annotations" if dataset.is_raw else "Results of runs of tools",
        identifier=f"urn:uuid:{dataset.dataset.uuid}",
        hasPart=[found for _, found in described],
    )
    return described


def _describe_data(graph: Graph, packed: PackedData) -> Reference:
    data = packed.data
    pairs = data.key_value_pairs if isinstance(data, RawData) else {}
    about: dict[str, Any] = {
        "name": data.name,
        "identifier": f"urn:uuid:{data.uuid}",
        "author": person(graph, data.author),
        "dateCreated": instant(data.date),
        "sdDatePublished": instant(data.date) if packed.is_referenced else "",
        "sha256": packed.sha256,
        "contentSize": str(packed.size),
        "description": "" if isinstance(data, RawData) else data.output.get("label", ""),  # type: ignore[attr-defined]
        "additionalProperty": [
            *(_annotation(graph, key, value) for key, value in pairs.items() if value != ""),
            *_image_facts(graph, data.metadata if isinstance(data, RawData) else {}),
        ],
    }
    if packed.is_directory:
        return graph.add_directory(f"{packed.path.rstrip('/')}/", **about)
    return graph.add_file(packed.path, encodingFormat=media_type(packed.path), **about)


def _annotation(graph: Graph, key: str, value: Any) -> Reference:
    """Describe a key-value pair, once for all data that have it."""
    return graph.add(identifier("annotation", key, text_of(value)), "PropertyValue", name=key, value=text_of(value))


def _image_facts(graph: Graph, said: dict[str, Any]) -> list[Reference]:
    """Describe what an image says of itself, sizes with their units."""
    found = []
    for key in IMAGE_KEYS:
        if key.endswith("Unit") or not told(said.get(key)):
            continue
        value, unit = told(said[key]), told(said.get(f"{key}Unit"))
        about = identifier("image", key, value, *([unit] if unit else []))
        found.append(graph.add(about, "PropertyValue", name=key, value=value, unitText=unit))
    return found
