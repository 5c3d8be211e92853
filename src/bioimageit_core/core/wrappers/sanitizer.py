"""The barrier between the texts of users and a shell: which characters a value may keep, and what the others become.

The default characters and mapping are those of Galaxy's documentation of ``<sanitizer>``.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["DEFAULT_MAPPING", "DEFAULT_SANITIZER", "DEFAULT_VALID", "Sanitizer", "read_sanitizer", "sanitize_name"]

DEFAULT_VALID = frozenset(string.ascii_letters + string.digits + " -=_.()/+*^,:?!")
DEFAULT_MAPPING = {
    ">": "__gt__",
    "<": "__lt__",
    "'": "__sq__",
    '"': "__dq__",
    "[": "__ob__",
    "]": "__cb__",
    "{": "__oc__",
    "}": "__cc__",
    "@": "__at__",
    "\n": "__cn__",
    "\r": "__cr__",
    "\t": "__tc__",
    "#": "__pd__",
}
_PRESETS = {
    "none": "",
    "default": "".join(sorted(DEFAULT_VALID)),
    "string.ascii_letters": string.ascii_letters,
    "string.ascii_lowercase": string.ascii_lowercase,
    "string.ascii_uppercase": string.ascii_uppercase,
    "string.letters": string.ascii_letters,
    "string.lowercase": string.ascii_lowercase,
    "string.uppercase": string.ascii_uppercase,
    "string.digits": string.digits,
    "string.hexdigits": string.hexdigits,
    "string.octdigits": string.octdigits,
    "string.printable": string.printable,
    "string.punctuation": string.punctuation,
    "string.whitespace": string.whitespace,
}


@dataclass(frozen=True)
class Sanitizer:
    """Which characters a value keeps; one that is in neither set becomes `invalid`."""

    valid: frozenset[str] = DEFAULT_VALID
    mapping: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_MAPPING))
    invalid: str = "X"
    is_active: bool = True

    def clean(self, text: str) -> str:
        """Give the text as a command line may have it.

        Examples
        --------
        >>> DEFAULT_SANITIZER.clean("a'; rm -rf [x]")
        'a__sq__X rm -rf __ob__x__cb__'
        """
        if not self.is_active:
            return text
        return "".join(c if c in self.valid else self.mapping.get(c, self.invalid) for c in text)


DEFAULT_SANITIZER = Sanitizer()


def sanitize_name(text: str) -> str:
    """Give the name of a data as a command line may have it: letters and digits of any script are kept.

    Examples
    --------
    >>> sanitize_name("Zürich $(x) 1.tif")
    'Zürich X(x) 1.tif'
    """
    return "".join(c if c in DEFAULT_VALID or c.isalnum() else DEFAULT_MAPPING.get(c, "X") for c in text)


def read_sanitizer(element: _Element) -> Sanitizer:
    """Read a ``<sanitizer>``."""
    is_active = element.get("sanitize", "true").lower() not in ("false", "no", "0")
    valid_blocks, mapping_blocks = element.findall("valid"), element.findall("mapping")
    valid: set[str] = set() if valid_blocks else set(DEFAULT_VALID)
    for block in valid_blocks:
        valid |= _preset(block.get("initial", "default"))
        for action in block:
            preset, value = _preset(action.get("preset", "none")), action.get("value", "")
            if action.tag == "add":
                valid |= preset | ({value} if len(value) == 1 else set())
            elif action.tag == "remove":
                valid -= preset | set(value)
    mapping: dict[str, str] = {} if mapping_blocks else dict(DEFAULT_MAPPING)
    for block in mapping_blocks:
        if block.get("initial", "default") in ("default", "galaxy.util.mapped_chars"):
            mapping |= DEFAULT_MAPPING
        for action in block:
            source = action.get("source", "")
            if action.tag == "add" and len(source) == 1:
                mapping[source] = action.get("target", "")
            elif action.tag == "remove":
                mapping.pop(source, None)
    return Sanitizer(frozenset(valid), mapping, element.get("invalid_char", "X"), is_active)


def _preset(names: str) -> set[str]:
    return {character for name in names.split(",") for character in _PRESETS.get(name.strip(), "")}
