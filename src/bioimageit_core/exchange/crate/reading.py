"""Take the experiment of a crate into a home: the same in every field, identity and byte.

A crate of ours is a folder that LOCAL reads, so that it is taken in as from any other home; before that every file is
compared with the size and SHA-256 that the crate's metadata state.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.core.observer import Observer
from bioimageit_core.core.paths import is_within
from bioimageit_core.exchange.content import digest
from bioimageit_core.exchange.crate.opening import UnsafeCrateError, opened, read_graph
from bioimageit_core.exchange.transfer import TransferReport, transfer_experiment
from bioimageit_core.jobs.selection import iterate_data
from bioimageit_core.plugins.data_local import LocalMetadataService
from bioimageit_core.plugins.store.layout import EXPERIMENT

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService

__all__ = ["experiment_of_crate", "read_crate"]

_KINDS = {"File", "Dataset"}


def read_crate(
    crate: str,
    target: DataService,
    destination: str,
    *,
    trusted: Sequence[str] = (),
    dry_run: bool = False,
    observers: Sequence[Observer] = (),
) -> TransferReport:
    """Take the experiment of a crate into a home.

    Parameters
    ----------
    crate
        A folder or ZIP file that `writing.write_crate` made.
    destination
        The workspace in the home.
    trusted
        Folders that files may be referenced in; all else outside of the crate is refused.

    Raises
    ------
    UnsafeCrateError
        The crate reaches outside of itself, or a file is not what the metadata say.
    DataServiceError
        It holds no experiment, or a record or file cannot be read or written.
    """
    with opened(crate) as folder:
        source, experiment = experiment_of_crate(folder, crate, trusted)
        return transfer_experiment(experiment, source, target, destination, dry_run=dry_run, observers=observers)


def experiment_of_crate(folder: Path, crate: str, trusted: Sequence[str] = ()) -> tuple[DataService, Experiment]:
    """Check an opened crate, and give its experiment with the service that reads it."""
    if not (folder / EXPERIMENT).is_file():
        raise DataServiceError(
            f"{crate!r} holds no experiment of this software ({EXPERIMENT} is missing); its files can be imported"
            " with 'bioimageit import'"
        )
    places = [os.path.realpath(os.path.expanduser(place)) for place in trusted]
    stated = dict(_stated(read_graph(folder), folder, crate, places))
    service = LocalMetadataService(trusted_dirs=places, durable=False)
    experiment = service.get_experiment(str(folder / EXPERIMENT))
    for info in (experiment.raw_dataset, *experiment.processed_datasets):
        for data in iterate_data(service, service.get_dataset(info.url), info is experiment.raw_dataset):
            path = os.path.realpath(data.uri)
            if not is_within(path, os.path.realpath(folder)):
                _check_trusted(path, data.name, crate, places)
            if path not in stated:
                raise UnsafeCrateError(crate, data.name, "is not among the files that the metadata describe")
            _compare(path, stated[path], crate)
    return service, experiment


def _stated(
    graph: dict[str, dict[str, Any]], folder: Path, crate: str, trusted: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the path of each file and directory that the metadata name, with what they say of it."""
    root = os.path.realpath(folder)
    for id_, entity in graph.items():
        types = entity.get("@type", [])
        if id_.startswith("#") or not _KINDS.intersection(types if isinstance(types, list) else [types]):
            continue
        parts = urlsplit(id_)
        if parts.scheme == "file" and not parts.netloc:
            path = os.path.realpath(unquote(parts.path))
            _check_trusted(path, id_, crate, trusted)
        elif parts.scheme or parts.netloc:
            raise UnsafeCrateError(crate, id_, "is a URL; only files that are in the crate are taken in")
        else:
            path = os.path.realpath(os.path.join(root, unquote(parts.path)))
            if not is_within(path, root):
                raise UnsafeCrateError(crate, id_, "leads out of the crate")
        yield path, entity


def _check_trusted(path: str, member: str, crate: str, trusted: Sequence[str]) -> None:
    if not any(is_within(path, place) for place in trusted):
        reason = f"lies outside of it, at {path!r}; say that you trust its folder to have it taken in"
        raise UnsafeCrateError(crate, member, reason)


def _compare(path: str, said: dict[str, Any], crate: str) -> None:
    if not os.path.exists(path):
        raise DataServiceError(f"the crate {crate!r} lacks {os.path.basename(path)!r}")
    sha256, size = digest(path)
    if (said.get("sha256"), said.get("contentSize")) != (sha256, str(size)):
        reason = f"has {size} bytes with SHA-256 {sha256}, the metadata say {said.get('contentSize')} and"
        raise UnsafeCrateError(crate, os.path.basename(path), f"{reason} {said.get('sha256')}")
