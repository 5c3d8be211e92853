"""What a verification says when it fails, and the counting that many assertions share."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["VerificationError", "check_count", "is_true", "number_of_bytes"]

_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class VerificationError(AssertionError):
    """An output is not what the test expects."""


def is_true(text: str | None) -> bool:
    """Read a boolean attribute."""
    return text is not None and text.strip().lower() in ("true", "yes", "1", "on")


def number_of_bytes(text: str) -> float:
    """Read a size: a number with an optional unit.

    Examples
    --------
    >>> number_of_bytes("10k"), number_of_bytes("2Mi")
    (10000.0, 2097152.0)
    """
    value = text.strip().lower().removesuffix("b")
    for unit in sorted(_UNITS, key=len, reverse=True):
        if value.endswith(unit):
            return float(value[: -len(unit)]) * _UNITS[unit]
    return float(value)


def check_count(facts: Mapping[str, str], actual: float, what: str, key: str = "n", delta: float = 0.0) -> None:
    """Check a number against ``n`` (with ``delta``), ``min`` and ``max``; the reverse with ``negate``.

    Raises
    ------
    VerificationError
        The number does not fit.
    """
    if not any(facts.get(name) for name in (key, "min", "max")):
        return
    problems = []
    wanted = facts.get(key)
    tolerance = number_of_bytes(facts.get("delta") or facts.get("eps") or str(delta))
    if wanted is not None and not abs(actual - number_of_bytes(wanted)) <= tolerance:
        problems.append(f"expected {wanted}" + (f" +- {tolerance:g}" if tolerance else ""))
    if facts.get("min") and not actual >= number_of_bytes(facts["min"]):
        problems.append(f"expected at least {facts['min']}")
    if facts.get("max") and not actual <= number_of_bytes(facts["max"]):
        problems.append(f"expected at most {facts['max']}")
    if is_true(facts.get("negate")):
        if not problems:
            raise VerificationError(f"{what}: {actual:g}, which is what it must not be")
    elif problems:
        raise VerificationError(f"{what}: {actual:g}; {', '.join(problems)}")
