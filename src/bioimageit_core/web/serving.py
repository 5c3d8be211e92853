"""A server that runs until it is asked to end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from bioimageit_core.core.exceptions import ConfigError
from bioimageit_core.web.app import create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bioimageit_core.api import Request
    from bioimageit_core.web.settings import Settings

__all__ = ["run_server", "serving"]


def run_server(
    request: Request,
    settings: Settings,
    host: str,
    port: int,
    *,
    shows_token: bool = False,
    opens: bool = False,
    say: Callable[[str], Any] = print,
) -> None:
    """Serve until the process is asked to end.

    Parameters
    ----------
    shows_token
        Whether the address that is told has the token in it.
    opens
        Whether to open the page in the browser.
    say
        Told where the server is.

    Raises
    ------
    ConfigError
        The address cannot be listened at.
    """
    app = create_app(request, settings)
    listener = _listen(host, port)
    url = _url(listener)
    shown = f"{url}#token={settings.token}" if shows_token else url
    say(f"serving {request.default_workspace() or request.config.service_name('metadata')} at {shown}")
    if opens:
        threading.Timer(0.5, _open, (shown,)).start()
    try:
        uvicorn.Server(_configured(app)).run([listener])
    finally:
        listener.close()


@contextmanager
def serving(app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread while the block runs, and give the URL: for tests and notebooks."""
    listener = _listen(host, port)
    server = uvicorn.Server(_configured(app))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield _url(listener).rstrip("/")
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listener.close()


def _configured(app: FastAPI) -> uvicorn.Config:
    proxies = list(app.state.site.settings.proxies)
    # the access log would have ids and queries in it; who changes what is in the audit log
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),  # else whoever asks could say that he is somebody else
        forwarded_allow_ips=proxies,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=512 * 1024,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # asyncio sends at once (TCP_NODELAY) only where a socket says that it is one of TCP
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        raise ConfigError(f"cannot listen at {host}, port {port}: {error.strerror or error}; see --port") from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _open(url: str) -> None:
    import webbrowser

    webbrowser.open(url)
