"""Annotations of many data at once: every document is read and written once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError, DocumentError
from bioimageit_core.core.json_text import decode, encode
from bioimageit_core.core.merge import same_json
from bioimageit_core.core.records import Document
from bioimageit_core.plugins.store.documents import Documents, guarded
from bioimageit_core.plugins.store.files import Write

__all__ = ["Annotated", "annotate"]

_BATCH = 512  # documents between two times that the journal is told
_THREADS = 2  # one waits for the disk while the other computes; more would contend for the interpreter
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
    later: list[tuple[str, Mapping[str, Any]]] = []  # once more, with patience, and with words for what is the matter
    made: list[Annotated] = []
    try:
        for md_uri, wanted in pairs:
            try:
                if (change := _annotation(documents, md_uri, wanted)) is not None:
                    made.append(change)
            except (OSError, DataServiceError):
                later.append((md_uri, wanted))
        writes = [Write(each.md_uri, each.content, each.before) for each in made]
        for change, written in zip(made, documents.files.write_together(writes, temp) if made else [], strict=True):
            if isinstance(written, OSError):
                later.append((change.md_uri, change.new))
            else:
                change.signature = written
                done.append(change)
        for md_uri, wanted in later:
            if (patient := _annotate_patiently(documents, temp, md_uri, wanted)) is not None:
                done.append(patient)
    except OSError as error:
        return done, guarded(error, "annotate")
    except Exception as error:  # noqa: BLE001 - raised by `annotate`
        return done, error
    return done, None


def _annotation(documents: Documents, md_uri: str, wanted: Mapping[str, Any]) -> Annotated | None:
    """Say what a document is to be; None where it is that already."""
    content, version = documents.files.read_version(md_uri)
    document = decode(content, md_uri)
    stored = document.get("key_value_pairs")
    if not isinstance(stored, dict):
        raise DocumentError(md_uri, "has no annotations")
    old = {key: stored.get(key) for key, value in wanted.items() if not same_json(stored.get(key), value)}
    if not old:
        return None
    new = {key: wanted[key] for key in old}
    for key, value in new.items():
        if value is None:
            stored.pop(key, None)
        else:
            stored[key] = value
    return Annotated(md_uri, old, new, version, None, encode(document))


def _annotate_patiently(documents: Documents, temp: str, md_uri: str, wanted: Mapping[str, Any]) -> Annotated | None:
    changed = documents.edit(md_uri, functools.partial(_with_pairs, pairs=wanted), temp, "raw data")
    if changed is None:
        return None
    stored = changed[0].get("key_value_pairs", {})
    old = {key: stored.get(key) for key in wanted if stored.get(key) != wanted[key]}
    return Annotated(md_uri, old, {key: wanted[key] for key in old})


def _with_pairs(document: Document, pairs: Mapping[str, Any]) -> Document:
    merged = {**document.get("key_value_pairs", {}), **pairs}
    return {**document, "key_value_pairs": {key: value for key, value in merged.items() if value is not None}}
