"""Verify all outputs of a test: which there are, what is in them, what collections and discoveries gave."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence

from bioimageit_core.core.wrappers.call import OutputFile
from bioimageit_core.core.wrappers.cases import CannotRunError, ExpectedOutput, TestCase
from bioimageit_core.core.wrappers.datatypes import is_kind_of
from bioimageit_core.core.wrappers.probe import probe
from bioimageit_core.core.wrappers.specs import OutputSpec
from bioimageit_core.core.wrappers.verify.assertions import check_assertions
from bioimageit_core.core.wrappers.verify.compare import check_checksum, compare_files, decompressed
from bioimageit_core.core.wrappers.verify.errors import VerificationError, check_count, is_true

__all__ = ["verify_outputs"]

FindFile = Callable[[str], str]


def verify_outputs(
    case: TestCase, specs: Sequence[OutputSpec], files: Sequence[OutputFile], find_file: FindFile
) -> list[str]:
    """Give everything that is not as a test expects it; empty where all is.

    Parameters
    ----------
    find_file
        Gives the path of a file of the test's data.
    """
    problems: list[str] = []
    if case.expect_num_outputs is not None:
        elements = sum(len(spec.elements) for spec in specs)
        # the elements that a wrapper lists of a collection are counted by some, and not by others
        if case.expect_num_outputs not in (len(specs), len(specs) + elements):
            names = ", ".join(spec.name for spec in specs) or "none"
            problems.append(f"{len(specs)} outputs ({names}), expected {case.expect_num_outputs}")
    for position, expected in enumerate(case.outputs):
        spec = next((item for item in specs if item.name == expected.name), None)
        if spec is None and not expected.is_collection and position < len(specs):
            spec = specs[position]  # as in Galaxy, where a name is not known the position counts
        if spec is None:
            names = ", ".join(item.name for item in specs) or "none"
            problems.append(f"there is no output {expected.name!r} (there are: {names})")
            continue
        own = [file for file in files if file.name == spec.name]
        try:
            problems.extend(_verify_output(expected, spec, own, find_file))
        except CannotRunError as error:
            if expected.is_elsewhere:
                raise
            problems.append(f"output {spec.name!r}: {error}")
    return problems


def _verify_output(
    expected: ExpectedOutput, spec: OutputSpec, files: Sequence[OutputFile], find_file: FindFile
) -> list[str]:
    what = f"output {spec.name!r}"
    if expected.is_collection or spec.is_collection:
        return _verify_collection(expected, spec, files, find_file)
    problems = []
    found = [file for file in files if file.designation]
    main = next((file for file in files if not file.designation), None)
    problems.extend(_count_problems(expected, len(files), f"{what}: its datasets"))
    if _expects_content(expected):
        is_as_planned = main is None or main.format == spec.format  # else the tool itself said what it is
        datatype = spec.datatype if is_as_planned else ""
        problems.extend(_verify_file(expected, what, main, datatype, find_file, spec.metadata))
    if main is not None:
        problems.extend(_verify_extra_files(expected, what, main, find_file))
    for entry in expected.discovered:
        inner = f"{what}, discovered {entry.name!r}"
        match = next((file for file in found if file.designation == entry.name), None)
        problems.extend(_verify_file(entry, inner, match, "", find_file))
    return problems


def _verify_extra_files(expected: ExpectedOutput, what: str, main: OutputFile, find_file: FindFile) -> list[str]:
    """Verify what a tool wrote beside its output, into the output's directory of extra files."""
    top = f"{main.path.removesuffix('.dat')}_files"
    problems = []
    for entry in expected.extra_files:
        path = os.path.normpath(os.path.join(top, entry.name))
        if path != top and not path.startswith(top + os.sep):
            problems.append(f"{what}: extra file {entry.name!r} is outside of its directory")
            continue
        file = OutputFile(main.name, path, "data")
        problems.extend(_verify_file(entry, f"{what}, extra file {entry.name!r}", file, "", find_file))
    return problems


def _expects_content(expected: ExpectedOutput) -> bool:
    keys = ("file", "value", "value_json", "md5", "checksum", "ftype", "location")
    return bool(expected.assertions or expected.metadata or any(expected.facts.get(key) for key in keys))


def _verify_collection(
    expected: ExpectedOutput, spec: OutputSpec, files: Sequence[OutputFile], find_file: FindFile
) -> list[str]:
    what = f"collection {spec.name!r}"
    problems = []
    by_key = {file.designation: file for file in files}
    top = list(dict.fromkeys(key.partition("|")[0] for key in by_key))
    problems.extend(_count_problems(expected, len(top), f"{what}: its elements"))
    kind = expected.facts.get("type")
    if kind and spec.collection_type not in ("", kind):
        problems.append(f"{what} is of type {spec.collection_type}, expected {kind}")
    _verify_elements(expected, "", by_key, what, find_file, problems)
    return problems


