"""What stands before every route: sizes, hosts, headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from bioimageit_core.web.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bioimageit_core.web.settings import Settings

__all__ = ["HeadersGuard", "HostGuard", "SizeGuard"]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]@/]+))(?::\d{1,5})?")
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class HeadersGuard:
    """Adds the headers that keep browsers from doing what the page never asks for."""

    def __init__(self, app: ASGIApp, is_https: bool = False) -> None:
        self.app = app
        self._headers = dict(_HEADERS)
        if is_https:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class HostGuard:
    """Refuses requests for other hosts: a name that somebody else's DNS gives to this machine is none of ours."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self.app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http" or "*" in self._hosts:
            await self.app(scope, receive, send)
            return
        match = _HOST.fullmatch(Headers(scope=scope).get("host", "").lower())
        if match and (match[1] or match[2]) in self._hosts:
            await self.app(scope, receive, send)
        else:
            await problem_response(400, "this server is not asked by that name; serve --host-name adds one")(
                scope, receive, send
            )


class SizeGuard:
    """Refuses requests that are larger than may be, without reading them."""

    def __init__(self, app: ASGIApp, settings: Settings, upload_paths: tuple[str, ...]) -> None:
        self.app = app
        self._settings = settings
        self._upload_paths = upload_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_upload = scope["path"].endswith(self._upload_paths)
        limit = self._settings.max_upload if is_upload else self._settings.max_body
        told = Headers(scope=scope).get("content-length", "")
        if told.isdecimal() and int(told) > limit:
            await problem_response(413, f"at most {limit} bytes are taken here")(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:  # of the framework's kind: any other it takes for a body that cannot be read
                    raise HTTPException(413, f"at most {limit} bytes are taken here")
            return message

        await self.app(scope, counted, send)
