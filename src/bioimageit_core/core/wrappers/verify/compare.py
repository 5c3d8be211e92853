"""Compare a file that a tool wrote with the one that its test expects."""

from __future__ import annotations

import bz2
import difflib
import filecmp
import gzip
import hashlib
import io
import lzma
import os
import re
from collections.abc import Callable, Mapping

from bioimageit_core.core.wrappers.verify.errors import VerificationError, is_true

__all__ = ["COMPARISONS", "check_checksum", "compare_files", "decompressed"]

_DEFAULT_DELTA = 10_000
_SHOWN_LINES = 12
_PDF_FACTS = ("description", "createdate", "creationdate", "moddate", "id", "producer", "creator")


def compare_files(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    """Compare two files, or two directories file by file, in the way that ``compare`` says.

    Raises
    ------
    VerificationError
        They differ; the message says where.
    """
    mode = facts.get("compare", "diff")
    if mode not in COMPARISONS:
        raise VerificationError(f"compare={mode!r} is not known (known: {', '.join(COMPARISONS)})")
    if os.path.isdir(expected):
        _compare_directories(expected, actual, facts)
        return
    if not os.path.isfile(actual):
        raise VerificationError(f"{actual}: a file is expected")
    COMPARISONS[mode](expected, actual, facts)


def _compare_directories(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    def listing(top: str) -> set[str]:
        return {
            os.path.relpath(os.path.join(directory, name), top)
            for directory, _, names in os.walk(top)
            for name in names
        }

    wanted, found = listing(expected), listing(actual)
    if wanted != found:
        lacking, extra = sorted(wanted - found)[:5], sorted(found - wanted)[:5]
        raise VerificationError(f"the directories differ: lacking {lacking}, not expected {extra}")
    for name in sorted(wanted):
        compare_files(os.path.join(expected, name), os.path.join(actual, name), facts)


def check_checksum(path: str, text: str) -> None:
    """Check a checksum of the form ``sha256$abc...``; without an algorithm it is MD5.

    Raises
    ------
    VerificationError
        It differs.
    """
    algorithm, _, wanted = text.rpartition("$")
    algorithm = (algorithm or "md5").lower().replace("-", "")
    if algorithm not in hashlib.algorithms_available:
        raise VerificationError(f"checksum of an unknown kind: {algorithm!r}")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != wanted.strip().lower():
        raise VerificationError(f"{algorithm} is {digest.hexdigest()}, expected {wanted}")


def decompressed(content: bytes) -> bytes:
    """Give what is in a compressed file; the content itself where it is not compressed."""
    for magic, opener in ((b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress), (b"\xfd7zXZ", lzma.decompress)):
        if content.startswith(magic):
            return opener(content)
    return content


def _content(path: str, facts: Mapping[str, str]) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    return decompressed(content) if is_true(facts.get("decompress")) else content


def _lines(path: str, facts: Mapping[str, str], keepends: bool = False) -> list[str]:
    content = _content(path, facts)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        if not _is_pdf(path):
            raise VerificationError("the files differ, and are not text") from None
        text = content.decode("latin-1")
    lines = list(io.StringIO(text, newline=None))
    lines = lines if keepends else [line.rstrip("\n") for line in lines]
    return sorted(lines) if is_true(facts.get("sort")) else lines


def _is_pdf(path: str) -> bool:
    with open(path, "rb") as file:
        return path.endswith(".pdf") or file.read(4) == b"%PDF"


def _allowed(facts: Mapping[str, str]) -> int:
    return int(facts.get("lines_diff") or 0)


def _diff(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    if filecmp.cmp(expected, actual, shallow=False) or _content(expected, facts) == _content(actual, facts):
        return
    wanted, found = _lines(expected, facts, keepends=True), _lines(actual, facts, keepends=True)
    diff = list(difflib.unified_diff(wanted, found, "expected", "written", lineterm="\n", n=1))
    changed = [line for line in diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    if _is_pdf(expected):
        # every writing of a PDF has its own date and identity
        changed = [line for line in changed if not any(fact in line.lower() for fact in _PDF_FACTS)]
    if len(changed) > _allowed(facts):
        shown = "\n".join(line[:200].rstrip("\n") for line in diff[:_SHOWN_LINES])
        raise VerificationError(f"{len(changed)} lines differ, {_allowed(facts)} may:\n{shown}")


def _sim_size(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    wanted, found = os.path.getsize(expected), os.path.getsize(actual)
    delta = int(float(facts["delta"])) if facts.get("delta") else _DEFAULT_DELTA
    if abs(wanted - found) > delta:
        raise VerificationError(f"{found} bytes, expected {wanted} +- {delta}")
    if facts.get("delta_frac"):
        share = float(facts["delta_frac"])
        if not wanted * (1 - share) <= found <= wanted * (1 + share):
            raise VerificationError(f"{found} bytes, expected {wanted} +- {share:.0%}")


def _contains(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    text = "\n".join(_lines(actual, {**facts, "sort": ""}))
    lacking = [line for line in _lines(expected, {**facts, "sort": ""}) if line not in text]
    if len(lacking) > _allowed(facts):
        raise VerificationError(f"{len(lacking)} lines are not contained, such as {lacking[0][:200]!r}")


def _re_match(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    patterns, found = _lines(expected, {**facts, "sort": ""}), _lines(actual, facts)
    if len(patterns) != len(found):
        raise VerificationError(f"{len(found)} lines, expected {len(patterns)}")
    differing = [(pattern, line) for pattern, line in zip(patterns, found, strict=True) if not re.match(pattern, line)]
    if len(differing) > _allowed(facts):
        pattern, line = differing[0]
        raise VerificationError(f"{len(differing)} lines do not match; {line[:200]!r} does not match {pattern[:200]!r}")


def _re_match_multiline(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    pattern = _content(expected, {}).decode("utf-8")
    if not re.match(pattern, "\n".join(_lines(actual, facts)), re.MULTILINE) and not re.match(
        pattern, _content(actual, facts).decode("utf-8", "replace"), re.MULTILINE
    ):
        raise VerificationError("the text does not match the expected regular expression")


def _image_diff(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    from bioimageit_core.core.wrappers.verify.images import compare_images

    compare_images(expected, actual, facts)


COMPARISONS: dict[str, Callable[[str, str, Mapping[str, str]], None]] = {
    "diff": _diff,
    "sim_size": _sim_size,
    "contains": _contains,
    "re_match": _re_match,
    "re_match_multiline": _re_match_multiline,
    "image_diff": _image_diff,
}
