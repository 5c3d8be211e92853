"""Pages of what a query selects, from any service."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from bioimageit_core.api.services import Services
from bioimageit_core.containers import Container, RawData
from bioimageit_core.core.exceptions import DataQueryError, NotFoundError
from bioimageit_core.plugins.pages import DataPage

if TYPE_CHECKING:
    from bioimageit_core.containers import Data, DatasetInfo, Experiment
    from bioimageit_core.plugins.abilities import PagesData

__all__ = ["PagingRequests"]

_MOST_READ = 1000  # data at once, of those that are not shown
_KEPT = 16  # selections that are remembered between two pages


class PagingRequests(Services):
    """The part of `Request` for those who show a dataset piece by piece."""

    def query_page(
        self,
        experiment: Experiment,
        dataset_name: str,
        query: str = "",
        origin_output_name: str = "",
        *,
        cursor: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> DataPage:
        """Read a part of what a query selects, in the dataset's order.

        A service that pages by itself is asked; of another the selection is remembered, so that only the first page
        costs what the whole costs.

        Parameters
        ----------
        cursor
            Of the page before; empty for the first.
        offset
            How many to skip first, >= 0, so that what stands far behind needs no pages before it.

        Raises
        ------
        DataQueryError
            The query or the cursor cannot be understood.
        NotFoundError
            The experiment has no such dataset.
        """
        from bioimageit_core.plugins.abilities import PagesData
        from bioimageit_core.plugins.structure import takes

        info = _info_of(experiment, dataset_name)
        service = self.data_service
        limit, offset = max(limit, 1), max(offset, 0)  # services may be older than offsets
        if isinstance(service, PagesData):
            asked = (Container(info.url, info.uuid), query, origin_output_name)
            if not offset:
                return service.query_page(*asked, cursor, limit)
            if takes(service.query_page, 6):
                return service.query_page(*asked, cursor, limit, offset)
            return _read_past(service, asked, cursor, limit, offset)
        return self._remembered_page(info, (info.url, query, origin_output_name), cursor, limit, offset)

    def list_values(self, experiment: Experiment, key: str, prefix: str = "", limit: int = 100) -> list[str]:
        """List distinct values of an annotation key that begin with `prefix`, sorted, at most `limit`."""
        from bioimageit_core.core.query_values import has_value
        from bioimageit_core.jobs.selection import select_data
        from bioimageit_core.plugins.abilities import ListsValues

        service, info = self.data_service, experiment.raw_dataset
        if isinstance(service, ListsValues):
            return service.list_values(Container(info.url, info.uuid), key, prefix, limit)
        found = {
            str(value)
            for data in select_data(service, service.get_dataset(info.url))
            if isinstance(data, RawData) and has_value(value := data.key_value_pairs.get(key))
        }
        return sorted(text for text in found if text.startswith(prefix))[:limit]

    def _remembered_page(
        self, info: DatasetInfo, wanted: tuple[str, str, str], cursor: str, limit: int, offset: int
    ) -> DataPage:
        if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 18):
            raise DataQueryError(f"{cursor[:40]!r} is no cursor of this dataset")
        start = int(cursor or 0) + offset
        is_first = not cursor and offset == 0
        selected = self._selected(info, wanted, is_first=is_first)
        data: list[Data] = []
        for md_uri, is_raw in selected[start : start + limit]:
            read = self.data_service.get_raw_data if is_raw else self.data_service.get_processed_data
            data.append(read(md_uri))
        following = start + limit
        return DataPage(data, str(following) if following < len(selected) else "", len(selected) if is_first else None)

    def _selected(self, info: DatasetInfo, wanted: tuple[str, str, str], *, is_first: bool) -> list[tuple[str, bool]]:
        from bioimageit_core.jobs.selection import select_data

        selections: OrderedDict[tuple[str, str, str], list[tuple[str, bool]]]
        lock: threading.Lock
        selections, lock = self.__dict__.setdefault("_selections", (OrderedDict(), threading.Lock()))
        with lock:
            if not is_first and wanted in selections:
                selections.move_to_end(wanted)
                return selections[wanted]
        _, query, output = wanted
        dataset = self.data_service.get_dataset(info.url)
        found = [(data.md_uri, data.type == "raw") for data in select_data(self.data_service, dataset, query, output)]
        with lock:
            selections[wanted] = found
            while len(selections) > _KEPT:
                selections.popitem(last=False)
        return found


def _info_of(experiment: Experiment, name: str) -> DatasetInfo:
    infos = [experiment.raw_dataset, *experiment.processed_datasets]
    for info in infos:
        if info.name == name:
            return info
    if name == "data":
        return experiment.raw_dataset
    raise NotFoundError("dataset", f"{name} in experiment {experiment.name}")


def _read_past(service: PagesData, asked: tuple[Container, str, str], cursor: str, limit: int, offset: int) -> DataPage:
    """Ask a service that cannot skip: what stands before is read, and left."""
    while offset > 0:
        page = service.query_page(*asked, cursor, min(offset, _MOST_READ))
        offset -= len(page.data)
        cursor = page.cursor
        if not cursor or not page.data:
            return DataPage([], "", None)
    return service.query_page(*asked, cursor, limit)
