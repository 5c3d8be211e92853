"""The process: users and groups, endpoints, and a few commands on its standard input."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from .model import CLASSES  # isort: skip  # first: it records what the client says while it is imported

import Ice
from omero import ObjectFactoryRegistrar, rtypes

from .servants import Faults
from .sessions import Factory, Manager, Router, SessionRecord, Verifier
from .store import Caller, Store

__all__ = ["Server", "main"]

ENUMERATIONS = {
    "PixelsType": ["bit", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float", "double", "complex"],
    "DimensionOrder": ["XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"],
    "ChecksumAlgorithm": ["SHA1-160", "MD5-128", "Adler-32", "CRC-32", "Murmur3-32", "Murmur3-128", "File-Size-64"],
    "EventType": ["Bootstrap", "User", "Internal"],
    "Format": ["OMERO.tables", "TIFF", "OMEXml", "Companion/HDF5"],
    "RenderingModel": ["rgb", "greyscale"],
    "Immersion": ["Oil", "Water", "Air", "Other", "Unknown"],
    "Correction": ["PlanApo", "Other", "Unknown"],
}
_LASTING = {"ExperimenterGroup", "Experimenter", "GroupExperimenterMap", "Session", "Event", *ENUMERATIONS}
ENUMERATIONS["AdminPrivilege"] = ["Chgrp", "Chown", "ModifyGroup", "ModifyUser", "Sudo", "WriteFile", "WriteOwned"]
ENUMERATIONS["PixelsType"].append("double-complex")

GROUPS = {
    "system": "rw----",
    "user": "rwr---",
    "lab": "rwra--",
    "shared": "rwrw--",
    "private": "rw----",
    "readers": "rwr---",
}
USERS = {
    "root": ["system", "lab"],
    "ada": ["lab", "shared", "private", "readers", "user"],
    "bob": ["lab", "shared", "readers", "user"],
    "eve": ["user"],
}


def populate(store: Store) -> None:
    """Fill a store with what a server has from the start; each user's password is the name twice."""
    root = Caller(0, 0, 0, is_admin=True)
    store._next["ExperimenterGroup"] = store._next["Experimenter"] = 0
    with store.transaction(root):
        for number, (name, permissions) in enumerate(GROUPS.items()):
            row = store.add(root, "ExperimenterGroup", {"name": name, "ldap": False})
            assert row.id == number
            store.group_permissions[row.id] = permissions
        for name, groups in USERS.items():
            values = {"omeName": name, "firstName": name.title(), "lastName": "Example", "ldap": False}
            user = store.add(root, "Experimenter", values)
            store.passwords[name] = name * 2
            for group in groups:
                ends = {"parent": ("ExperimenterGroup", list(GROUPS).index(group)), "child": user.reference}
                store.add(root, "GroupExperimenterMap", {**ends, "owner": False})
        for cls, values in ENUMERATIONS.items():
            for value in values:
                store.add(root, cls, {"value": value})
        values = {"name": "double", "path": f"{store.directory}/", "mimetype": "Repository", "hash": store.uuid}
        store.add(root, "OriginalFile", {**values, "size": 0})


class Server:
    """One server: its store, its sessions, its adapter."""

    def __init__(self, directory: Path, *, is_behind_router: bool) -> None:
        self.store = Store(directory)
        self.faults = Faults()
        self.sessions: dict[str, SessionRecord] = {}
        self.factories: set[Factory] = set()
        self.adding = threading.RLock()
        self.manager = Manager(self)
        populate(self.store)
        self._first = max(row.created for row in self.store.all("OriginalFile"))
        self.communicator = _communicator(directory)
        if is_behind_router:
            self.adapter = self.communicator.createObjectAdapterWithEndpoints("Double", "tcp -h 127.0.0.1")
            self.adapter.add(Verifier(self), self.communicator.stringToIdentity("Verifier"))
            self.adapter.add(self.manager, self.communicator.stringToIdentity("Manager"))
        else:
            self.adapter = self.communicator.createObjectAdapterWithEndpoints("Double", "ssl -h 127.0.0.1")
            self.adapter.add(Router(self), Ice.Identity("router", "OMERO.Glacier2"))
        self.adapter.activate()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.adapter.getEndpoints()[0].getInfo().port)

    def command(self, words: list[str]) -> Any:
        """Do what a line of standard input asks: what tests of lost sessions and failures need."""
        if words[0] == "calls":
            return {"calls": dict(self.faults.calls), "refused": list(self.faults.refused)}
        if words[0] == "reset":
            self.faults.calls.clear()
        elif words[0] == "fail":
            self.faults.countdown, self.faults.has_fired = int(words[1]), False
        elif words[0] == "fired":
            return self.faults.has_fired
        elif words[0] == "forget":
            self.store.forget(_LASTING, self._first)
        elif words[0] == "disconnect":
            for factory in list(self.factories):
                factory.destroy()
        elif words[0] == "expire":
            self.sessions.clear()
            for factory in list(self.factories):
                factory.destroy()
        else:
            return f"no command {words[0]}"
        return "done"


def certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate of our own, and its key."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


def _communicator(directory: Path) -> Any:
    cert, key = certificate(directory)
    settings = {
        "Ice.Plugin.IceSSL": "IceSSL:createIceSSL",
        "IceSSL.CertFile": str(cert),
        "IceSSL.KeyFile": str(key),
        "IceSSL.VerifyPeer": "0",
        "Ice.ImplicitContext": "Shared",
        "Ice.MessageSizeMax": "250000",
        "Ice.ThreadPool.Server.Size": "4",
        "Ice.ThreadPool.Server.SizeMax": "20",
        "Ice.ACM.Client.Timeout": "0",
        "Ice.ACM.Server.Timeout": "0",
        "Ice.Warn.Dispatch": "1",
    }
    data = Ice.InitializationData()
    data.properties = Ice.createProperties()
    for name, value in settings.items():
        data.properties.setProperty(name, value)
    communicator = Ice.initialize(data)
    ObjectFactoryRegistrar.registerObjectFactory(communicator, None)
    for factory in rtypes.ObjectFactories.values():
        factory.register(communicator)
    try:
        import omero.columns

        for factory in omero.columns.ObjectFactories.values():
            factory.register(communicator)
    except (ImportError, AttributeError) as error:
        sys.stderr.write(f"no columns: {error}\n")
    return communicator


def main(arguments: list[str]) -> int:
    """Serve until standard input ends."""
    with tempfile.TemporaryDirectory(prefix="omero-double-") as name:
        server = Server(Path(name), is_behind_router="--behind-router" in arguments)
        facts = {"port": server.port, "classes": len(CLASSES)}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            words = line.split()
            sys.stdout.write(json.dumps(server.command(words) if words else "") + "\n")
            sys.stdout.flush()
        server.communicator.destroy()
    return 0
