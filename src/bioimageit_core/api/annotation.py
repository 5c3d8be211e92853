"""Annotate the raw data of an experiment by a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioimageit_core.containers import Container, RawData
from bioimageit_core.jobs.selection import dataset_to_query, select_each
from bioimageit_core.plugins.abilities import AnnotatesData

if TYPE_CHECKING:
    from bioimageit_core.api.services import Services
    from bioimageit_core.containers import Dataset, Experiment

__all__ = ["Change", "annotate", "annotate_pairs", "annotate_selected", "write_changes"]


@dataclass(frozen=True, slots=True)
class Change:
    """A data that got another value.

    Attributes
    ----------
    before
        The value until now; empty where there was none.
    """

    md_uri: str
    name: str
    key: str
    before: str
    after: str


def annotate(
    services: Services, experiment: Experiment, key: str, find: Callable[[str], str | None], *, dry_run: bool
) -> list[Change]:
    """Give each raw data the value that `find` finds in its name; only what changes is written.

    All values are found before the first is written.
    """
    dataset = dataset_to_query(services.data_service, experiment, "data")
    changes = []
    for data in select_each(services.data_service, dataset):
        value = find(data.name)
        if value is not None and isinstance(data, RawData):
            changes.append(Change(data.md_uri, data.name, key, str(data.key_value_pairs.get(key) or ""), value))
    changes = [change for change in changes if change.before != change.after]
    if not dry_run:
        _add_key(services, experiment, key)
        write_changes(services, dataset, changes)
    return changes


def annotate_selected(
    services: Services, experiment: Experiment, values: Mapping[str, str], query: str, *, dry_run: bool
) -> list[Change]:
    """Give every raw data that a query selects the same values; only what changes is written."""
    dataset = dataset_to_query(services.data_service, experiment, "data")
    changes = [
        Change(data.md_uri, data.name, key, before, value)
        for data in select_each(services.data_service, dataset, query)
        if isinstance(data, RawData)
        for key, value in values.items()
        if (before := str(data.key_value_pairs.get(key) or "")) != value
    ]
    if not dry_run:
        for key in values:
            _add_key(services, experiment, key)
        write_changes(services, dataset, changes)
    return changes


def annotate_pairs(
    services: Services, experiment: Experiment, pairs: Mapping[str, Mapping[str, str | None]]
) -> tuple[str, int]:
    """Set and remove key-value pairs of raw data; return the name of the change and how many data it concerns."""
    service, info = services.data_service, experiment.raw_dataset
    for key in {key for values in pairs.values() for key, value in values.items() if value is not None}:
        _add_key(services, experiment, key)
    if pairs and isinstance(service, AnnotatesData):
        return service.annotate_data(Container(info.url, info.uuid), pairs) or "", len(pairs)
    for md_uri, values in pairs.items():
        data = service.get_raw_data(md_uri)
        data.key_value_pairs.update({key: value for key, value in values.items() if value is not None})
        for key in (key for key, value in values.items() if value is None):
            data.key_value_pairs.pop(key, None)
        service.update_raw_data(data)
    return "", len(pairs)


def write_changes(services: Services, dataset: Dataset, changes: Sequence[Change]) -> None:
    """Give raw data of one dataset their new values, all at once where the service can do that."""
    service = services.data_service
    by_data: dict[str, dict[str, str]] = {}
    for change in changes:
        by_data.setdefault(change.md_uri, {})[change.key] = change.after
    if by_data and isinstance(service, AnnotatesData):
        service.annotate_data(dataset, by_data)
        services.notify_observers(100, f"annotated {len(by_data)} data")
        return
    for number, (md_uri, values) in enumerate(by_data.items(), 1):
        data = service.get_raw_data(md_uri)
        data.key_value_pairs.update(values)
        service.update_raw_data(data)
        services.notify_observers(100 * number // len(by_data), f"annotate {data.name}")


def _add_key(services: Services, experiment: Experiment, key: str) -> None:
    if key not in experiment.keys:
        experiment.set_key(key)
        services.data_service.update_experiment(experiment)
