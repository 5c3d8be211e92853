"""For owners: who did what, and who may."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from bioimageit_core.web.problems import PROBLEMS
from bioimageit_core.web.routes.experiments import Cursor, Limit
from bioimageit_core.web.security.who import Owner, users_of
from bioimageit_core.web.shapes import Page, Role
from bioimageit_core.web.site import SiteDep
from bioimageit_core.web.windows import start_of, window

__all__ = ["router"]

router = APIRouter(tags=["administration"], responses=PROBLEMS)


class UserItem(BaseModel):
    """A user of the server."""

    name: str
    role: Role
    has_password: bool
    tokens: int


@router.get("/audit")
def read_audit(site: SiteDep, _: Owner, cursor: Cursor = "", limit: Limit = 100) -> Page[dict[str, Any]]:
    """Tell who changed what, or was refused, the newest first."""
    start_of(cursor)  # of another kind, but written alike
    entries, following = site.audit.page(cursor, limit)
    return Page[dict[str, Any]](items=entries, next=following or None)


@router.get("/users")
def list_users(site: SiteDep, _: Owner, cursor: Cursor = "", limit: Limit = 100) -> Page[UserItem]:
    """List the users of the server and their roles."""
    users = users_of(site).all() if site.settings.users_file else []
    shown, following = window(users, cursor, limit)
    items = [
        UserItem(name=user.name, role=user.role, has_password=bool(user.password), tokens=len(user.tokens))
        for user in shown
    ]
    return Page[UserItem](items=items, next=following, total=len(users))
