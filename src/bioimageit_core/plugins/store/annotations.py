"""Annotations of many data at once: every document is read and written once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError, DocumentError
from bioimageit_core.core.json_text import decode, encode
from bioimageit_core.core.records import Document
from bioimageit_core.plugins.store.documents import Documents

__all__ = ["Annotated", "annotate"]

_BATCH = 512  # documents between two times that the journal is told
_THREADS = 4
_FEW = 64  # documents that one thread does alone


@dataclass(slots=True)
class Annotated:
    """A document that got other annotations: what was there, what is, and what an index wants to know of it."""

    md_uri: str
    old: dict[str, Any]
    new: dict[str, Any]
    before: object = None
    """Signature of what was read; None where that is not known."""
    signature: object = None
    content: bytes = b""


def annotate(documents: Documents, temp: str, pairs: Mapping[str, Mapping[str, Any]]) -> Iterator[list[Annotated]]:
    """Give data values by key, None for none; those that had them already are left as they are.

    Gives what was done batch by batch. Many are done by several threads, because replacing a file waits for the disk.
    To be called with the experiment's lock held.
    """
    from concurrent.futures import ThreadPoolExecutor

    wanted = iter(pairs.items())
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch := list(itertools.islice(wanted, _BATCH)):
            share = max(-(-len(batch) // _THREADS), _FEW)
            shares = [batch[start : start + share] for start in range(0, len(batch), share)]
            work = functools.partial(_annotate_some, documents, temp)
            results = list(pool.map(work, shares)) if len(shares) > 1 else [work(shares[0])]
            if done := [each for some, _ in results for each in some]:
                yield done
            for _, error in results:
                if error is not None:
                    raise error


def _annotate_some(
    documents: Documents, temp: str, pairs: Sequence[tuple[str, Mapping[str, Any]]]
) -> tuple[list[Annotated], Exception | None]:
    """Return what was done, and why not the rest."""
    done: list[Annotated] = []
    for md_uri, wanted in pairs:
        try:
            try:
                changed = _annotate_one(documents, temp, md_uri, wanted)
            except (OSError, DataServiceError):  # once more, with patience, and with words for what is the matter
                changed = _annotate_patiently(documents, temp, md_uri, wanted)
        except Exception as error:  # noqa: BLE001 - raised by `annotate`
            return done, error
        if changed is not None:
            done.append(changed)
    return done, None


def _annotate_one(documents: Documents, temp: str, md_uri: str, wanted: Mapping[str, Any]) -> Annotated | None:
    files = documents.files
    content, version = files.read_version(md_uri)
    document = decode(content, md_uri)
    stored = document.get("key_value_pairs")
    if not isinstance(stored, dict):
        raise DocumentError(md_uri, "has no annotations")
    old = {key: stored.get(key) for key, value in wanted.items() if stored.get(key) != value}
    if not old:
        return None
    new = {key: wanted[key] for key in old}
    for key, value in new.items():
        if value is None:
            stored.pop(key, None)
        else:
            stored[key] = value
    content = encode(document)
    signature = files.write(md_uri, content, temp, expected=version, sync=False)
    return Annotated(md_uri, old, new, version, signature, content)


def _annotate_patiently(documents: Documents, temp: str, md_uri: str, wanted: Mapping[str, Any]) -> Annotated | None:
    changed = documents.edit(md_uri, functools.partial(_with_pairs, pairs=wanted), temp, "raw data", sync=False)
    if changed is None:
        return None
    stored = changed[0].get("key_value_pairs", {})
    old = {key: stored.get(key) for key in wanted if stored.get(key) != wanted[key]}
    return Annotated(md_uri, old, {key: wanted[key] for key in old})


def _with_pairs(document: Document, pairs: Mapping[str, Any]) -> Document:
    merged = {**document.get("key_value_pairs", {}), **pairs}
    return {**document, "key_value_pairs": {key: value for key, value in merged.items() if value is not None}}
