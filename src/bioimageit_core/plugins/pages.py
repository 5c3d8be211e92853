"""A part of what a query selects, and where to go on."""

from __future__ import annotations

from dataclasses import dataclass, field

from bioimageit_core.containers import Data

__all__ = ["DataPage"]


@dataclass(frozen=True)
class DataPage:
    """Some data of a dataset, in its order.

    Attributes
    ----------
    cursor
        What to give for the data after these; empty where there are none.
    total
        How many data the query selects in all; told with the first page only, nothing skipped.
    """

    data: list[Data] = field(default_factory=list)
    cursor: str = ""
    total: int | None = None
