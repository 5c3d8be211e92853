"""Rows of data."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from bioimageit_core.containers import Data, ProcessedData, RawData
from bioimageit_core.core.exceptions import DataServiceError

if TYPE_CHECKING:
    from bioimageit_core.cli.session import Session
    from bioimageit_core.containers import Experiment

__all__ = ["data_columns", "data_row"]

_RAW = ("name", "format", "date")
_PROCESSED = ("name", "format", "output", "made from")


def data_columns(experiment: Experiment, dataset: str) -> list[str]:
    """Name the columns of a dataset's table: what data have, then the experiment's keys."""
    is_raw = dataset == experiment.raw_dataset.name
    return [*(_RAW if is_raw else _PROCESSED), *experiment.keys]


def data_row(session: Session, data: Data, columns: list[str]) -> list[Any]:
    """Return a data's row; results have the annotations of the raw data that they come from."""
    if isinstance(data, ProcessedData):
        origin = parent = None
        with contextlib.suppress(DataServiceError):  # what it was made from was deleted, or cannot be read
            parent = session.request.get_parent(data)
            origin = session.request.get_origin(data)
        fixed = [data.name, data.format, data.output.get("name", ""), parent.name if parent else "?"]
    else:
        origin = data if isinstance(data, RawData) else None
        fixed = [data.name, data.format, data.date]
    values = origin.key_value_pairs if origin is not None else {}
    return [*fixed, *(values.get(key, "") for key in columns[len(fixed) :])]
