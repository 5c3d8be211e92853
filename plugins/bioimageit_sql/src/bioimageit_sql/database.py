"""The database: opened when it is first used, made or brought up to date then, and its errors made ours."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from bioimageit_core.core.exceptions import ConfigError, ConflictError, DataServiceError
from bioimageit_sql import schema

__all__ = ["Database"]

_T = TypeVar("_T")

_ATTEMPTS = 8
_TRY_AGAIN = {"40001", "40P01"}  # serialization failure, deadlock: PostgreSQL says that trying again is right
_ADVISORY_LOCK = 0x62696F696D616765  # "bioimage"; who makes or changes the schema holds it
_BUSY_SECONDS = 60


class Database:
    """A database of experiments.

    Parameters
    ----------
    url
        As SQLAlchemy writes it; SQLite in a file, or PostgreSQL.
    password
        Goes into the URL, where it has none.
    migrate
        Bring an older schema up to date; else it is an error that says how.
    """

    def __init__(self, url: str, password: str = "", *, migrate: bool = True) -> None:
        self._url = _checked(url, password)
        self._migrate = migrate
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._store_id = ""

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite; else it is PostgreSQL."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def path(self) -> str:
        """The file of a SQLite database."""
        return str(self._url.database)

    @property
    def engine(self) -> sa.Engine:
        """The engine, with the schema in place."""
        with self._lock:
            if self._engine is None:
                engine = self._make_engine()
                try:
                    self._store_id = self._prepare(engine)
                except SQLAlchemyError as error:
                    engine.dispose()
                    raise _translated(error, f"open the database {self._url.render_as_string()}") from error
                self._engine = engine
            return self._engine

    @property
    def store_id(self) -> str:
        """Identity of the database, so that no other one takes our URIs for its own."""
        _ = self.engine
        return self._store_id

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def read(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Call `work` with a connection that sees one state of the database."""
        return self._run(work, is_write=False)

    def write(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Call `work` in a transaction: all of it is written, or nothing; after a deadlock it is called again."""
        return self._run(work, is_write=True)

    def _run(self, work: Callable[[sa.Connection], _T], *, is_write: bool) -> _T:
        engine = self.engine
        if is_write:
            engine = engine.execution_options(is_write=True)
        elif not self.is_sqlite:  # where a transaction sees one state anyway
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with engine.begin() as connection:
                    return work(connection)
            except IntegrityError as error:
                raise ConflictError(f"another writer was faster: {_said(error)}") from error
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", "") not in _TRY_AGAIN or attempt == _ATTEMPTS:
                    raise _translated(error, "use the database") from error
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
            except (SQLAlchemyError, OSError) as error:
                raise _translated(error, "use the database") from error
        raise AssertionError("unreachable")

    def _make_engine(self) -> sa.Engine:
        options: dict[str, Any] = {"hide_parameters": True}
        if self.is_sqlite:
            folder = os.path.dirname(os.path.abspath(self._url.database or ""))
            if not os.path.isdir(folder):
                raise DataServiceError(f"there is no directory {folder!r} for the database")
            options["connect_args"] = {"timeout": _BUSY_SECONDS}
        else:
            options["pool_pre_ping"] = True
        try:
            engine = sa.create_engine(self._url, **options)
        except ImportError as error:
            message = (
                f"the driver of {self._url.drivername!r} is not installed: pip install 'bioimageit-sql[postgresql]'"
            )
            raise ConfigError(message) from error
        if self.is_sqlite:
            sa.event.listen(engine, "connect", _on_connect)
            sa.event.listen(engine, "begin", _on_begin)
        return engine

    def _prepare(self, engine: sa.Engine) -> str:
        from bioimageit_sql.migrations import bring_up_to_date, is_up_to_date

        with engine.connect() as connection:
            if not is_up_to_date(connection):
                connection.rollback()
                with self._alone(connection):
                    bring_up_to_date(connection, may_migrate=self._migrate)
                    if connection.scalar(sa.select(schema.store.c.id)) is None:
                        connection.execute(schema.store.insert().values(id=uuid.uuid4().hex[:12]))
                        connection.commit()
            return str(connection.scalar(sa.select(schema.store.c.id)))

    @contextlib.contextmanager
    def _alone(self, connection: sa.Connection) -> Iterator[None]:
        """Let one process at a time make or change the schema."""
        if self.is_sqlite:
            path = os.path.realpath(self._url.database or "")
            digest = hashlib.sha256(path.encode()).hexdigest()[:16]
            user = os.getuid() if hasattr(os, "getuid") else 0
            with FileLock(os.path.join(tempfile.gettempdir(), f"bioimageit-sql-{user}-{digest}.lock")):
                yield
            return
        connection.execute(sa.select(sa.func.pg_advisory_lock(_ADVISORY_LOCK)))
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_ADVISORY_LOCK)))
            connection.commit()


def _checked(text: str, password: str) -> sa.URL:
    hint = "expected sqlite:///path/to/file.db or postgresql+psycopg://user@host/database"
    if not text:
        raise ConfigError(f"the SQL service needs the 'url' of a database: {hint}")
    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise ConfigError(f"the 'url' of the SQL service cannot be understood: {hint}") from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigError(f"the SQL service has no {url.get_backend_name()!r}: {hint}")
    if url.get_backend_name() == "sqlite":
        if url.database in {None, "", ":memory:"}:
            raise ConfigError("a database in memory is lost when the process ends: expected sqlite:///path/to/file.db")
        return url.set(database=os.path.abspath(os.path.expanduser(str(url.database))))
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url.set(password=password) if password and not url.password else url


def _on_connect(connection: Any, _record: Any) -> None:
    # the driver would begin transactions when it sees fit; `_on_begin` does instead
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: sa.Connection) -> None:
    # a writer that begins as a reader could be refused in the middle
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def _translated(error: Exception, action: str) -> DataServiceError:
    return DataServiceError(f"cannot {action}: {_said(error)}")


def _said(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
