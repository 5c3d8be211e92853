"""Which ability of a plugin a test of the kit is about."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

__all__ = ["ability", "look_for"]

Marked = TypeVar("Marked", bound=Callable[..., Any])


def ability(name: str) -> Callable[[Marked], Marked]:
    """Say which line of the verdict a test counts for, or all tests of a class that do not say so themselves.

    The functions are marked, not the class: a class that inherits from several parts would get the marks of all.
    """

    def mark(marked: Marked) -> Marked:
        tests = (
            [marked] if not inspect.isclass(marked) else [t for n, t in vars(marked).items() if n.startswith("test_")]
        )
        for test in tests:
            if not any(m.name == "bioimageit_ability" for m in getattr(test, "pytestmark", [])):
                pytest.mark.bioimageit_ability(name)(test)
        return marked

    return mark


def look_for(service: Any, *methods: str) -> None:
    """Skip the test if the service lacks one of these optional methods, saying which."""
    lacking = [name for name in methods if not callable(getattr(service, name, None))]
    if lacking:
        pytest.skip(f"{type(service).__name__} has no {' and no '.join(lacking)}")
