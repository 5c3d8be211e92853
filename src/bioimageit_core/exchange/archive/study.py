"""What a submission says of a study, beyond what an experiment knows: ``study.yml``, a template to fill in.

The fields are those of REMBI, the Recommended Metadata for Biological Images (Sarkans et al., Nature Methods 18, 2021,
https://doi.org/10.1038/s41592-021-01166-8), as the BioImage Archive asks for them at submission.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bioimageit_core.core import yaml_text
from bioimageit_core.core.exceptions import DocumentError
from bioimageit_core.exchange.image_facts import told

__all__ = ["MODULES", "STUDY", "Field", "known_fields", "problems", "read_study", "template"]


STUDY = "study.yml"
_LONG, _DATE = r"(?s).{25,}", r"\d{4}-\d\d-\d\d"


@dataclass(frozen=True)
class Field:
    """One thing to say: its key in ``study.yml``, the archive's name for it, a hint, and what it has to be like."""

    key: str
    title: str
    hint: str = ""
    is_needed: bool = True
    pattern: str = ""


MODULES: dict[str, tuple[str, tuple[Field, ...]]] = {
    "study": (
        "Study",
        (
            Field("title", "Title", "at least 25 characters", pattern=_LONG),
            Field(
                "description",
                "Description",
                "at least 25 characters; why and how the images were made",
                pattern=r"(?s).{25,}",
            ),
            Field("keywords", "Keywords", "separated by commas"),
            Field("licence", "License", "CC0 or CC BY 4.0", pattern="CC0|CC BY 4\\.0"),
            Field(
                "release_date",
                "ReleaseDate",
                "YYYY-MM-DD; until then the submission is private",
                pattern=r"\d{4}-\d\d-\d\d",
            ),
            Field("funding", "Funding statement", is_needed=False),
            Field("acknowledgements", "Acknowledgements", is_needed=False),
        ),
    ),
    "author": (
        "Author",
        (
            Field("name", "Name"),
            Field("email", "E-mail", pattern=r"[^@\s]+@[^@\s]+"),
            Field("orcid", "ORCID", is_needed=False),
            Field("role", "Role", "such as investigator or data acquisition", is_needed=False),
            Field("affiliation", "Affiliation", "name of the institution"),
        ),
    ),
    "biosample": (
        "Biosample",
        (
            Field("organism", "Organism", "scientific name, such as Homo sapiens"),
            Field("biological_entity", "Biological entity", "what is imaged: tissue, cell line, protein"),
            Field("description", "Description", is_needed=False),
            Field("intrinsic_variables", "Intrinsic variable", "such as genotype", is_needed=False),
            Field("extrinsic_variables", "Extrinsic variable", "such as a treatment", is_needed=False),
            Field("experimental_variables", "Experimental variable", "what was varied", is_needed=False),
        ),
    ),
    "specimen": (
        "Specimen",
        (
            Field("sample_preparation", "Sample preparation protocol", "fixation, staining, mounting"),
            Field("growth_protocol", "Growth protocol", is_needed=False),
        ),
    ),
    "image_acquisition": (
        "Image acquisition",
        (
            Field("imaging_instrument", "Imaging instrument", "make, model, objective, detector"),
            Field("acquisition_parameters", "Image acquisition parameters"),
            Field("imaging_method", "Imaging method", "a term of the ontology FBbi, such as confocal microscopy"),
        ),
    ),
    "image_analysis": (
        "Image analysis",
        (Field("overview", "Image analysis overview", "which tools, with which parameters", is_needed=False),),
    ),
}
"""The modules of ``study.yml``: the archive's name for each, and its fields."""

_OF_THE_FILE = ("Name", "Type", "Scenes", "ChannelColors", "Reader", "ReaderVersion")
Study = dict[str, dict[str, str]]


def known_fields(
    name: str, author: str, varied: Sequence[str], metadata: Sequence[Mapping[str, Any]], analyses: Sequence[str]
) -> Study:
    """Fill in what an experiment knows.

    Parameters
    ----------
    metadata
        Acquisition metadata of each image; what is the same for all, and not of the file or who read it, is taken.
    varied
        Annotation keys that have several values.
    analyses
        One line for each run.
    """
    common = dict(metadata[0]) if metadata else {}
    for each in metadata[1:]:
        common = {key: value for key, value in common.items() if each.get(key) == value}
    return {
        "study": {"title": name},
        "author": {"name": author},
        "biosample": {"experimental_variables": ", ".join(varied)},
        "image_acquisition": {"acquisition_parameters": "; ".join(_parameters(common))},
        "image_analysis": {"overview": "; ".join(analyses)},
    }


def _parameters(said: Mapping[str, Any]) -> Iterator[str]:
    for key, value in said.items():
        is_unit = key.endswith("Unit") and key.removesuffix("Unit") in said
        if key not in _OF_THE_FILE and not is_unit:
            unit = told(said.get(f"{key}Unit"))
            yield f"{key}: {told(value)}{f' {unit}' if unit else ''}"


def template(known: Study) -> str:
    """Write ``study.yml``: every field, filled in where something is known, with a hint where not."""
    lines = ["# What the BioImage Archive wants to know (REMBI). Fill in what is empty, then export again.", ""]
    for module, (title, fields) in MODULES.items():
        lines += [f"# {title}", f"{module}:"]
        for field in fields:
            value = known.get(module, {}).get(field.key, "")
            notes = [field.hint] if field.hint else []
            notes += [] if field.is_needed else ["may stay empty"]
            comment = f"  # {'; '.join(notes)}" if notes else ""
            lines.append(f"  {field.key}: {json.dumps(value, ensure_ascii=False)}{comment}")
        lines.append("")
    return "\n".join(lines)


def read_study(text: str, path: str) -> Study:
    """Read a ``study.yml``.

    Raises
    ------
    DocumentError
        It is no YAML, or has another shape; the message says where.
    """
    try:
        document = yaml_text.decode(text)
    except ValueError as error:
        raise DocumentError(path, str(error)) from error
    if not isinstance(document, dict):
        raise DocumentError(path, "modules with fields are expected")
    study: Study = {}
    for module, fields in document.items():
        if module not in MODULES or not isinstance(fields, dict):
            raise DocumentError(path, f"no module with fields; known are {', '.join(MODULES)}", str(module))
        known = {field.key for field in MODULES[module][1]}
        for key, value in fields.items():
            parts = value if isinstance(value, list) else [value]
            if key not in known or any(isinstance(part, dict | list) for part in parts):
                raise DocumentError(path, f"no field with a text; known are {', '.join(known)}", f"{module}.{key}")
        study[module] = {key: _text(value) for key, value in fields.items()}
    return study


def problems(study: Study) -> Iterator[str]:
    """Say which fields have to be said and are not, or are not what they have to be."""
    for module, (_, fields) in MODULES.items():
        for field in fields:
            value = study.get(module, {}).get(field.key, "").strip()
            if not value and field.is_needed:
                yield f"{STUDY} lacks {module}.{field.key}"
            elif value and not re.fullmatch(field.pattern or "(?s).*", value):
                yield f"{STUDY}: {module}.{field.key} has to be {field.hint or 'an address'}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else str(value)
