"""IAdmin: users, groups, and who may do what."""

from __future__ import annotations

from typing import Any

import omero

from .graph import Loader
from .graphs import change_permissions
from .hql import Interpreter, Page
from .model import model_class_of
from .servants import Service
from .store import PERMISSIONS, Row, StoreError

__all__ = ["Admin"]


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

    def _all(self, cls: str, condition: str = "o.id >= 0", id_: int = 0) -> list[Any]:
        member = "child" if cls == "ExperimenterGroup" else "parent"
        text = (
            f"select distinct o from {cls} o left outer join fetch o.groupExperimenterMap m "
            f"left outer join fetch m.{member} where {condition}"
        )
        values = {"id": id_} if ":id" in condition else {}
        return Interpreter(self.store, self.caller, values).objects(text, Page())

    def lookupGroups(self) -> list[Any]:
        """Read all groups with their members."""
        return self._all("ExperimenterGroup")

    def lookupExperimenters(self) -> list[Any]:
        """Read all users with their groups."""
        return self._all("Experimenter")

    def containedExperimenters(self, group: int) -> list[Any]:
        """Read the members of a group."""
        inner = "select n.child.id from GroupExperimenterMap n where n.parent.id = :id"
        return self._all("Experimenter", f"o.id in ({inner})", group)

    def containedGroups(self, user: int) -> list[Any]:
        """Read the groups of a user."""
        inner = "select n.parent.id from GroupExperimenterMap n where n.child.id = :id"
        return self._all("ExperimenterGroup", f"o.id in ({inner})", user)

    def getDefaultGroup(self, user: int) -> Any:
        """Read the group that a user works in who chooses none."""
        self.store.get(("Experimenter", user))
        return self.getGroup(self.store.default_group_of(user))

    def getMemberOfGroupIds(self, user: Any) -> list[int]:
        """List the groups of a user."""
        return self.store.groups_of(user.id.val)

    def getLeaderOfGroupIds(self, user: Any) -> list[int]:
        """List the groups that a user leads."""
        return self.store.groups_of(user.id.val, as_owner=True)

    # what administrators, and for their groups the owners of groups, may do

    def createGroup(self, made: Any) -> int:
        """Make a group."""
        self._check_admin()
        self._check_new("ExperimenterGroup", "name", made.name.val)
        given = made.details.permissions
        permissions = str(given) if given is not None else "rw----"
        if permissions not in PERMISSIONS:
            raise StoreError("ValidationException", f"the double knows no group permissions {permissions!r}")
        description = None if made.description is None else made.description.val
        with self.store.transaction(self.caller):
            values = {"name": made.name.val, "description": description, "ldap": False}
            row = self.store.add(self.caller, "ExperimenterGroup", values)
        self.store.group_permissions[row.id] = permissions
        return row.id

    def createExperimenterWithPassword(self, made: Any, password: Any, default: Any, groups: list[Any]) -> int:
        """Make a user who is a member of groups."""
        self._check_admin()
        self._check_new("Experimenter", "omeName", made.omeName.val)
        values = {
            name: value.val
            for name in ("omeName", "firstName", "lastName", "middleName", "email", "institution")
            if (value := getattr(made, name)) is not None
        }
        with self.store.transaction(self.caller):
            row = self.store.add(self.caller, "Experimenter", {**values, "ldap": False})
            everyone = next(r for r in self.store.all("ExperimenterGroup") if r.values["name"] == "user")
            for group in dict.fromkeys([default.id.val, *(g.id.val for g in groups or []), everyone.id]):
                self._join(row.id, group)
        self.store.default_groups[row.id] = default.id.val
        self.store.passwords[values["omeName"]] = "" if password is None else password.val
        return row.id

    def createExperimenter(self, made: Any, default: Any, groups: list[Any]) -> int:
        """Make a user without a password."""
        return self.createExperimenterWithPassword(made, None, default, groups)

    def addGroups(self, user: Any, groups: list[Any]) -> None:
        """Make a user a member of groups."""
        with self.store.transaction(self.caller):
            for group in groups:
                self._check_leader(group.id.val)
                self._join(user.id.val, group.id.val)

    def removeGroups(self, user: Any, groups: list[Any]) -> None:
        """Take a user out of groups."""
        with self.store.transaction(self.caller):
            for group in groups:
                self._check_leader(group.id.val)
                for row in self._memberships(user.id.val, group.id.val):
                    self.store.remove(row)

    def addGroupOwners(self, group: Any, users: list[Any]) -> None:
        """Make users lead a group; who is no member becomes one."""
        self._check_leader(group.id.val)
        with self.store.transaction(self.caller):
            for user in users:
                self._join(user.id.val, group.id.val)
                self._lead(user.id.val, group.id.val, leads=True)

    def setGroupOwner(self, group: Any, user: Any) -> None:
        """Make a user lead a group."""
        self.addGroupOwners(group, [user])

    def unsetGroupOwner(self, group: Any, user: Any) -> None:
        """Let a user lead a group no more."""
        self._check_leader(group.id.val)
        with self.store.transaction(self.caller):
            self._lead(user.id.val, group.id.val, leads=False)

    def setDefaultGroup(self, user: Any, group: Any) -> None:
        """Say in which of the groups a user works who chooses none."""
        if user.id.val != self.caller.user:
            self._check_admin()
        if group.id.val not in self.store.groups_of(user.id.val):
            raise StoreError("ApiUsageException", f"user {user.id.val} is not a member of group {group.id.val}")
        self.store.default_groups[user.id.val] = group.id.val

    def changePassword(self, new: Any) -> None:
        """Change the caller's password."""
        name = self.store.get(("Experimenter", self.caller.user)).values["omeName"]
        self.store.passwords[name] = new.val

    def changePermissions(self, made: Any, permissions: Any) -> None:
        """Change what the members of a group may do."""
        targets = {model_class_of(made).name: [made.id.val]}
        if list(targets) != ["ExperimenterGroup"]:
            raise StoreError("ApiUsageException", "only groups have permissions of their own")
        change_permissions(self.store, self.caller, targets, str(permissions))

    def _check_admin(self) -> None:
        if not self.caller.is_admin:
            raise StoreError("SecurityViolation", "for administrators only")

    def _check_leader(self, group: int) -> None:
        self.store.get(("ExperimenterGroup", group))
        if not self.caller.is_admin and group not in self.store.groups_of(self.caller.user, as_owner=True):
            raise StoreError("SecurityViolation", f"for administrators and owners of group {group} only")

    def _check_new(self, cls: str, key: str, value: str) -> None:
        if any(row.values.get(key) == value for row in self.store.all(cls)):
            raise StoreError("ValidationException", f"there is a {cls} whose {key} is {value!r}")

    def _memberships(self, user: int, group: int) -> list[Row]:
        maps = self.store.referring(("Experimenter", user), "GroupExperimenterMap", "child")
        return [row for row in maps if row.values["parent"][1] == group]

    def _join(self, user: int, group: int) -> None:
        if not self._memberships(user, group):
            ends = {"parent": ("ExperimenterGroup", group), "child": ("Experimenter", user)}
            self.store.add(self.caller, "GroupExperimenterMap", {**ends, "owner": False})

    def _lead(self, user: int, group: int, *, leads: bool) -> None:
        for row in self._memberships(user, group):
            self.store.set(row, "owner", leads)

    def getCurrentAdminPrivileges(self) -> list[Any]:
        """List the caller's privileges: all, for administrators."""
        loader = Loader(self.store, self.caller)
        return [loader.load(row) for row in self.store.all("AdminPrivilege")] if self.caller.is_admin else []


def event_context(store: Any, caller: Any) -> Any:
    """Make the context of a call."""
    context = omero.sys.EventContext()
    group = caller.session_group if caller.group < 0 else caller.group
    context.shareId, context.sessionUuid = -1, caller.session
    context.sessionId = next((r.id for r in store.all("Session") if r.values["uuid"] == caller.session), -1)
    context.userId, context.groupId, context.isAdmin = caller.user, group, caller.is_admin
    context.userName = store.get(("Experimenter", caller.user)).values["omeName"]
    context.groupName = store.get(("ExperimenterGroup", group)).values["name"]
    context.eventId, context.eventType, context.adminPrivileges = -1, "User", []
    context.memberOfGroups = store.groups_of(caller.user)
    context.leaderOfGroups = store.groups_of(caller.user, as_owner=True)
    context.groupPermissions = omero.model.PermissionsI(store.permissions_of(group))
    return context
