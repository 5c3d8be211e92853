"""What to install where a release that a tool requires is for no Python of this machine: the next one that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

__all__ = ["near_requirements", "replaced_in", "told_as_replaced"]

_PINNED = re.compile(r"(?P<name>[^=<>~!]+)==(?P<version>[0-9][0-9.]*?)(\.\*)?")
_MARK = "# instead of "


def near_requirements(requirements: Sequence[str], solve: Callable[[str, bool], str]) -> list[str]:
    """Give the requirements, with each release that cannot be had replaced by the next later one that can.

    Parameters
    ----------
    solve
        Gives the release that one requirement leads to (``name==1.2``), the lowest if asked so; empty for none.
    """
    near = []
    for requirement in requirements:
        match = _PINNED.fullmatch(requirement)
        if match is None or solve(requirement, False):
            near.append(requirement)
        else:
            near.append(solve(f"{match['name']}>={match['version']}", True) or requirement)
    return near


def told_as_replaced(asked: Sequence[str], near: Sequence[str]) -> str:
    """Give the lines of a lock that say what was replaced."""
    pairs = zip(asked, near, strict=True)
    return "".join(f"{_MARK}{wanted}: {taken}\n" for wanted, taken in pairs if wanted != taken)


def replaced_in(lock: str) -> list[str]:
    """Give what a lock says was replaced.

    Examples
    --------
    >>> replaced_in(told_as_replaced(["numpy==1.21.*", "scipy==1.17"], ["numpy==1.23.2", "scipy==1.17"]))
    ['numpy==1.23.2 instead of numpy==1.21.*']
    """
    lines = (line.removeprefix(_MARK) for line in lock.splitlines() if line.startswith(_MARK))
    return [" instead of ".join(reversed(line.split(": ", 1))) for line in lines]
