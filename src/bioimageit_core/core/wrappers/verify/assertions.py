"""The assertions of ``<assert_contents>``, ``<assert_stdout>``, ``<assert_stderr>`` and ``<assert_command>``."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.core.wrappers.verify.errors import VerificationError, check_count, is_true
from bioimageit_core.core.wrappers.verify.images import IMAGE_ASSERTIONS

__all__ = ["KNOWN_ASSERTIONS", "Assertion", "check_assertions"]


@dataclass(frozen=True)
class Assertion:
    """One assertion, and those in it."""

    name: str
    facts: Mapping[str, str]
    inner: tuple[Assertion, ...] = ()


def check_assertions(assertions: Sequence[Assertion], content: bytes | str) -> None:
    """Check all assertions on a content; a path stands for a directory.

    Raises
    ------
    VerificationError
        The first that does not hold, or that is not known.
    """
    for assertion in assertions:
        check = _CHECKS.get(assertion.name)
        if check is None:
            raise VerificationError(f"assertion {assertion.name!r} is not known")
        try:
            check(content, assertion)
        except VerificationError as error:
            said = " ".join(f"{key}={value!r}" for key, value in assertion.facts.items())
            raise VerificationError(f"{assertion.name} {said}: {error}") from error
        except (ValueError, KeyError, re.error) as error:
            raise VerificationError(f"{assertion.name}: {type(error).__name__}: {error}") from error


def _data(content: bytes | str) -> bytes:
    if isinstance(content, str):
        raise VerificationError("a file is expected, not a directory")
    return content


def _text(content: bytes | str) -> str:
    return _data(content).decode("utf-8", "replace")


def _occurs(facts: Mapping[str, str], count: int, what: str) -> None:
    """Check how often something occurs: at least once where the assertion does not say."""
    if any(facts.get(key) for key in ("n", "min", "max")):
        check_count(facts, count, f"{what} occurs so many times")
    elif is_true(facts.get("negate")):
        if count:
            raise VerificationError(f"{what} occurs")
    elif not count:
        raise VerificationError(f"{what} does not occur")


def _has_text(content: bytes | str, assertion: Assertion) -> None:
    text = assertion.facts.get("text", "")
    _occurs(assertion.facts, len(re.findall(re.escape(text), _text(content))), repr(text))


def _not_has_text(content: bytes | str, assertion: Assertion) -> None:
    if assertion.facts.get("text", "") in _text(content):
        raise VerificationError("it occurs")


def _has_text_matching(content: bytes | str, assertion: Assertion) -> None:
    expression = assertion.facts.get("expression", "")
    _occurs(assertion.facts, len(re.findall(expression, _text(content))), f"a match of {expression!r}")


def _has_line(content: bytes | str, assertion: Assertion) -> None:
    line = assertion.facts.get("line", "")
    count = len(re.findall(f"^{re.escape(line)}$", _text(content), re.MULTILINE))
    _occurs(assertion.facts, count, f"the line {line!r}")


def _has_line_matching(content: bytes | str, assertion: Assertion) -> None:
    expression = assertion.facts.get("expression", "")
    # as Galaxy puts it together: the alternatives of an expression stand outside of the line's ends
    count = len(re.findall(f"^{expression}$", _text(content), re.MULTILINE))
    _occurs(assertion.facts, count, f"a line that matches {expression!r}")


def _has_n_lines(content: bytes | str, assertion: Assertion) -> None:
    check_count(assertion.facts, len(_text(content).splitlines()), "the number of lines")


def _has_n_columns(content: bytes | str, assertion: Assertion) -> None:
    separator = assertion.facts.get("sep", "\t").replace("\\t", "\t")
    comment = assertion.facts.get("comment", "")
    lines = (line for line in _text(content).split("\n") if line and line[0] not in comment)
    check_count(assertion.facts, len(next(lines, "").split(separator)), "the number of columns")


def _has_size(content: bytes | str, assertion: Assertion) -> None:
    if isinstance(content, str):
        size = sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(content) for name in names)
    else:
        size = len(content)
    key = "size" if "size" in assertion.facts else "value"
    check_count(assertion.facts, size, "the size in bytes", key)


def _xml(content: bytes | str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(_data(content), parser)
    except etree.XMLSyntaxError as error:
        raise VerificationError(f"not well-formed XML: {error}") from error


def _is_valid_xml(content: bytes | str, _assertion: Assertion) -> None:
    _xml(content)


def _found(content: bytes | str, assertion: Assertion) -> list[Any]:
    root, path = _xml(content), assertion.facts.get("path", "")
    try:
        found = list(root.findall(path))
    except SyntaxError as error:
        raise VerificationError(f"path {path!r}: {error}") from error
    return found


def _one(content: bytes | str, assertion: Assertion) -> Any:
    found = _found(content, assertion)
    if not found:
        raise VerificationError("there is no such element")
    return found[0]


def _has_element_with_path(content: bytes | str, assertion: Assertion) -> None:
    _occurs({"negate": assertion.facts.get("negate", "")}, len(_found(content, assertion)), "the element")


def _has_n_elements_with_path(content: bytes | str, assertion: Assertion) -> None:
    check_count(assertion.facts, len(_found(content, assertion)), "the number of elements")


def _expect(holds: bool, assertion: Assertion, what: str) -> None:
    if holds is is_true(assertion.facts.get("negate")):
        raise VerificationError(what)


def _element_text_matches(content: bytes | str, assertion: Assertion) -> None:
    text = _one(content, assertion).text
    if text is None:
        raise VerificationError("the element has no text")
    _expect(re.search(assertion.facts["expression"], text) is not None, assertion, f"the text is {text!r}")


def _element_text_is(content: bytes | str, assertion: Assertion) -> None:
    text = _one(content, assertion).text
    if text is None:
        raise VerificationError("the element has no text")
    _expect(_ends_with(text, assertion), assertion, f"the text is {text!r}")


def _ends_with(text: str, assertion: Assertion) -> bool:
    """Compare as Galaxy does, where what stands before the expected text does not count."""
    return re.search(f"{re.escape(assertion.facts['text'])}$", text) is not None


def _attribute_matches(content: bytes | str, assertion: Assertion) -> None:
    text = _one(content, assertion).get(assertion.facts["attribute"])
    if text is None:
        raise VerificationError("there is no such attribute")
    _expect(re.search(assertion.facts["expression"], text) is not None, assertion, f"the attribute is {text!r}")


def _attribute_is(content: bytes | str, assertion: Assertion) -> None:
    text = _one(content, assertion).get(assertion.facts["attribute"])
    if text is None:
        raise VerificationError("there is no such attribute")
    _expect(_ends_with(text, assertion), assertion, f"the attribute is {text!r}")


def _element_text(content: bytes | str, assertion: Assertion) -> None:
    check_assertions(assertion.inner, (_one(content, assertion).text or "").encode())


def _xml_element(content: bytes | str, assertion: Assertion) -> None:
    found = _found(content, assertion)
    _occurs(assertion.facts, len(found), "the element")
    attribute = assertion.facts.get("attribute", "")
    texts = [(item.get(attribute, "") if attribute else item.text or "") for item in found]
    for text in texts if is_true(assertion.facts.get("all")) else texts[:1]:
        check_assertions(assertion.inner, text.encode())


def _json_values(content: bytes | str, name: str) -> list[Any]:
    def walk(node: Any) -> list[Any]:
        if isinstance(node, dict):
            own = [node[name]] if name in node else []
            return own + [item for value in node.values() for item in walk(value)]
        return [item for value in node for item in walk(value)] if isinstance(node, list) else []

    try:
        return walk(json.loads(_text(content)))
    except ValueError as error:
        raise VerificationError(f"not JSON: {error}") from error


def _has_json_property_with_value(content: bytes | str, assertion: Assertion) -> None:
    wanted = json.loads(assertion.facts["value"])
    found = _json_values(content, assertion.facts["property"])
    if wanted not in found:
        raise VerificationError(f"its values are {found[:5]}")


def _has_json_property_with_text(content: bytes | str, assertion: Assertion) -> None:
    found = _json_values(content, assertion.facts["property"])
    if assertion.facts["text"] not in found:
        raise VerificationError(f"its values are {found[:5]}")


def _h5(content: bytes | str) -> Any:
    try:
        import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise VerificationError("to look into HDF5 files, install h5py") from error
    return h5py.File(io.BytesIO(_data(content)), "r")


def _has_h5_keys(content: bytes | str, assertion: Assertion) -> None:
    names: list[str] = []
    with _h5(content) as file:
        file.visit(names.append)
    wanted = [key.strip() for key in assertion.facts.get("keys", "").split(",") if key.strip()]
    lacking = [key for key in wanted if key not in names]
    if lacking:
        raise VerificationError(f"it lacks {', '.join(lacking)} (it has {', '.join(names[:20])})")


def _has_h5_attribute(content: bytes | str, assertion: Assertion) -> None:
    with _h5(content) as file:
        value = file.attrs.get(assertion.facts["key"])
    if str(value) != assertion.facts["value"]:
        raise VerificationError(f"it is {value!r}")


def _archive(content: bytes | str) -> tuple[list[str], Callable[[str], bytes]]:
    stream = io.BytesIO(_data(content))
    if zipfile.is_zipfile(stream):
        archive = zipfile.ZipFile(stream)
        return archive.namelist(), archive.read
    stream.seek(0)
    try:
        tar = tarfile.open(fileobj=stream)  # noqa: SIM115  (it lives as long as the returned function)
    except tarfile.TarError as error:
        raise VerificationError("it is neither a zip nor a tar archive") from error

    def read(name: str) -> bytes:
        member = tar.extractfile(name)
        return b"" if member is None else member.read()  # a directory, or what is no file

    return tar.getnames(), read


def _has_archive_member(content: bytes | str, assertion: Assertion) -> None:
    names, read = _archive(content)
    pattern = assertion.facts.get("path", "")
    found = sorted(name for name in names if re.match(pattern, name))
    _occurs(assertion.facts, len(found), f"a member that matches {pattern!r}")
    for name in found if is_true(assertion.facts.get("all")) else found[:1]:
        check_assertions(assertion.inner, read(name))


def _has_directory_content(content: bytes | str, assertion: Assertion) -> None:
    if not isinstance(content, str):
        raise VerificationError("a directory is expected")
    pattern = assertion.facts.get("path", "")
    names = [
        os.path.relpath(os.path.join(top, name), content) for top, inner, found in os.walk(content) for name in found
    ]
    _occurs(assertion.facts, sum(1 for name in names if re.match(pattern, name)), f"a file that matches {pattern!r}")


def _of_image(check: Callable[[bytes, Mapping[str, str]], None]) -> Callable[[bytes | str, Assertion], None]:
    return lambda content, assertion: check(_data(content), assertion.facts)


_CHECKS: dict[str, Callable[[bytes | str, Assertion], None]] = {
    "has_text": _has_text,
    "not_has_text": _not_has_text,
    "has_text_matching": _has_text_matching,
    "has_line": _has_line,
    "has_line_matching": _has_line_matching,
    "has_n_lines": _has_n_lines,
    "has_n_columns": _has_n_columns,
    "has_size": _has_size,
    "is_valid_xml": _is_valid_xml,
    "has_element_with_path": _has_element_with_path,
    "has_n_elements_with_path": _has_n_elements_with_path,
    "element_text_matches": _element_text_matches,
    "element_text_is": _element_text_is,
    "attribute_matches": _attribute_matches,
    "attribute_is": _attribute_is,
    "element_text": _element_text,
    "xml_element": _xml_element,
    "has_json_property_with_value": _has_json_property_with_value,
    "has_json_property_with_text": _has_json_property_with_text,
    "has_h5_keys": _has_h5_keys,
    "has_h5_attribute": _has_h5_attribute,
    "has_archive_member": _has_archive_member,
    "has_directory_content": _has_directory_content,
    **{name: _of_image(check) for name, check in IMAGE_ASSERTIONS.items()},
}
KNOWN_ASSERTIONS = frozenset(_CHECKS)
