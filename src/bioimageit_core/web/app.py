"""The application: routes, and what stands before them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi import Request as CalledRequest
from fastapi.responses import FileResponse, Response
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles

from bioimageit_core import __version__
from bioimageit_core.web.documents import API
from bioimageit_core.web.problems import install_problems, methods_at, problem_response
from bioimageit_core.web.routes import ROUTERS
from bioimageit_core.web.security.audit import AuditMiddleware
from bioimageit_core.web.security.guards import HeadersGuard, HostGuard, SizeGuard
from bioimageit_core.web.security.who import SESSION_AGE
from bioimageit_core.web.site import Site

if TYPE_CHECKING:
    from bioimageit_core.api import Request
    from bioimageit_core.web.settings import Settings

__all__ = ["create_app"]

STATIC = os.path.join(os.path.dirname(__file__), "static")
_COOKIE = "bioimageit"
_UPLOADS = ("/uploads", "/service/files")


def create_app(request: Request, settings: Settings) -> FastAPI:
    """Make the application that serves what a request can be asked.

    Parameters
    ----------
    request
        Connected; whatever home, tools and runner its configuration chooses.

    Raises
    ------
    ConfigError
        The server's own folder cannot be used.
    """
    site = Site(request, settings)
    app = FastAPI(
        title="BioImageIT",
        version=__version__,
        summary="Images, their metadata and everything done to them.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # their scripts come from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.site = site
    install_problems(app, site.mask)
    api = APIRouter(prefix=API)
    for router in ROUTERS:
        api.include_router(router)
    app.include_router(api)
    _serve_page(app)
    app.add_middleware(SizeGuard, settings=settings, upload_paths=_UPLOADS)
    app.add_middleware(
        SessionMiddleware,
        secret_key=hashlib.sha256(b"session\0" + site.secret).hexdigest(),
        session_cookie=_COOKIE,
        max_age=SESSION_AGE,
        same_site="strict",
        https_only=settings.is_https,
    )
    app.add_middleware(AuditMiddleware, log=site.audit)
    app.add_middleware(HostGuard, hosts=settings.hosts)
    app.add_middleware(HeadersGuard, is_https=settings.is_https)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.site.board.close()


def _serve_page(app: FastAPI) -> None:
    """Serve the page: its files, and its one document for every address that the page itself knows."""
    index = os.path.join(STATIC, "index.html")
    if os.path.isdir(os.path.join(STATIC, "assets")):
        app.mount("/assets", StaticFiles(directory=os.path.join(STATIC, "assets")), name="assets")

    @app.get("/{path:path}", include_in_schema=False)
    def page(request: CalledRequest, path: str) -> Response:
        if path.startswith("api/") and methods_at(request):
            raise HTTPException(405)
        if path.startswith(("api/", "assets/")):
            return problem_response(404, "there is no such thing")
        if path in _files_beside(STATIC):
            return FileResponse(os.path.join(STATIC, path))
        if os.path.isfile(index):
            return FileResponse(index, headers={"Cache-Control": "no-cache"})
        return Response("The page was not built; its API is at /api/v1/openapi.json.\n", media_type="text/plain")


def _files_beside(folder: str) -> set[str]:
    return {entry.name for entry in os.scandir(folder) if entry.is_file()} if os.path.isdir(folder) else set()
