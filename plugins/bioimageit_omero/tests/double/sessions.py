"""Glacier2 and the session: who may enter, what services a session has, and commands."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import Glacier2
import Ice
import omero

from .binary import Files
from .commands import Handle
from .images import Pixels, Rois
from .people import Admin
from .queries import Containers, Metadata, Queries, Types, Updates
from .raw_pixels import PixelData
from .rendering import Rendering
from .servants import Service, servant_of, server_error
from .settings import Configuration, Sessions
from .store import Caller, Store, StoreError
from .tables import SharedResources

__all__ = ["Factory", "Manager", "Router", "SessionRecord", "Verifier"]

STATELESS = {
    "getAdminService": Admin,
    "getConfigService": Configuration,
    "getContainerService": Containers,
    "getMetadataService": Metadata,
    "getPixelsService": Pixels,
    "getQueryService": Queries,
    "getRoiService": Rois,
    "getSessionService": Sessions,
    "getTypesService": Types,
    "getUpdateService": Updates,
}
STATEFUL = {"createRawPixelsStore": PixelData, "createRawFileStore": Files, "createRenderingEngine": Rendering}


@dataclass
class SessionRecord:
    """A session of a user, which several connections may share and which outlives them."""

    uuid: str
    user: int
    group: int
    started: int = field(default_factory=lambda: int(time.time() * 1000))
    connections: int = 0
    id: int = 0


class Factory(Service):
    """One connection to a session: ``omero::api::ServiceFactory``."""

    interface = omero.api.ServiceFactory

    def __init__(self, server: Any, record: SessionRecord, client: str) -> None:
        self.server = server
        self.record = record
        self.identity = Ice.Identity(record.uuid, f"session-{client}")
        self._known: dict[str, Any] = {}
        self._servants: dict[Service, Ice.Identity] = {}
        super().__init__(self)
        self.lock = threading.RLock()

    @property
    def store(self) -> Store:
        """The object store."""
        found: Store = self.server.store
        return found

    @store.setter
    def store(self, _: Store) -> None:
        """Accept what `Service` sets; it is the server's."""

    def caller_of(self, current: Any) -> Caller:
        """Say who calls, and which group the call is about."""
        if self.record.uuid not in self.server.sessions:
            error = omero.RemovedSessionException()
            error.message = f"session {self.record.uuid} is closed"
            raise error
        wanted = current.ctx.get("omero.group", "") if current is not None else ""
        group = self.record.group
        if wanted.lstrip("-").isdigit():
            group = int(wanted)
        elif wanted:
            named = [r.id for r in self.store.all("ExperimenterGroup") if r.values["name"] == wanted]
            group = named[0] if named else group
        is_admin = 0 in self.store.groups_of(self.record.user)
        if group >= 0 and not is_admin and group not in self.store.groups_of(self.record.user):
            raise StoreError("SecurityViolation", f"User {self.record.user} is not a member of group {group}")
        return Caller(self.record.user, group, self.record.group, self.record.uuid, is_admin)

    def add(self, service: Service, name: str) -> Any:
        """Make a servant known, and return its proxy."""
        identity = Ice.Identity(name, self.record.uuid)
        with self.server.adding:
            known = self.server.adapter.find(identity)
            if known is None:
                self.server.adapter.add(servant_of(service), identity)
        self._servants[service] = identity
        return self.server.adapter.createProxy(identity)

    def forget(self, service: Service) -> None:
        """Remove the servant of a service."""
        identity = self._servants.pop(service, None)
        if identity is not None and self.server.adapter.find(identity) is not None:
            self.server.adapter.remove(identity)

    def __getattr__(self, name: str) -> Any:
        if name in STATELESS:
            return lambda: self._stateless(name, STATELESS[name])
        if name in STATEFUL:
            return lambda: self._stateful(STATEFUL[name])
        raise AttributeError(name)

    def _stateless(self, name: str, kind: type[Service]) -> Any:
        if name not in self._known:
            prefix = f"{uuid.uuid4()}{kind.interface.__name__}"
            proxy = self.add(kind(self), prefix)
            self._known[name] = getattr(omero.api, f"{kind.interface.__name__}Prx").uncheckedCast(proxy)
        return self._known[name]

    def _stateful(self, kind: type[Service]) -> Any:
        proxy = self.add(kind(self), f"{uuid.uuid4()}{kind.interface.__name__}")
        return getattr(omero.api, f"{kind.interface.__name__}Prx").uncheckedCast(proxy)

    def sharedResources(self) -> Any:
        """Give what keeps tables."""
        if "shared" not in self._known:
            proxy = self.add(SharedResources(self), f"{uuid.uuid4()}SharedResources")
            self._known["shared"] = omero.grid.SharedResourcesPrx.uncheckedCast(proxy)
        return self._known["shared"]

    def setCallback(self, _: Any) -> None:
        """Accept a callback; the double calls no client."""

    def detachOnDestroy(self) -> None:
        """Let the session outlive its connections."""

    closeOnDestroy = detachOnDestroy

    def activeServices(self) -> list[str]:
        """List the services that are open."""
        return [identity.name for identity in self._servants.values()]

    def getByName(self, name: str) -> Any:
        """Give a service by its name."""
        identity = next((identity for identity in self._servants.values() if identity.name == name), None)
        if identity is None:
            raise StoreError("ApiUsageException", f"no service {name!r} is open")
        return omero.api.ServiceInterfacePrx.uncheckedCast(self.server.adapter.createProxy(identity))

    def keepAlive(self, proxy: Any) -> bool:
        """Say whether a service is there."""
        return proxy is not None and self.server.adapter.find(proxy.ice_getIdentity()) is not None

    def keepAllAlive(self, proxies: list[Any]) -> int:
        """Say which services are not there, as bits."""
        return sum(1 << i for i, proxy in enumerate(proxies or []) if not self.keepAlive(proxy))

    def setSecurityContext(self, made: Any) -> Any:
        """Change the group of the session."""
        if made.id.val not in self.store.groups_of(self.record.user) and not self.caller.is_admin:
            raise StoreError("SecurityViolation", f"not a member of group {made.id.val}")
        if any(service.is_stateful for service in self._servants):
            raise StoreError("SecurityViolation", "cannot change the group while stateful services are open")
        before, self.record.group = self.record.group, made.id.val
        return omero.model.ExperimenterGroupI(before, False)

    def submit(self, request: Any) -> Any:
        """Run a command at once; its handle has the response."""
        handle = Handle(self, request)
        with self.store.lock:
            try:
                handle.run(self.caller_of(self.current))
            except Exception as error:
                made = server_error(error)
                facts = {"message": str(getattr(made, "message", made))}
                handle.response = omero.cmd.ERR("double", type(made).__name__, facts)
        proxy = self.add(handle, f"{uuid.uuid4()}Handle")
        return omero.cmd.HandlePrx.uncheckedCast(proxy)

    def destroy(self) -> None:
        """End the connection; the session stays, as after ``detachOnDestroy``."""
        for service in list(self._servants):
            self.forget(service)
        with self.server.adding:
            if self.server.adapter.find(self.identity) is not None:
                self.server.adapter.remove(self.identity)
        self.server.factories.discard(self)


