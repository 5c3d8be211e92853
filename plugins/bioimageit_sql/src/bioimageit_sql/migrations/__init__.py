"""The schema's history; run by Alembic, which is imported only when there is something to do."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from bioimageit_core.core.exceptions import DataServiceError

__all__ = ["HEAD", "bring_up_to_date", "is_up_to_date"]

HEAD = "0001"
"""The newest revision in ``versions``."""


def is_up_to_date(connection: sa.Connection) -> bool:
    """Say whether the schema is the one that this version works with.

    Raises
    ------
    DataServiceError
        A newer version made it.
    """
    found = _revision(connection)
    if found > HEAD:
        raise DataServiceError(
            f"the database has schema {found}, this version of bioimageit-sql knows up to {HEAD}: update bioimageit-sql"
        )
    return found == HEAD


def bring_up_to_date(connection: sa.Connection, *, may_migrate: bool = True, target: str = "head") -> None:
    """Make the schema, or change an older one, whole or not at all.

    Raises
    ------
    DataServiceError
        There is an older schema, and it may not be changed.
    """
    found = _revision(connection)
    if found == HEAD:
        return
    if found and not may_migrate:
        raise DataServiceError(
            f"the database has schema {found} and needs {HEAD}: connect once with 'migrate': true, after a backup"
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    connection.rollback()
    with connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, target)


def _revision(connection: sa.Connection) -> str:
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(sa.text("SELECT version_num FROM alembic_version")) or "")
