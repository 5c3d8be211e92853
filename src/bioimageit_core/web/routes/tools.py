"""Tools, and the forms that are made of their wrappers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from bioimageit_core.web.forms import form_of, summary_of
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.routes.experiments import Cursor, Limit
from bioimageit_core.web.security.who import Reader
from bioimageit_core.web.shapes import Page, ToolForm, ToolSummary
from bioimageit_core.web.site import SiteDep
from bioimageit_core.web.windows import window

__all__ = ["router"]

router = APIRouter(prefix="/tools", tags=["tools"], responses=PROBLEMS)


@router.get("")
def list_tools(
    site: SiteDep,
    _: Reader,
    keyword: Annotated[str, Query(max_length=200)] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Page[ToolSummary]:
    """List the tools that a keyword finds; all without one."""
    found = list(site.request.search_tool(keyword))
    shown, following = window(found, cursor, limit)
    return Page[ToolSummary](items=[summary_of(tool) for tool in shown], next=following, total=len(found))


@router.get("/{fullname}")
def read_tool(site: SiteDep, _: Reader, fullname: Annotated[str, Path(max_length=500)]) -> ToolForm:
    """Tell what a tool asks for."""
    return form_of(site.request.get_tool(fullname))
