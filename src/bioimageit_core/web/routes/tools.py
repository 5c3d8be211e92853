"""Tools, and the forms that are made of their wrappers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from bioimageit_core.web.forms import form_of, summary_of
from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.security.who import Reader
from bioimageit_core.web.shapes import Page, ToolForm, ToolSummary
from bioimageit_core.web.site import SiteDep

__all__ = ["router"]

router = APIRouter(prefix="/tools", tags=["tools"], responses=PROBLEMS)


@router.get("")
def list_tools(site: SiteDep, _: Reader, keyword: Annotated[str, Query(max_length=200)] = "") -> Page[ToolSummary]:
    """List the tools that a keyword finds; all without one."""
    items = [summary_of(tool) for tool in site.request.search_tool(keyword)]
    return Page[ToolSummary](items=items, total=len(items))


@router.get("/{fullname}")
def read_tool(site: SiteDep, _: Reader, fullname: Annotated[str, Path(max_length=500)]) -> ToolForm:
    """Tell what a tool asks for."""
    return form_of(site.request.get_tool(fullname))