class Verifier(Glacier2.PermissionsVerifier):
    """Checks passwords; a session's identity is a password, too."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def checkPermissions(self, user: str, password: str, current: Any = None) -> tuple[bool, str]:
        """Say whether a user may enter."""
        if user == password and user in self.server.sessions:
            return True, ""
        known = self.server.store.passwords.get(user)
        return (True, "") if known is not None and known == password else (False, "Password check failed")

    def checkPermissions_async(self, callback: Any, user: str, password: str, current: Any = None) -> None:
        """Say whether a user may enter."""
        callback.ice_response(*self.checkPermissions(user, password, current))


class Manager(Glacier2.SessionManager):
    """Makes connections to sessions."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def open(self, user: str, context: dict[str, str]) -> Factory:
        """Join the session of that identity, or make one for that user."""
        server = self.server
        record = server.sessions.get(user)
        if record is None:
            record = self.begin(user, context.get("omero.group", ""))
        record.connections += 1
        factory = Factory(server, record, context.get("omero.client.uuid", str(uuid.uuid4())))
        with server.adding:
            if server.adapter.find(factory.identity) is None:
                server.adapter.add(servant_of(factory), factory.identity)
        server.factories.add(factory)
        return factory

    def begin(self, user: str, wanted: str) -> SessionRecord:
        """Make a session of a user in a group, or in the user's default group."""
        store = self.server.store
        row = next((r for r in store.all("Experimenter") if r.values["omeName"] == user), None)
        if row is None:
            raise Glacier2.CannotCreateSessionException(f"no user {user}")
        named = {r.values["name"]: r.id for r in store.all("ExperimenterGroup")}
        group = int(wanted) if wanted.isdigit() else named.get(wanted, -1) if wanted else store.default_group_of(row.id)
        if group not in store.groups_of(row.id) and 0 not in store.groups_of(row.id):
            raise Glacier2.CannotCreateSessionException(f"{user} is not a member of {wanted}")
        record = SessionRecord(str(uuid.uuid4()), row.id, group)
        with store.lock:
            values = {"uuid": record.uuid, "owner": row.reference, "started": record.started, "closed": None}
            values |= {"timeToIdle": 600_000, "timeToLive": 0, "defaultEventType": "User"}
            record.id = store.add(Caller(row.id, group, group, is_admin=True), "Session", values).id
        self.server.sessions[record.uuid] = record
        return record

    def create(self, user: str, _control: Any, current: Any = None) -> Any:
        """Make a connection, for a real router."""
        factory = self.open(user, current.ctx)
        return Glacier2.SessionPrx.uncheckedCast(self.server.adapter.createProxy(factory.identity))

    def create_async(self, callback: Any, user: str, control: Any, current: Any = None) -> None:
        """Make a connection, for a real router."""
        try:
            callback.ice_response(self.create(user, control, current))
        except Glacier2.CannotCreateSessionException as error:
            callback.ice_exception(error)


