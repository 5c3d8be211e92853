"""Whole documents on a remote filesystem: created only where there is none, changed only from what they are.

S3 has conditional writes (``If-None-Match``, ``If-Match``), which need no lock. SFTP has a rename that does not
replace, and so an atomic creation; for a change a lease is taken: a file of ours that only one can create, given up
after the few requests that a change takes, and broken by whoever has seen it unchanged for half a minute. Other
filesystems get the lease for both, by their exclusive creation, which is as atomic as the filesystem makes it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bioimageit_core.core.paths import join, parent
from bioimageit_core.plugins.store.files import Changed
from bioimageit_core.plugins.store.remote import MEMORY, OBJECT_STORES, Systems, is_taken, make_dirs, protocol_of

__all__ = ["create", "lease", "move_new", "replace", "swap", "version_of"]

_S3 = {"s3", "s3a"}
_SFTP = {"sftp", "ssh"}
_RENAMES = 5
_BROKEN_AFTER = 30.0  # seconds without a sign from the lease's owner
_GIVE_UP_AFTER = 300.0


def version_of(system: Any, path: str) -> str | None:
    """Return what a conditional write can ask for; None where the content has to say it."""
    return str(system.info(path)["ETag"]) if _is_s3(system) else None


def _is_s3(system: Any) -> bool:
    protocol = system.protocol
    return bool(_S3 & ({protocol} if isinstance(protocol, str) else set(protocol)))


def create(systems: Systems, uri: str, content: bytes, temp: str) -> None:
    """Write a file where there is none; else raise FileExistsError."""
    protocol = protocol_of(uri)
    if protocol in _S3:
        try:
            systems.call(uri, lambda: _pipe(systems, uri, content, mode="create"))
        except OSError as error:
            _settle(systems, uri, content, error, FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), uri))
    elif protocol == "memory":
        with MEMORY:
            _refuse_if_there(systems, uri)
            systems.call(uri, lambda: _pipe(systems, uri, content))
    elif protocol in OBJECT_STORES:
        systems.call(uri, lambda: _pipe(systems, uri, content, mode="create"))
    else:
        sibling = _sibling(systems, uri, content, temp)
        try:
            systems.call(uri, lambda: move_new(systems, sibling, uri, temp))
        except OSError:
            with contextlib.suppress(OSError):
                systems.call(sibling, lambda: _remove(systems, sibling))
            raise


def _settle(systems: Systems, uri: str, content: bytes, error: OSError, refused: OSError) -> None:
    """Raise, unless it was our own write that the condition met: its answer got lost and the client tried again."""
    known = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if not isinstance(error, FileExistsError) and not is_taken(known):
        raise error
    if systems.call(uri, lambda: _read(systems, uri)) != content:
        raise refused from error


def swap(systems: Systems, uri: str, content: bytes, temp: str, expected: str) -> None:
    """Replace a file that still has the version `expected`; else raise `Changed`."""
    protocol = protocol_of(uri)
    refused = Changed(errno.EBUSY, "was changed meanwhile", uri)
    if protocol in _S3:
        try:
            systems.call(uri, lambda: _pipe(systems, uri, content, IfMatch=expected))
        except OSError as error:
            _settle(systems, uri, content, error, refused)
        return
    with MEMORY if protocol == "memory" else lease(systems, temp):
        if hashlib.sha256(systems.call(uri, lambda: _read(systems, uri))).hexdigest() != expected:
            raise refused
        replace(systems, uri, content, temp)


def replace(systems: Systems, uri: str, content: bytes, temp: str) -> None:
    """Write a file, whatever is there."""
    if protocol_of(uri) in OBJECT_STORES:
        systems.call(uri, lambda: _pipe(systems, uri, content))
        return
    sibling = _sibling(systems, uri, content, temp or parent(uri))
    system, path = systems.at(uri)
    try:
        systems.call(uri, lambda: _rename(systems, sibling, uri))
    except FileNotFoundError:
        make_dirs(system, parent(path))
        systems.call(uri, lambda: _rename(systems, sibling, uri))


def _rename(systems: Systems, uri: str, target: str) -> None:
    system, path = systems.at(uri)
    _, to = systems.at(target)
    try:
        system.mv(path, to)
    except OSError:
        if not system.exists(path) or not system.exists(to):
            raise
        system.rm_file(to)  # not every server replaces
        system.mv(path, to)


def move_new(systems: Systems, uri: str, target: str, temp: str) -> None:
    """Rename a file or directory of ours to where nothing is.

    Raises
    ------
    FileExistsError
        Something is there; what was to be moved stays.
    """
    system, path = systems.at(uri)
    _, to = systems.at(target)
    if protocol_of(uri) not in _SFTP:
        with lease(systems, temp):
            _refuse_if_there(systems, target)
            make_dirs(system, parent(to))
            system.mv(path, to)
        return
    for attempt in range(_RENAMES):
        try:
            system.ftp.rename(path, to)  # refuses to replace, as SSH_FXP_RENAME has to
        except FileNotFoundError:
            if attempt or not system.exists(path):
                raise
            make_dirs(system, parent(to))
        except OSError as error:  # the protocol has no word for what is the matter
            if system.exists(to):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from error
            if attempt == _RENAMES - 1:
                raise
        else:
            return


def _refuse_if_there(systems: Systems, uri: str) -> None:
    system, path = systems.at(uri)
    if systems.call(uri, lambda: system.exists(path)):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), uri)


def _sibling(systems: Systems, uri: str, content: bytes, temp: str) -> str:
    sibling = join(temp or parent(uri), f"{uuid.uuid4().hex}.part")

    def write() -> None:
        system, path = systems.at(sibling)
        try:
            system.pipe_file(path, content)
        except FileNotFoundError:
            make_dirs(system, parent(path))
            system.pipe_file(path, content)

    systems.call(sibling, write)
    return sibling


def _pipe(systems: Systems, uri: str, content: bytes, **options: Any) -> None:
    system, path = systems.at(uri)
    system.pipe_file(path, content, **options)


def _remove(systems: Systems, uri: str) -> None:
    system, path = systems.at(uri)
    system.rm_file(path)


def _read(systems: Systems, uri: str) -> bytes:
    system, path = systems.at(uri)
    return bytes(system.cat_file(path))


@contextmanager
def lease(systems: Systems, temp: str) -> Iterator[None]:
    """Be the only one who changes documents below an experiment, for a moment."""
    uri, token = join(parent(temp), "lease"), uuid.uuid4().hex.encode()
    seen, since, started = b"", time.monotonic(), time.monotonic()
    while not _acquired(systems, uri, token):
        owner = b""
        with contextlib.suppress(FileNotFoundError):
            owner = systems.call(uri, lambda: _read(systems, uri))
        now = time.monotonic()
        if owner != seen:
            seen, since = owner, now
        elif owner and now - since > _BROKEN_AFTER:  # its owner is no more
            _give_up(systems, uri, owner)
        if now - started > _GIVE_UP_AFTER:
            raise OSError(errno.EBUSY, "is always held by others; remove it if no program writes there", uri)
        time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - who waits how long
    try:
        yield
    finally:
        _give_up(systems, uri, token)


def _acquired(systems: Systems, uri: str, token: bytes) -> bool:
    try:
        if protocol_of(uri) in _SFTP:
            create(systems, uri, token, parent(uri))
        else:
            system, path = systems.at(uri)
            make_dirs(system, parent(path))
            with system.open(path, "xb") as file:
                file.write(token)
    except FileExistsError:
        return False
    return True


def _give_up(systems: Systems, uri: str, token: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        if systems.call(uri, lambda: _read(systems, uri)) == token:
            systems.call(uri, lambda: _remove(systems, uri))
