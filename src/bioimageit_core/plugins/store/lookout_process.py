"""The lookout: listens to large folders between the commands of a user, and tells the next one what was touched.

It is started by the first command that needs it (`bioimageit_core.plugins.store.lookout`), answers its own user alone,
by a socket that has no file, and ends when nobody has asked for a while. It reads and writes no file of the user's.

    python -m bioimageit_core.plugins.store.lookout_process NAME IDLE
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import uuid
from collections import OrderedDict

import msgspec

from bioimageit_core.core.paths import MD_SUFFIX
from bioimageit_core.plugins.store.content import is_text
from bioimageit_core.plugins.store.lookout import Answer, Question, peer_of
from bioimageit_core.plugins.store.watch import Watch

__all__ = ["Heard", "Listener"]

_TRUST = 60 * 60.0  # seconds after which a folder is to be looked at again, should the system not tell all
_FOLDERS = 256
_NAMES = 10_000  # of one folder; when more were touched, to look at all is hardly dearer
_QUESTION = 1 << 16  # bytes


class Heard:
    """What was heard of one folder, and when: turns are counted, one for each question before which something was."""

    def __init__(self, directory: str) -> None:
        self._watch = Watch(directory)
        self._begin()

    def _begin(self) -> None:
        self._life = uuid.uuid4().hex
        self._turn = 0
        self._names: dict[str, int] = {}
        self._until = time.monotonic() + _TRUST

    def since(self, mark: str, place: tuple[int, int]) -> Answer:
        """Return a mark of now, and the documents that were touched since that of another time; None for 'unknown'."""
        touched = self._watch.changes()
        if touched is None or len(self._names) > _NAMES or time.monotonic() > self._until:
            self._begin()
        elif documents := [name for name in touched if name.endswith(MD_SUFFIX) and is_text(name)]:
            self._turn += 1
            self._names.update(dict.fromkeys(documents, self._turn))
        if not self._watch.is_listening or self._watch.place != place:
            return Answer("", None)
        life, _, turn = mark.partition(" ")
        names = None
        if life == self._life and turn.isdecimal():
            names = {name for name, when in self._names.items() if when > int(turn)}
        return Answer(f"{self._life} {self._turn}", names)

    def close(self) -> None:
        """Stop listening."""
        self._watch.close()


class Listener:
    """Answers questions until nobody has asked for `idle` seconds."""

    def __init__(self, server: socket.socket, idle: float) -> None:
        self._server = server
        self._server.settimeout(idle)
        self._folders: OrderedDict[str, Heard] = OrderedDict()

    def listen(self) -> None:
        """Go on until it is idle."""
        with contextlib.suppress(TimeoutError):
            while True:
                connection, _ = self._server.accept()
                with connection, contextlib.suppress(OSError, ValueError):
                    connection.settimeout(1)
                    if peer_of(connection) == os.geteuid():
                        self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            question = msgspec.json.decode(lines.readline(_QUESTION), type=Question)
        answer = self._heard(question.directory).since(question.mark, question.place)
        connection.sendall(msgspec.json.encode(answer))

    def _heard(self, directory: str) -> Heard:
        heard = self._folders.pop(directory, None) or Heard(directory)
        self._folders[directory] = heard
        while len(self._folders) > _FOLDERS:
            self._folders.popitem(last=False)[1].close()
        return heard


def main(name: str, idle: str) -> None:
    """Take the place of a lookout, and go on in a process of its own; nothing where it is taken."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        try:
            server.bind(f"\0{name}")
        except OSError:
            return  # another was faster
        server.listen(64)
        if os.fork():  # who started us goes on as soon as questions are taken
            os._exit(0)
        Listener(server, float(idle)).listen()


if __name__ == "__main__":
    main(*sys.argv[1:])