class Router(Glacier2.Router):
    """What clients take for the router when they connect directly."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.factories: list[tuple[Any, Factory]] = []

    def createSession(self, user: str, password: str, current: Any = None) -> Any:
        """Let a user enter."""
        is_allowed, reason = Verifier(self.server).checkPermissions(user, password)
        if not is_allowed:
            raise Glacier2.PermissionDeniedException(reason)
        factory = self.server.manager.open(user, current.ctx)
        self.factories.append((current.con, factory))
        return Glacier2.SessionPrx.uncheckedCast(self.server.adapter.createProxy(factory.identity))

    def destroySession(self, current: Any = None) -> None:
        """End the connection."""
        mine = [pair for pair in self.factories if pair[0] == current.con]
        if not mine:
            raise Glacier2.SessionNotExistException
        for pair in mine:
            self.factories.remove(pair)
            pair[1].destroy()

    def getClientProxy(self, current: Any = None) -> Any:
        """Route nothing: the servants are here."""
        return None

    def getServerProxy(self, current: Any = None) -> Any:
        """Call no client."""
        return self.server.adapter.createProxy(Ice.Identity("none", "client"))

    def addProxies(self, _: Any, current: Any = None) -> list[Any]:
        """Route nothing: the servants are here."""
        return []

    def getCategoryForClient(self, current: Any = None) -> str:
        """Give clients a category for their callbacks."""
        return "client"

    def refreshSession(self, current: Any = None) -> None:
        """Keep the connection."""

    def getSessionTimeout(self, current: Any = None) -> int:
        """Say when an idle connection ends: never."""
        return 0

    def getACMTimeout(self, current: Any = None) -> int:
        """Say when an idle connection ends: never."""
        return 0


for _name in ("createSession", "destroySession", "refreshSession", "createSessionFromSecureConnection"):

    def _call(self: Any, callback: Any, *arguments: Any, _name: str = _name) -> None:
        try:
            result = getattr(self, _name)(*arguments)
        except Exception as error:
            callback.ice_exception(error)
            return
        callback.ice_response() if _name in ("destroySession", "refreshSession") else callback.ice_response(result)

    setattr(Router, f"{_name}_async", _call)
