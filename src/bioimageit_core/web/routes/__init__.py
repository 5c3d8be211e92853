"""The routes of the API, one module a kind of thing."""

from __future__ import annotations

from bioimageit_core.web.routes import data, experiments, session, tools

__all__ = ["ROUTERS"]

ROUTERS = (session.router, experiments.router, data.router, tools.router)
