"""PageTab, the form in which BioStudies and with it the BioImage Archive take submissions: as JSON and as TSV.

https://www.ebi.ac.uk/biostudies/submissions: a submission has attributes and one section, a section has a type, an
accession, attributes and subsections. In TSV, sections are blocks with an empty line between them; a value that refers
to another section stands behind a name in angle brackets, what qualifies a value behind one in square brackets.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Attribute", "Section", "as_json", "as_tsv"]


@dataclass(frozen=True)
class Attribute:
    """A name and a value; `is_reference` if the value is the accession of a section."""

    name: str
    value: str
    is_reference: bool = False
    qualifiers: tuple[tuple[str, str], ...] = ()


@dataclass
class Section:
    """A part of a submission; attributes without a value are left out."""

    type: str
    accession: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    subsections: list[Section] = field(default_factory=list)


def as_json(submission: list[Attribute], section: Section) -> dict[str, Any]:
    """Write a submission as JSON."""
    return {"attributes": _attributes(submission), "section": _section(section), "type": "submission"}


def _section(section: Section) -> dict[str, Any]:
    document: dict[str, Any] = {"type": section.type}
    if section.accession:
        document["accno"] = section.accession
    document["attributes"] = _attributes(section.attributes)
    if section.subsections:
        document["subsections"] = [_section(each) for each in section.subsections]
    return document


def _attributes(attributes: list[Attribute]) -> list[dict[str, Any]]:
    found = []
    for each in attributes:
        if each.value:
            entry: dict[str, Any] = {"name": each.name, "value": each.value}
            if each.is_reference:
                entry["reference"] = True
            if each.qualifiers:
                entry["valqual"] = [{"name": name, "value": value} for name, value in each.qualifiers]
            found.append(entry)
    return found


def as_tsv(submission: list[Attribute], section: Section) -> str:
    """Write a submission as TSV."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["Submission"])
    writer.writerows(_lines(submission))
    _write(writer, text, section, "")
    return text.getvalue()


def _write(writer: Any, text: io.StringIO, section: Section, parent: str) -> None:
    text.write("\n")
    head = [section.type, section.accession, parent]
    while not head[-1]:
        head.pop()
    writer.writerow(head)
    writer.writerows(_lines(section.attributes))
    for each in section.subsections:
        _write(writer, text, each, section.accession)


def _lines(attributes: list[Attribute]) -> Iterator[list[str]]:
    for each in attributes:
        if each.value:
            yield [f"<{each.name}>" if each.is_reference else each.name, " ".join(each.value.split())]
            for name, value in each.qualifiers:
                yield [f"[{name}]", value]
