"""Dates and identities; the module's name is part of the published contract."""

from __future__ import annotations

import datetime
import uuid

__all__ = ["format_date", "generate_uuid"]


def format_date(date: str) -> str:
    """Return `date`, or today in ISO form (``YYYY-MM-DD``) for ``'now'``.

    Examples
    --------
    >>> format_date("2021-03-04")
    '2021-03-04'
    """
    if date == "now":
        return datetime.datetime.now().astimezone().date().isoformat()
    return date


def generate_uuid() -> str:
    """Make an identity that is unique everywhere (a random UUID, RFC 9562 version 4)."""
    return str(uuid.uuid4())
