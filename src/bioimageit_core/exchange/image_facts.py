"""What images say of themselves, as others are told it: in the words of the OME data model, one text for each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioimageit_core.exchange.tables.cells import text_of

__all__ = ["IMAGE_KEYS", "told"]

IMAGE_KEYS = (
    *(f"Size{axis}" for axis in "XYZCT"),
    *(f"PhysicalSize{axis}{unit}" for axis in "XYZ" for unit in ("", "Unit")),
    "TimeIncrement",
    "TimeIncrementUnit",
    "ChannelNames",
    "AcquisitionDate",
    "Objective",
)
"""Those of the keys of a raw data's metadata that an import fills in and that are of use to others."""


def told(value: Any) -> str:
    """Write a value for people: the parts of a list or mapping one after the other.

    Examples
    --------
    >>> told(["DAPI", "GFP"]), told({"Model": "Plan Apo", "LensNA": 1.4}), told(0.25), told(None)
    ('DAPI, GFP', 'Model Plan Apo, LensNA 1.4', '0.25', '')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {told(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(told, value))
    return text_of(value)
