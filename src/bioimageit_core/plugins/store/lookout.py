"""Ask the process that goes on listening between commands what was touched in a large folder, and start it.

A command is a new process, which would have to look at every document before it may believe its index. The lookout
(`bioimageit_core.plugins.store.lookout_process`) hears of each change meanwhile, where the system tells (Linux). It
knows nothing of documents. One that has ended, or another user's, only makes us look for ourselves.
"""

from __future__ import annotations

import os
import sys

import msgspec

__all__ = ["Answer", "Lookout", "Question", "address_of", "peer_of"]

_PATIENCE = 2.0  # seconds for an answer, which takes a thousandth of one
_START = 10.0  # seconds for it to begin
_IDLE = 15 * 60.0  # seconds without a question after which it ends
_PROTOCOL = 1


class Question(msgspec.Struct):
    """What was touched in a directory, which is that of a device and inode, since the moment of a mark."""

    directory: str
    place: tuple[int, int]
    mark: str


class Answer(msgspec.Struct):
    """A mark of this moment, and names of documents; None for 'unknown'."""

    mark: str
    names: set[str] | None


class Lookout(msgspec.Struct, frozen=True):
    """The lookout of this user on this machine.

    Parameters
    ----------
    is_wanted
        Ask it, and start it where it does not run; else every answer is 'look for yourself'.
    """

    is_wanted: bool = True

    def touched(self, directory: str, mark: str) -> tuple[str, set[str] | None]:
        """Return a mark of this moment, and the documents that were touched since the moment of another.

        Returns
        -------
        mark
            To be kept with what is known of the directory once it is up to date; ``''`` where nothing may be kept.
        names
            None for 'look for yourself': it cannot be said what happened since.
        """
        if not self.is_wanted or not sys.platform.startswith("linux"):
            return "", None
        try:
            status = os.stat(directory)
            question = Question(directory, (status.st_dev, status.st_ino), mark)
            answer = msgspec.json.decode(_ask(msgspec.json.encode(question) + b"\n"), type=Answer)
        except (OSError, ValueError):
            return "", None
        return answer.mark, answer.names


def address_of(user: int) -> str:
    """Return the name of a user's socket: one without a file, which is gone when its process is."""
    return f"\0bioimageit-lookout-{_PROTOCOL}-{user}"


def peer_of(connection: object) -> int:
    """Return the user at the other end of a connection: anybody may take a name, nobody this."""
    import socket
    import struct

    credentials = struct.Struct("3i")
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)  # type: ignore[attr-defined]
    return int(credentials.unpack(said)[1])


def _ask(question: bytes) -> bytes:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(address_of(os.geteuid()))
        except ConnectionRefusedError:
            _start()
            connection.connect(address_of(os.geteuid()))
        if peer_of(connection) != os.geteuid():
            return b""
        connection.sendall(question)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def _start() -> None:
    """Start it; it goes on by itself, and ends when nobody has asked for a while."""
    import subprocess

    if "python" not in os.path.basename(sys.executable).lower() or getattr(sys, "frozen", False):
        return  # another program that Python is a part of would start itself
    name = address_of(os.geteuid()).removeprefix("\0")
    argv = [sys.executable, "-P", "-m", "bioimageit_core.plugins.store.lookout_process", name, str(_IDLE)]
    nowhere = subprocess.DEVNULL
    try:
        subprocess.run(
            argv,
            check=False,
            timeout=_START,
            start_new_session=True,
            cwd="/",
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
