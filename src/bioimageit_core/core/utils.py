"""Dates and identities; the module's name is part of the published contract."""

from __future__ import annotations

import datetime
import os

__all__ = ["format_date", "generate_uuid"]

_RANDOM = ~(0xF000 << 64 | 0xC000 << 48)
_VERSION_4 = 4 << 76 | 0x8000 << 48


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
    # as uuid.uuid4 does, without an object in between
    text = f"{int.from_bytes(os.urandom(16), 'big') & _RANDOM | _VERSION_4:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
