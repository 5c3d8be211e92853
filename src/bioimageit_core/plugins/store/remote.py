"""Remote filesystems by URI: connected when needed, again when a connection was lost; their errors made `OSError`."""

from __future__ import annotations

import contextlib
import errno
import functools
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from bioimageit_core.core.paths import simplify_path
from bioimageit_core.core.secrets import find_secrets, mask

__all__ = ["MEMORY", "OBJECT_STORES", "Systems", "is_taken", "make_dirs", "protocol_of", "told"]

R = TypeVar("R")

_HOSTED = {"sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs", "http", "https", "dav", "davs", "webdav"}
"""Protocols whose URLs name a host before the path."""
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "memory"}
"""Protocols that write an object as a whole or not at all, and whose clients try again by themselves."""
_PLAIN = {"sftp", "ssh", "ftp", "smb"}
_LOST = {"SSHException", "ChannelException", "NoValidConnectionsError", "HTTPClientError", "ServerDisconnectedError"}
_REFUSED = {"AuthenticationException", "BadHostKeyException"}
_TRIES = 4
MEMORY = threading.RLock()
"""memory:// is one per process and minds no threads, so this is its lock."""
_FIRST_WAIT = 0.2  # seconds; doubled each time


def protocol_of(uri: str) -> str:
    """Return the scheme of a URI, ``''`` for a local path."""
    return uri.partition("://")[0] if "://" in uri else ""


def make_dirs(system: Any, path: str) -> None:
    """Make a directory and its parents; another process may be doing the same."""
    for attempt in range(5):
        try:
            system.makedirs(path, exist_ok=True)
        except OSError:
            if attempt == 4:
                raise
            if not system.isdir(path):
                time.sleep(0.01)
                continue
        return


def is_taken(error: BaseException) -> bool:
    """Say whether a conditional write was refused because its condition does not hold, or is being decided."""
    cause = error.__cause__
    response = getattr(cause, "response", None) or {}
    code = response.get("Error", {}).get("Code", "")
    return code in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class Systems:
    """The filesystems that URIs belong to.

    Parameters
    ----------
    options
        What fsspec gets to make each; what is left out comes from where the client looks.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._secrets = find_secrets(self._options)
        self._shared: dict[str, Any] = {}
        self._of_thread = threading.local()  # connections, which are not made for several threads at once
        self._guard = threading.RLock()
        self._passwords: dict[str, str] = {}

    def absolute(self, uri: str) -> str:
        """Return the one spelling of a URI; a password in it is remembered, and left out."""
        protocol = protocol_of(uri)
        if protocol in _HOSTED and "@" in uri.split("/")[2]:
            parts = urlsplit(uri)
            if parts.password:
                user, password = parts.username or "", unquote(parts.password)
                host = uri.split("/")[2].rpartition("@")[2]
                with self._guard:
                    self._passwords[f"{user}@{host}"] = password
                    self._secrets |= {password, parts.password}
                uri = uri.replace(uri.split("/")[2], f"{user}@{host}", 1)
        return simplify_path(uri).rstrip("/")

    def at(self, uri: str) -> tuple[Any, str]:
        """Return the filesystem of a URI and the path there."""
        key, made = self._key(uri), self._made(uri)
        system = made.get(key)
        if system is None:
            system = made[key] = self._make(uri)
        if "?versionId=" in uri:
            raise OSError(errno.EINVAL, "cannot be the name of an object", uri)
        if protocol_of(uri) in _PLAIN:  # where fsspec would take ? and # in a name for a query and a fragment
            return system, "/" + "/".join(uri.split("/")[3:])
        return system, str(system._strip_protocol(uri))  # noqa: SLF001 - fsspec's own way to do so

    def _made(self, uri: str) -> dict[str, Any]:
        if protocol_of(uri) not in _HOSTED:
            return self._shared
        if not hasattr(self._of_thread, "made"):
            self._of_thread.made = {}
        made: dict[str, Any] = self._of_thread.made
        return made

    def _key(self, uri: str) -> str:
        protocol = protocol_of(uri)
        return f"{protocol}://{uri.split('/')[2]}" if protocol in _HOSTED else protocol

    def _make(self, uri: str) -> Any:
        import fsspec

        protocol = protocol_of(uri)
        try:
            kind = fsspec.get_filesystem_class(protocol)
        except (ValueError, ImportError) as error:
            raise OSError(errno.EPROTONOSUPPORT, f"{protocol}: {error}".replace("\n", " ")) from error
        named = kind._get_kwargs_from_urls(uri) if protocol in _HOSTED else {}  # noqa: SLF001 - as above
        if password := self._passwords.get(uri.split("/")[2]):
            named["password"] = password
        options = {"use_listings_cache": False} if protocol in OBJECT_STORES else {}
        if protocol in _HOSTED:  # not from fsspec's own store of instances: a lost connection would stay there
            options["skip_instance_cache"] = True
        return kind(**{**options, **self._options, **named})

    def forget(self, uri: str) -> None:
        """Connect anew the next time."""
        self._made(uri).pop(self._key(uri), None)

    def call(self, uri: str, operation: Callable[[], R]) -> R:
        """Run an operation that can be repeated; again if the connection was lost, with a growing pause.

        Raises
        ------
        OSError
            Whatever the client raised, in one line and without secrets.
        """
        for attempt in range(_TRIES):
            try:
                with MEMORY if protocol_of(uri) == "memory" else contextlib.nullcontext():
                    return operation()
            except FileExistsError:
                raise
            except Exception as error:  # clients raise what they like
                if attempt == _TRIES - 1 or not self._is_passing(uri, error):
                    raise self._as_oserror(error, uri) from error
                self.forget(uri)
                time.sleep(_FIRST_WAIT * 2**attempt * random.uniform(0.5, 1))  # noqa: S311 - only a pause
        raise AssertionError

    def _is_passing(self, uri: str, error: BaseException) -> bool:
        if protocol_of(uri) in OBJECT_STORES:
            return False
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & _REFUSED:
            return False
        is_closed = isinstance(error, OSError) and error.errno is None and "closed" in str(error).lower()
        return is_closed or isinstance(error, ConnectionError | TimeoutError | EOFError) or bool(kinds & _LOST)

    def _as_oserror(self, error: BaseException, uri: str) -> OSError:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = " ".join(mask(text or type(error).__name__, self._secrets).split())[:500]
        if isinstance(error, PermissionError):
            return PermissionError(errno.EACCES, f"access denied: {text}", uri)
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(errno.ENOENT, text, uri)
        if isinstance(error, OSError):
            raised = type(error) if type(error).__module__ == "builtins" else OSError
            told = raised(error.errno or errno.EIO, text, uri)
            told.__cause__ = error.__cause__
            return told
        return OSError(errno.EIO, f"{type(error).__name__}: {text}", uri)


def told(method: Callable[..., R]) -> Callable[..., R]:
    """Let a method of a class with `systems`, whose first argument is a URI, run in `Systems.call`."""

    @functools.wraps(method)
    def wrapped(self: Any, uri: str, *args: Any, **kwargs: Any) -> R:
        return self.systems.call(uri, lambda: method(self, uri, *args, **kwargs))  # type: ignore[no-any-return]

    return wrapped
