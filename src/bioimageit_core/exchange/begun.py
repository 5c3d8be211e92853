"""Which records a transfer began to move and has not finished with: noted on this machine, so that it can go on."""

from __future__ import annotations

import contextlib
import hashlib
import os

__all__ = ["Begun"]


class Begun:
    """The uuids that transfers into one experiment began to move since the last one that ended.

    What is there already and differs from the source was either changed there by somebody, which is theirs, or belongs
    to a transfer that was killed before it kept what the home cannot hold. This tells which.

    Parameters
    ----------
    md_uri
        The experiment in its new home.
    """

    def __init__(self, md_uri: str) -> None:
        import platformdirs

        digest = hashlib.sha256(md_uri.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        folder = platformdirs.user_state_dir("bioimageit", appauthor=False)
        self._path = os.path.join(folder, "transfers", f"{digest}.txt")
        self._before: frozenset[str] = frozenset()
        with contextlib.suppress(OSError), open(self._path, encoding="utf-8") as file:
            self._before = frozenset(file.read().split())

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._before

    def add(self, *uuids: str) -> None:
        """Note, before they are moved, that records are; where nothing can be noted, nothing is."""
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            with open(self._path, "a", encoding="utf-8", errors="replace") as file:
                file.writelines(f"{uuid}\n" for uuid in uuids)

    def end(self) -> None:
        """Forget all: the transfer came to its end."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
