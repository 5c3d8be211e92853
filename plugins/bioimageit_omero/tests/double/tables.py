"""OMERO.tables: omero-py's own implementation, over the double's files."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace
from typing import Any

import Ice
import omero
from omero.util import concurrency

from .graph import Loader
from .servants import Service
from .store import StoreError

__all__ = ["SharedResources"]

_KEPT: list[Any] = []


class SharedResources(Service):
    """Makes and opens tables."""

    interface = omero.grid.SharedResources
    writes = frozenset({"newTable"})

    def areTablesEnabled(self) -> bool:
        """Say whether there are tables: where PyTables is installed."""
        try:
            import tables  # noqa: F401
        except ImportError:
            return False
        return True

    def repositories(self) -> Any:
        """List the one repository; there is no importer, so it has no proxy."""
        return omero.grid.RepositoryMap([Loader(self.store, self.caller).load(self._repository())], [None])

    def _repository(self) -> Any:
        return next(row for row in self.store.all("OriginalFile") if row.values.get("mimetype") == "Repository")

    def newTable(self, repository: int, path: str) -> Any:
        """Make a table and its original file, in the repository or, for 0, anywhere."""
        if repository not in (0, self._repository().id):
            raise StoreError("ValidationException", f"there is no repository {repository}")
        folder, _, name = path.rpartition("/")
        with self.store.transaction(self.caller):
            values = {"name": name, "path": f"{folder}/", "mimetype": "OMERO.tables", "mtime": int(time.time() * 1000)}
            row = self.store.add(self.caller, "OriginalFile", values)
        return self._open(row)

    def openTable(self, made: Any) -> Any:
        """Open the table of an original file."""
        row = self.store.find("OriginalFile", made.id.val)
        if row is None or not self.store.is_visible(self.caller, row):
            raise StoreError("ValidationException", f"no OriginalFile:{made.id.val}")
        return self._open(row)

    def _open(self, row: Any) -> Any:
        from omero.hdfstorageV2 import HDFLIST
        from omero.tables import TableI

        adapter = self.session.server.adapter
        context = SimpleNamespace(
            stop_event=concurrency.get_event(name="double"), communicator=adapter.getCommunicator(), getSession=None
        )
        factory = _Collocated(self.session, dict(self.current.ctx))
        path = str(self.store.directory / "Files" / str(row.id))
        table = TableI(
            context,
            Loader(self.store, self.caller).load(row),
            path,
            factory,
            HDFLIST,
            uuid=str(uuid.uuid4()),
            call_context=dict(self.current.ctx),
            adapter=adapter,
        )
        _KEPT.append(table)
        return omero.grid.TablePrx.uncheckedCast(adapter.add(table, table.id))


class _Collocated:
    """The session as the tables see it: its services called in this process."""

    def __init__(self, session: Any, context: dict[str, str]) -> None:
        self.session = session
        self.context = context

    def ice_getIdentity(self) -> Ice.Identity:
        return self.session.identity

    def getAdminService(self) -> Any:
        from .people import Admin

        return _Direct(Admin(self.session), self.context)

    def createRawFileStore(self, _context: Any = None) -> Any:
        from .binary import Files

        return _Direct(Files(self.session), self.context)

    def submit(self, request: Any) -> Any:
        return self.session.submit(request)


class _Direct:
    """Calls the operations of a service in this process."""

    def __init__(self, service: Service, context: dict[str, str]) -> None:
        self._service = service
        self._context = context

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._service, name)

        def call(*arguments: Any) -> Any:
            context = {}
            if arguments and isinstance(arguments[-1], dict):
                context = arguments[-1]
                arguments = arguments[:-1]
            with self._service.store.lock:
                current = SimpleNamespace(ctx={**self._context, **context})
                self._service.caller = self._service.session.caller_of(current)
                if name == "write":
                    arguments = (bytes(arguments[0]), *arguments[1:])
                return operation(*arguments)

        return call
