"""ISession, IConfig: sessions by their identity, and what clients may know of the server."""

from __future__ import annotations

import re
import time
from typing import Any

import omero
from omero import rtypes

from .graph import Loader
from .servants import Service
from .store import StoreError

__all__ = ["Configuration", "Sessions"]

VERSION = "5.6.0"
"""The version of the API that the double is written from."""
_SETTINGS = {"omero.pixeldata.max_plane_width": "3192", "omero.pixeldata.max_plane_height": "3192"}


class Sessions(Service):
    """Sessions by their identity."""

    interface = omero.api.ISession

    def getSession(self, uuid: str) -> Any:
        """Read an open session."""
        found = self.session.server.sessions.get(uuid)
        if found is None or not self.store.is_visible(self.caller, self.store.get(("Session", found.id))):
            raise StoreError("RemovedSessionException", f"no session {uuid}")
        made = Loader(self.store, self.caller).load(self.store.get(("Session", found.id)))
        made.details.owner = omero.model.ExperimenterI(found.user, False)
        made.details.group = omero.model.ExperimenterGroupI(found.group, False)
        return made

    def getMyOpenSessions(self) -> list[Any]:
        """Read the open sessions of the caller."""
        found = self.session.server.sessions.values()
        return [self.getSession(record.uuid) for record in found if record.user == self.caller.user]

    def createSessionWithTimeout(self, principal: Any, _live: int) -> Any:
        """Make a session for somebody else; for administrators."""
        if not self.caller.is_admin:
            raise StoreError("SecurityViolation", "only administrators make sessions of others")
        return self.getSession(self.session.server.manager.begin(principal.name, principal.group or "").uuid)

    def createSessionWithTimeouts(self, principal: Any, live: int, _idle: int) -> Any:
        """Make a session for somebody else; for administrators."""
        return self.createSessionWithTimeout(principal, live)

    def createUserSession(self, _live: int, _idle: int, group: str) -> Any:
        """Make another session of the caller."""
        name = self.store.get(("Experimenter", self.caller.user)).values["omeName"]
        return self.getSession(self.session.server.manager.begin(name, group or "").uuid)

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
            self.store.get(("Session", found.id)).values["closed"] = int(time.time() * 1000)
            return -2
        return int(found.connections)


class Configuration(Service):
    """What clients may know of the server."""

    interface = omero.api.IConfig

    def getVersion(self) -> str:
        """Say which version of the API this is."""
        return VERSION

    def getConfigValue(self, key: str) -> str:
        """Read a setting."""
        return self._values().get(key, "")

    def getConfigValues(self, pattern: str) -> dict[str, str]:
        """Read the settings whose names match a regular expression."""
        return {key: value for key, value in self._values().items() if re.search(pattern, key)}

    def _values(self) -> dict[str, str]:
        return {**_SETTINGS, "omero.data.dir": str(self.store.directory)}

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
