"""IAdmin, ISession, IConfig: users, groups, sessions."""

from __future__ import annotations

import time
from typing import Any

import omero
from omero import rtypes

from .graph import Loader
from .hql import Interpreter, Page
from .model import model_class_of
from .servants import Service
from .store import StoreError

__all__ = ["Admin", "Configuration", "Sessions"]

VERSION = "5.6.0"
"""The version of the API that the double is written from."""


class Admin(Service):
    """Says who is who."""

    interface = omero.api.IAdmin

    def getEventContext(self) -> Any:
        """Say who calls, and in which group."""
        return event_context(self.store, self.caller)

    def getSecurityRoles(self) -> Any:
        """Say which users and groups are special."""
        return omero.sys.Roles(0, "root", 0, "system", 1, "user", -1, "", -1, "")

    def canUpdate(self, made: Any) -> bool:
        """Say whether the caller may change an object."""
        row = self.store.find(model_class_of(made).name, made.id.val)
        return row is not None and self.store.can_edit(self.caller, row)

    def _one(self, cls: str, key: str, value: Any) -> Any:
        member = "child" if cls == "ExperimenterGroup" else "parent"
        text = (
            f"select o from {cls} o left outer join fetch o.groupExperimenterMap m "
            f"left outer join fetch m.{member} where o.{key} = :v"
        )
        found = Interpreter(self.store, self.caller, {"v": value}).objects(text, Page())
        if not found:
            raise StoreError("ApiUsageException", f"no {cls} whose {key} is {value!r}")
        return found[0]

    def getExperimenter(self, id_: int) -> Any:
        """Read a user with the groups."""
        return self._one("Experimenter", "id", id_)

    def lookupExperimenter(self, name: str) -> Any:
        """Read a user by name."""
        return self._one("Experimenter", "omeName", name)

    def getGroup(self, id_: int) -> Any:
        """Read a group with its members."""
        return self._one("ExperimenterGroup", "id", id_)

    def lookupGroup(self, name: str) -> Any:
        """Read a group by name."""
        return self._one("ExperimenterGroup", "name", name)

    def lookupGroups(self) -> list[Any]:
        """Read all groups."""
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in self.store.all("ExperimenterGroup")]

    def lookupExperimenters(self) -> list[Any]:
        """Read all users."""
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in self.store.all("Experimenter")]

    def getMemberOfGroupIds(self, user: Any) -> list[int]:
        """List the groups of a user."""
        return self.store.groups_of(user.id.val)

    def getLeaderOfGroupIds(self, user: Any) -> list[int]:
        """List the groups that a user leads."""
        return self.store.groups_of(user.id.val, as_owner=True)

    def getCurrentAdminPrivileges(self) -> list[Any]:
        """List the caller's privileges: none but for root."""
        return []


def event_context(store: Any, caller: Any) -> Any:
    """Make the context of a call."""
    context = omero.sys.EventContext()
    group = caller.session_group if caller.group < 0 else caller.group
    context.shareId, context.sessionId, context.sessionUuid = -1, 1, caller.session
    context.userId, context.groupId, context.isAdmin = caller.user, group, caller.is_admin
    context.userName = store.get(("Experimenter", caller.user)).values["omeName"]
    context.groupName = store.get(("ExperimenterGroup", group)).values["name"]
    context.eventId, context.eventType, context.adminPrivileges = -1, "User", []
    context.memberOfGroups = store.groups_of(caller.user)
    context.leaderOfGroups = store.groups_of(caller.user, as_owner=True)
    context.groupPermissions = omero.model.PermissionsI(store.permissions_of(group))
    return context


class Sessions(Service):
    """Sessions by their identity."""

    interface = omero.api.ISession

    def getSession(self, uuid: str) -> Any:
        """Read an open session."""
        found = self.session.server.sessions.get(uuid)
        if found is None:
            raise StoreError("RemovedSessionException", f"no session {uuid}")
        made = omero.model.SessionI()
        made.id, made.uuid = rtypes.rlong(1), rtypes.rstring(uuid)
        made.started, made.timeToIdle = rtypes.rtime(found.started), rtypes.rlong(600_000)
        made.timeToLive, made.defaultEventType = rtypes.rlong(0), rtypes.rstring("User")
        made.details.owner = omero.model.ExperimenterI(found.user, False)
        made.details.group = omero.model.ExperimenterGroupI(found.group, False)
        return made

    def getReferenceCount(self, uuid: str) -> int:
        """Say how many connections a session has."""
        return int(self.session.server.sessions[uuid].connections)

    def closeSession(self, made: Any) -> int:
        """Close a session for one of its connections; the last one ends it."""
        found = self.session.server.sessions.get(made.uuid.val)
        if found is None:
            return -2
        found.connections -= 1
        if found.connections <= 0:
            self.session.server.sessions.pop(made.uuid.val, None)
            return -2
        return int(found.connections)


class Configuration(Service):
    """What clients may know of the server."""

    interface = omero.api.IConfig

    def getVersion(self) -> str:
        """Say which version of the API this is."""
        return VERSION

    def getConfigValue(self, key: str) -> str:
        """Read a setting; the double has none but where its files are."""
        return str(self.store.directory) if key == "omero.data.dir" else ""

    def getClientConfigValues(self) -> dict[str, str]:
        """Read the settings for clients."""
        return {}

    def getClientConfigDefaults(self) -> dict[str, str]:
        """Read the defaults of the settings for clients."""
        return {}

    def getDatabaseUuid(self) -> str:
        """Say which database this is."""
        return str(self.store.uuid)

    def getServerTime(self) -> Any:
        """Say what time it is."""
        return rtypes.rtime(int(time.time() * 1000))

    getDatabaseTime = getServerTime
