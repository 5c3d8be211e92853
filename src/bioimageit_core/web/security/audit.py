"""The audit log: who did what, when, with which outcome; one JSON document a line."""

from __future__ import annotations

import datetime
import json
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["AuditLog", "AuditMiddleware"]

_SAFE = {"GET", "HEAD", "OPTIONS"}
_PIECE = 64 * 1024


class AuditLog:
    """A file that is only added to, readable by its owner alone.

    Parameters
    ----------
    state_dir
        The folder that it is in, as ``audit.jsonl``.
    """

    def __init__(self, state_dir: str) -> None:
        self.path = os.path.join(state_dir, "audit.jsonl")
        self._lock = threading.Lock()

    def write(self, who: str, action: str, outcome: int, **facts: Any) -> None:
        """Add a line."""
        time = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "user": who, "action": action, "status": outcome, **facts}
        line = json.dumps(entry, ensure_ascii=False, default=str) + "\n"
        with self._lock:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line.encode("utf-8", "surrogateescape"))
            finally:
                os.close(descriptor)

    def page(self, cursor: str = "", limit: int = 100) -> tuple[list[dict[str, Any]], str]:
        """Give entries, newest first, and the cursor of those before them."""
        try:
            end = os.path.getsize(self.path)
        except OSError:
            return [], ""
        start = min(int(cursor), end) if cursor else end
        entries: list[dict[str, Any]] = []
        place = start
        for place, line in self._lines_back(start):
            try:
                entries.append(json.loads(line))
            except ValueError:  # cut off by a power cut
                continue
            if len(entries) == limit:
                return entries, str(place) if place else ""
        return entries, ""

    def _lines_back(self, end: int) -> Iterator[tuple[int, bytes]]:
        with open(self.path, "rb") as file:
            start, rest = end, b""
            while start:
                size = min(start, _PIECE)
                start -= size
                file.seek(start)
                first, *whole = (file.read(size) + rest).split(b"\n")
                place = start + size + len(rest)
                for line in reversed(whole):
                    place -= len(line)
                    if line:
                        yield place, line
                    place -= 1
                rest = first
            if rest:
                yield 0, rest


class AuditMiddleware:
    """Writes a line for every call that could change something, was refused, or says what it is about."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self.app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_line(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = int(message["status"])
                is_told = "about" in scope.get("state", {})
                if scope["method"] not in _SAFE or status in (401, 403) or is_told:
                    self._write(scope, status)
            await send(message)

        await self.app(scope, receive, with_line)

    def _write(self, scope: Scope, status: int) -> None:
        state = scope.get("state", {})
        who = state.get("who")
        route = scope.get("route")
        client = scope.get("client") or ("", 0)
        self._log.write(
            getattr(who, "name", "") or str(state.get("claimed", "")),
            f"{scope['method']} {getattr(route, 'path', None) or scope['path'][:200]}",
            status,
            client=client[0],
            **({"about": state["about"]} if "about" in state else {}),
        )
