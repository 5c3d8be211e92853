"""The routes of the API, one module a kind of thing."""

from __future__ import annotations

from bioimageit_core.web.routes import (
    admin,
    annotating,
    data,
    experiments,
    jobs,
    moving,
    results,
    service,
    session,
    tools,
)

__all__ = ["ROUTERS"]

ROUTERS = tuple(
    module.router for module in (session, experiments, annotating, moving, data, results, tools, jobs, admin, service)
)