def _count_problems(expected: ExpectedOutput, actual: int, what: str) -> list[str]:
    facts = {key: expected.facts[key] for key in ("min", "max") if expected.facts.get(key)}
    if expected.facts.get("count"):
        facts["n"] = expected.facts["count"]
    try:
        check_count(facts, actual, what)
    except VerificationError as error:
        return [str(error)]
    return []


def _verify_elements(
    expected: ExpectedOutput,
    prefix: str,
    by_key: Mapping[str, OutputFile],
    what: str,
    find_file: FindFile,
    problems: list[str],
) -> None:
    own = list(dict.fromkeys(key.removeprefix(prefix).partition("|")[0] for key in by_key if key.startswith(prefix)))
    asked = [element.name for element in expected.elements if element.name in own]
    if asked != sorted(asked, key=own.index):
        problems.append(
            f"{what}: its elements are in the order {', '.join(own[:10])}, expected {', '.join(asked[:10])}"
        )
    for element in expected.elements:
        key = f"{prefix}{element.name}"
        if any(name.startswith(f"{key}|") for name in by_key):
            inner = {name.removeprefix(f"{key}|").partition("|")[0] for name in by_key if name.startswith(f"{key}|")}
            problems.extend(_count_problems(element, len(inner), f"{what}, element {key!r}: its elements"))
            _verify_elements(element, f"{key}|", by_key, what, find_file, problems)
            continue
        file = by_key.get(key)
        if file is None:
            known = ", ".join(list(by_key)[:10]) or "none"
            problems.append(f"{what} has no element {key!r} (there are: {known})")
        else:
            problems.extend(_verify_file(element, f"{what}, element {key!r}", file, "", find_file))


def _verify_file(
    expected: ExpectedOutput,
    what: str,
    file: OutputFile | None,
    datatype: str,
    find_file: FindFile,
    said: Mapping[str, str] | None = None,
) -> list[str]:
    if file is None or not os.path.exists(file.path):
        return [f"{what}: there is no file"]
    problems = []
    checks: tuple[Callable[[], None], ...] = (
        lambda: _check_type(expected, file, datatype),
        lambda: _check_content(expected, file, find_file),
        lambda: _check_metadata(expected, file, datatype, said or {}),
    )
    for check in checks:
        try:
            check()
        except VerificationError as error:
            problems.append(f"{what}: {error}")
    return problems


def _check_type(expected: ExpectedOutput, file: OutputFile, datatype: str) -> None:
    wanted = expected.facts.get("ftype", "")
    found = datatype or file.format
    if not wanted or is_kind_of(found, wanted) or is_kind_of(wanted, found) or found in ("data", "raw"):
        return
    exact = probe(file.path, found)[1]
    if not is_kind_of(exact, wanted):
        raise VerificationError(f"it is of type {found}, expected {wanted}")


def _check_content(expected: ExpectedOutput, file: OutputFile, find_file: FindFile) -> None:
    facts = expected.facts
    name = facts.get("file") or facts.get("value") or facts.get("location", "").rpartition("/")[2]
    if name:
        try:
            wanted = find_file(name)
        except CannotRunError:
            if not expected.assertions and not facts.get("md5") and not facts.get("checksum"):
                raise
        else:
            compare_files(wanted, file.path, facts)
    if facts.get("md5"):
        check_checksum(file.path, facts["md5"])
    if facts.get("checksum"):
        check_checksum(file.path, facts["checksum"])
    if facts.get("value_json"):
        with open(file.path, encoding="utf-8") as stream:
            found = json.load(stream)
        if found != json.loads(facts["value_json"]):
            raise VerificationError(f"it is {found!r}, expected {facts['value_json']}")
    if expected.assertions:
        if os.path.isdir(file.path):
            check_assertions(expected.assertions, file.path)
        else:
            with open(file.path, "rb") as binary:
                content = binary.read()
            check_assertions(
                expected.assertions, decompressed(content) if is_true(facts.get("decompress")) else content
            )


def _check_metadata(expected: ExpectedOutput, file: OutputFile, datatype: str, said: Mapping[str, str]) -> None:
    if not expected.metadata:
        return
    facts = {**probe(file.path, datatype or file.format)[0], **said}
    for key, wanted in expected.metadata.items():
        if key == "dbkey":
            continue
        if key not in facts:
            raise VerificationError(f"its {key} is not known here")
        if str(facts[key]) != wanted:
            raise VerificationError(f"its {key} is {facts[key]}, expected {wanted}")
