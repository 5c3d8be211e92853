"""Which data are meant, and what they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bioimageit_core.containers import (
    METADATA_TYPE_RAW,
    Container,
    Data,
    Dataset,
    DatasetInfo,
    Experiment,
    ProcessedData,
    ProcessedDataInputContainer,
    RawData,
)
from bioimageit_core.core.exceptions import DocumentError, NotFoundError, UnknownNameError
from bioimageit_core.core.query import fields_of, parse_query
from bioimageit_core.plugins.contracts import QueriesData

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService

__all__ = [
    "Lineage",
    "dataset_of",
    "dataset_to_query",
    "get_origin",
    "get_parent",
    "iterate_data",
    "select_data",
    "select_each",
]

RAW_NAME = "data"


class Lineage:
    """What data were made from; reads each record once, so use one for a batch.

    A data is followed to its origin through the first of its inputs.
    """

    def __init__(self, data_service: DataService) -> None:
        self._service = data_service
        self._read: dict[str, Data] = {}
        self._origin_keys: dict[str, str] = {}

    def parent(self, data: Data) -> Data | None:
        """Read the first input of a data; None for raw data and data without inputs.

        Raises
        ------
        NotFoundError
            Its record is gone.
        """
        first = _first_input(data)
        return None if first is None else self._get(first)

    def ancestors(self, data: Data) -> Iterator[Data]:
        """Give the parent of a data, its parent, and so on.

        Raises
        ------
        DocumentError
            The chain leads back to itself.
        NotFoundError
            A record of the chain is gone.
        """
        seen = {_key(data)}
        parent = self.parent(data)
        while parent is not None:
            if _key(parent) in seen:
                raise DocumentError(data.md_uri, f"its inputs lead back to {parent.name or parent.uuid!r}", "$.origin")
            seen.add(_key(parent))
            yield parent
            parent = self.parent(parent)

    def origin(self, data: Data) -> RawData | None:
        """Read the raw data that a data comes from; `data` itself if it is raw, None if there is none."""
        if isinstance(data, RawData):
            return data
        chain = [data, *self.ancestors(data)]
        return chain[-1] if isinstance(chain[-1], RawData) else None

    def origin_key(self, data: Data) -> str:
        """Give the identity of the raw data that a data comes from, with as little reading as can be.

        Empty where there is none: no inputs, or a record on the way that is gone.
        """
        if data.type == METADATA_TYPE_RAW:
            return _key(data)
        first = _first_input(data)
        if first is None:
            return ""
        if first.type == METADATA_TYPE_RAW:
            return first.uuid or first.uri
        return self._followed(data)

    def _followed(self, data: Data) -> str:
        chain: list[str] = []
        current: Data | None = data
        key = ""
        while current is not None and _key(current) not in chain:
            known = self._origin_keys.get(_key(current))
            if known is not None:
                key = known
                break
            chain.append(_key(current))
            first = _first_input(current)
            if first is None:
                break
            if first.type == METADATA_TYPE_RAW:
                key = first.uuid or first.uri
                break
            try:
                current = self._get(first)
            except NotFoundError:
                break
        self._origin_keys.update(dict.fromkeys(chain, key))
        return key

    def _get(self, reference: ProcessedDataInputContainer) -> Data:
        data = self._read.get(reference.uri)
        if data is None:
            read = (
                self._service.get_raw_data if reference.type == METADATA_TYPE_RAW else self._service.get_processed_data
            )
            data = self._read[reference.uri] = read(reference.uri)
        return data


def get_parent(data_service: DataService, processed_data: ProcessedData) -> Data | None:
    """Read what a data was made from: its first input; None where it has none.

    Raises
    ------
    NotFoundError
        Its record is gone.
    """
    return Lineage(data_service).parent(processed_data)


def get_origin(data_service: DataService, processed_data: ProcessedData) -> RawData | None:
    """Read the raw data that a data comes from, following the first input of each; None where there is none.

    Raises
    ------
    DocumentError
        The chain leads back to itself.
    NotFoundError
        A record of the chain is gone.
    """
    return Lineage(data_service).origin(processed_data)


def dataset_of(data_service: DataService, experiment: Experiment, name: str) -> Dataset:
    """Read the dataset of a name; ``data`` is the raw one, whatever it is called.

    Raises
    ------
    NotFoundError
        The experiment has no dataset of that name; the message lists those it has.
    """
    return data_service.get_dataset(_info_of(experiment, name).url)


def dataset_to_query(data_service: DataService, experiment: Experiment, name: str) -> Dataset:
    """Return the dataset of a name for `select_data`: without its list where the service answers queries by itself.

    Raises
    ------
    NotFoundError
        The experiment has no dataset of that name; the message lists those it has.
    """
    if isinstance(data_service, QueriesData):
        info = _info_of(experiment, name)
        return Dataset(info.url, info.uuid, info.name)
    return dataset_of(data_service, experiment, name)


def _info_of(experiment: Experiment, name: str) -> DatasetInfo:
    for info in [experiment.raw_dataset, *experiment.processed_datasets]:
        if info.name == name:
            return info
    if name == RAW_NAME:
        return experiment.raw_dataset
    names = [RAW_NAME, *(info.name for info in experiment.processed_datasets)]
    raise UnknownNameError("dataset", name, f"experiment {experiment.name!r}", names)


def iterate_data(data_service: DataService, dataset: Dataset, is_raw: bool | None = None) -> Iterator[Data]:
    """Read the data of a dataset one by one, raw or processed.

    Parameters
    ----------
    is_raw
        Whether it is the raw dataset, where that is known; else its first data tells.
    """
    for entry in dataset.uris:
        if is_raw is None:
            data = _read_either(data_service, entry)
            is_raw = data.type == METADATA_TYPE_RAW
            yield data
        elif is_raw:
            yield data_service.get_raw_data(entry.md_uri)
        else:
            yield data_service.get_processed_data(entry.md_uri)


def select_data(
    data_service: DataService,
    dataset: Dataset,
    query: str = "",
    origin_output_name: str = "",
    *,
    lineage: Lineage | None = None,
) -> list[Data]:
    """Read the data of a dataset that a query selects, in the dataset's order.

    A service that answers queries by itself is asked; else every data is read. On processed data the annotations are
    those of the raw data that they come from.

    Parameters
    ----------
    origin_output_name
        Which output of the tool that made them; empty for all.

    Raises
    ------
    DataQueryError
        The query cannot be understood.
    """
    return list(select_each(data_service, dataset, query, origin_output_name, lineage=lineage))


def select_each(
    data_service: DataService,
    dataset: Dataset,
    query: str = "",
    origin_output_name: str = "",
    *,
    lineage: Lineage | None = None,
) -> Iterator[Data]:
    """Give what `select_data` returns, one by one, so that they need not be held all together."""
    condition = parse_query(query)
    if isinstance(data_service, QueriesData):
        yield from data_service.query_data(dataset, query, origin_output_name)
        return
    if lineage is None:
        lineage = Lineage(data_service)
    everything = not query.strip()
    for data in iterate_data(data_service, dataset):
        if origin_output_name and not _is_output(data, origin_output_name):
            continue
        if everything or condition.matches(fields_of(data, _origin_or_none(lineage, data))):
            yield data


def _origin_or_none(lineage: Lineage, data: Data) -> RawData | None:
    try:
        return lineage.origin(data)
    except NotFoundError:  # its origin was removed: it has no annotations, but it is still there
        return None


def _is_output(data: Data, name: str) -> bool:
    return isinstance(data, ProcessedData) and name in (data.output.get("name"), data.output.get("label"))


def _read_either(data_service: DataService, entry: Container) -> Data:
    try:
        data = data_service.get_raw_data(entry.md_uri)
    except Exception:  # noqa: BLE001 - services say in their own ways that a data is of the other kind
        return data_service.get_processed_data(entry.md_uri)
    # a service may read either kind without looking
    return data if data.type == METADATA_TYPE_RAW else data_service.get_processed_data(entry.md_uri)


def _first_input(data: Data) -> ProcessedDataInputContainer | None:
    inputs: list[ProcessedDataInputContainer] = getattr(data, "inputs", None) or []
    return inputs[0] if inputs else None


def _key(data: Data) -> str:
    return data.uuid or data.md_uri
