r"""Documents as bytes: the JSON that the published software writes.

Four spaces of indent, keys in the order given, ASCII with ``\uXXXX`` escapes, no newline at the end: the text of
``json.dump(document, file, indent=4)``, which both ways of writing here agree on byte by byte.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any

import msgspec

from bioimageit_core.core.exceptions import DocumentError

__all__ = ["MAX_BYTES", "decode", "decode_line", "encode", "encode_line"]

MAX_BYTES = 512 * 1024 * 1024  # a list of five million data; nothing larger is a document of ours

_ESCAPED = re.compile(r"[^\x00-\x7e]")
_encoder = msgspec.json.Encoder()
_decode_any = msgspec.json.Decoder().decode


def encode(document: Any) -> bytes:
    """Write a document.

    Raises
    ------
    DocumentError
        It holds what JSON cannot say.
    """
    try:
        # large and small floats are spelt differently by the fast writer (1e16 for 1e+16, null for NaN), lone
        # surrogates refused, and some types written that JSON does not have
        if _is_plain(document):
            text = msgspec.json.format(_encoder.encode(document), indent=4)
            return text if text.isascii() and b"\x7f" not in text else _escape(text)
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError, msgspec.MsgspecError):
        pass
    try:
        return json.dumps(document, indent=4).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError("document", f"cannot be written as JSON: {error}") from error


def encode_line(record: Any) -> bytes:
    """Write a record as one line, for logs of ours."""
    try:
        return _encoder.encode(record) + b"\n"
    except (TypeError, UnicodeEncodeError, OverflowError, RecursionError, msgspec.MsgspecError):
        return json.dumps(record, default=str).encode("ascii") + b"\n"


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Read a record of a log; None for what is none, as a line is that was cut off when its writer was killed."""
    try:
        record = _decode_any(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def decode(content: bytes, uri: str) -> dict[str, Any]:
    """Read a document.

    Raises
    ------
    DocumentError
        It is cut off, not JSON, not an object, too large, or nested too deeply.
    """
    if len(content) > MAX_BYTES:
        raise DocumentError(uri, f"is larger than {MAX_BYTES} bytes; that is no metadata")
    try:
        document = msgspec.json.decode(content)
    except RecursionError as error:
        raise DocumentError(uri, "is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        document = _decode_leniently(content, uri, error)
    if not isinstance(document, dict):
        raise DocumentError(uri, f"expected a JSON object, found {type(document).__name__}")
    return document


def _decode_leniently(content: bytes, uri: str, error: Exception) -> Any:
    """Read what the published software can write beyond the standard: NaN, Infinity, lone surrogates, a BOM."""
    try:
        return json.loads(content.decode("utf-8-sig"))
    except RecursionError as deep:
        raise DocumentError(uri, "is nested too deeply") from deep
    except json.JSONDecodeError as strict:
        if not content.strip():
            raise DocumentError(uri, "is empty") from error
        end = strict.pos >= len(content.rstrip()) - 1 or "Unterminated" in strict.msg
        what = "is cut off" if end else "is not JSON"
        raise DocumentError(uri, f"{what}: {strict.msg}, line {strict.lineno}, column {strict.colno}") from error
    except (ValueError, UnicodeDecodeError) as strict:
        raise DocumentError(uri, f"is not JSON in UTF-8: {strict}") from error


def _escape(text: bytes) -> bytes:
    def escaped(match: re.Match[str]) -> str:
        return json.dumps(match.group())[1:-1]

    return _ESCAPED.sub(escaped, text.decode()).encode("ascii")


def _is_plain(value: Any) -> bool:
    """Say whether a value is nothing but dicts with text keys, lists, text, usual numbers, truth values and None."""
    kind = type(value)
    if kind is dict:
        if not _TEXT.issuperset(map(type, value)):
            return False
        items = value.values()
    elif kind is list:
        items = value
        if _DICT.issuperset(map(type, value)):  # the list of a dataset, which may be long: with no loop of ours
            values = chain.from_iterable(map(dict.values, value))
            if _TEXT.issuperset(map(type, chain.from_iterable(value))) and _PLAIN.issuperset(map(type, values)):
                return True
    elif kind is float:
        return bool(value == 0 or 1e-4 <= abs(value) < 1e16)  # beyond, and NaN, both writers' spellings differ
    else:
        return kind in _PLAIN
    if _PLAIN.issuperset(map(type, items)):  # the usual case, with no loop of ours
        return True
    return all(type(item) in _PLAIN or _is_plain(item) for item in items)


_DICT = frozenset({dict})
_TEXT = frozenset({str})
_PLAIN = frozenset({str, int, bool, type(None)})
