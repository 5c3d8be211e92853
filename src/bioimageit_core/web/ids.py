"""Ids in URLs: what they stand for is encrypted, so that a client can name nothing that it was not shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Literal

from bioimageit_core.core.exceptions import NotFoundError

__all__ = ["Ids", "Kind", "Reference"]

Kind = Literal["experiment", "dataset", "raw_dataset", "raw", "processed", "run"]
_LETTERS: dict[str, Kind] = {
    "e": "experiment",
    "d": "dataset",
    "a": "raw_dataset",
    "r": "raw",
    "p": "processed",
    "u": "run",
}
_LETTER_OF = {kind: letter for letter, kind in _LETTERS.items()}


@dataclass(frozen=True)
class Reference:
    """What an id stands for.

    Attributes
    ----------
    experiment
        ``md_uri`` of the experiment that the record belongs to.
    """

    kind: Kind
    md_uri: str
    experiment: str


class Ids:
    """Makes ids of ``md_uri``s and reads them, by AES-SIV (RFC 5297): the same record has the same id always.

    Parameters
    ----------
    secret
        64 bytes.

    Examples
    --------
    >>> ids = Ids(b"x" * 64)
    >>> ids.read(ids.make("raw", "/w/e/data/a.md.json", "/w/e/experiment.md.json")).md_uri
    '/w/e/data/a.md.json'
    """

    def __init__(self, secret: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        self._cipher = AESSIV(hashlib.sha512(b"ids\0" + secret).digest())

    def make(self, kind: Kind, md_uri: str, experiment: str) -> str:
        """Return the id of a record of an experiment."""
        same = _count_same(md_uri, experiment)
        text = f"{_LETTER_OF[kind]}{same}:{experiment}\0{md_uri[same:]}".encode("utf-8", "surrogateescape")
        return base64.urlsafe_b64encode(self._cipher.encrypt(text, None)).decode("ascii").rstrip("=")

    def read(self, id_: str, *kinds: Kind) -> Reference:
        """Return what an id stands for.

        Raises
        ------
        NotFoundError
            The server made no such id, or it stands for something else than one of `kinds`.
        """
        from cryptography.exceptions import InvalidTag

        try:
            sealed = base64.b64decode(id_ + "=" * (-len(id_) % 4), altchars=b"-_", validate=True)
            text = self._cipher.decrypt(sealed, None).decode("utf-8", "surrogateescape")
        except (binascii.Error, ValueError, InvalidTag):
            raise NotFoundError(_said(kinds), id_[:80]) from None
        head, _, rest = text.partition(":")
        experiment, _, tail = rest.partition("\0")
        kind = _LETTERS[head[0]]
        if kinds and kind not in kinds:
            raise NotFoundError(_said(kinds), id_[:80])
        return Reference(kind, experiment[: int(head[1:])] + tail, experiment)


def _count_same(one: str, other: str) -> int:
    """Count the characters that two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _said(kinds: tuple[Kind, ...]) -> str:
    return "record" if not kinds else "data" if "raw" in kinds else kinds[0]
