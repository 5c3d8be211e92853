"""What is asked of the server, and its problems as errors of ours."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

import httpx

from bioimageit_core.core.exceptions import (
    BioImageITError,
    ConflictError,
    DataQueryError,
    DataServiceError,
    DocumentError,
    FormatError,
    InvalidNameError,
    NotFoundError,
    UnsupportedError,
)

__all__ = ["API", "Connection"]

API = "/api/v1"
_CHUNK = 1024 * 1024


class Connection:
    """A server, asked by several threads.

    Parameters
    ----------
    url
        Where it is.
    token
        Who asks; empty where the server asks nobody who he is.
    transport
        What carries requests in place of the network.
    """

    def __init__(self, url: str, token: str, timeout: float, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(
            base_url=f"{self.url}{API}",
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=10.0),
            transport=transport or httpx.HTTPTransport(retries=2, verify=self.url.startswith("https:")),
        )
        self._has_token = bool(token)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def get(self, path: str, what: str = "record", uri: str = "", **parameters: Any) -> Any:
        """Return what is at a path, as JSON.

        Parameters
        ----------
        what, uri
            Said in the error where nothing is there.
        """
        return self._json("GET", path, what, uri, params=parameters)

    def send(
        self, method: str, path: str, body: Any = None, what: str = "record", uri: str = "", **parameters: Any
    ) -> Any:
        """Send JSON and return the answer."""
        # escaped: names of files may hold what UTF-8 cannot say
        content = json.dumps(body, allow_nan=False, default=_refuse).encode() if body is not None else None
        headers = {"Content-Type": "application/json"}
        return self._json(method, path, what, uri, content=content, headers=headers, params=parameters)

    def send_file(self, path: str, file: BinaryIO, **parameters: Any) -> Any:
        """Stream a file to the server and return the answer."""
        size = os.fstat(file.fileno()).st_size
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        return self._json("POST", path, "file", path, content=_parts(file), headers=headers, params=parameters)

    @contextlib.contextmanager
    def stream(self, path: str, what: str, uri: str) -> Iterator[httpx.Response]:
        """Give an answer whose body is read piece by piece."""
        with _told(self.url), self._client.stream("GET", path) as response:
            if response.status_code >= 400:
                response.read()
                raise _error_of(response, what, uri)
            yield response

    def _json(self, method: str, path: str, what: str, uri: str, **more: Any) -> Any:
        if method != "GET" and not self._has_token:
            self._take_csrf()
        with _told(self.url):
            response = self._client.request(method, path, **more)
            if response.status_code >= 400:
                raise _error_of(response, what, uri)
            try:
                return response.json()
            except ValueError as error:
                raise DataServiceError(f"{self.url} does not answer as a server of BioImageIT does") from error

    def _take_csrf(self) -> None:
        """Begin a session with a server that asks nobody who he is."""
        with self._lock:
            if "X-CSRF-Token" not in self._client.headers:
                with _told(self.url):
                    session = self._client.get("/session").json()
                self._client.headers["X-CSRF-Token"] = str(session.get("csrf") or "")


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell what goes wrong on the way."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise DataServiceError(f"{url} did not answer in time; see 'timeout' of the HTTP service") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DataServiceError(f"{url} cannot be reached: {error}") from error


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(_CHUNK):
        yield part


def _refuse(value: Any) -> Any:
    raise DataServiceError(f"{type(value).__name__} cannot be said in JSON: {value!r:.80}")


def _error_of(response: httpx.Response, what: str, uri: str) -> BioImageITError:
    """Return the error that a problem document (RFC 9457) tells of."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {response.status_code}")
    kind = str(problem.get("type", "")).rpartition(":")[2]
    if response.status_code == 404:
        return NotFoundError(what, uri)
    if response.status_code in (401, 403):
        return DataServiceError(f"{detail} (the token is in BIOIMAGEIT_HTTP_TOKEN, or 'token' of the HTTP service)")
    if kind == "DataQueryError":
        return DataQueryError(detail, "", int((problem.get("place") or {}).get("start", -1)))
    if kind == "ConflictError":
        return ConflictError(detail)
    if kind == "UnsupportedError":
        return UnsupportedError("the server's home", detail)
    if kind == "InvalidNameError":
        name, _, reason = detail.partition(": ")
        return InvalidNameError(*_name_of(name), reason or detail)
    if kind == "FormatError":
        return FormatError(detail)
    if kind == "DocumentError":
        return DocumentError(uri, detail)
    return DataServiceError(detail)


def _name_of(text: str) -> tuple[str, str]:
    kind, _, name = text.partition(" name ")
    return kind, name.strip("'\"")
