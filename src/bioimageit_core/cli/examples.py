"""Examples below the help of a command."""

from __future__ import annotations

__all__ = ["examples"]


def examples(*arguments: str) -> str:
    """Return examples of a command as its help shows them, each in a line of its own."""
    return "\n".join(["\b", "Examples:", *(f"  bioimageit {text}" for text in arguments)])
