"""OME-XML: what it says of its images (OME data model, schema 2016-06)."""

from __future__ import annotations

import contextlib
from typing import Any

from lxml import etree

from bioimageit_core.images.model import Channel

__all__ = ["image_statements"]

_SIZES = {"Z": "PhysicalSizeZ", "Y": "PhysicalSizeY", "X": "PhysicalSizeX", "T": "TimeIncrement"}
_UNITS = {"T": "s"}
_OBJECTIVE = {"Model": str, "NominalMagnification": float, "LensNA": float, "Immersion": str}


def image_statements(text: str | bytes) -> list[dict[str, Any]]:
    """Return what a document says of each image: keywords of `ImageFacts`, and ``lengths`` and ``dtype``.

    Raises
    ------
    ValueError
        The text is no XML, or a length no number. Entities and external documents are never resolved.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(text.encode() if isinstance(text, str) else text, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"its OME-XML cannot be read: {error}") from error
    objectives: dict[str, Any] = {str(each.get("ID")): each for each in root.iterfind(".//{*}Instrument/{*}Objective")}
    return [_image(image, objectives) for image in root.iterfind("{*}Image")]


def _image(image: Any, objectives: dict[str, Any]) -> dict[str, Any]:
    pixels = image.find("{*}Pixels")
    found: dict[str, Any] = {"name": image.get("Name", ""), "acquired": _text(image, "AcquisitionDate")}
    settings = image.find("{*}ObjectiveSettings")
    if settings is not None and (objective := objectives.get(settings.get("ID"))) is not None:
        found["objective"] = _attributes(objective)
    if pixels is None:
        return found
    found["pixel_sizes"] = {axis: _number(pixels.get(key)) for axis, key in _SIZES.items() if pixels.get(key)}
    found["units"] = {axis: pixels.get(f"{_SIZES[axis]}Unit", _UNITS.get(axis, "µm")) for axis in found["pixel_sizes"]}
    found["lengths"] = {axis: _length(pixels.get(f"Size{axis}", "1")) for axis in "TCZYX"}
    found["dtype"] = {"float": "float32", "double": "float64", "bit": "bool"}.get(
        pixels.get("Type", ""), pixels.get("Type", "")
    )
    channels = pixels.findall("{*}Channel")
    found["channels"] = tuple(Channel(each.get("Name", ""), _color(each.get("Color"))) for each in channels)
    return found


def _attributes(element: Any) -> dict[str, Any]:
    found = {}
    for key, kind in _OBJECTIVE.items():
        with contextlib.suppress(ValueError):
            if element.get(key):
                found[key] = kind(element.get(key))
    return found


def _color(text: str | None) -> str:
    """Return ``RRGGBB`` of a colour as OME writes it: red, green, blue, opacity in a signed integer of 32 bits."""
    try:
        number = int(text or "") & 0xFFFFFFFF
    except ValueError:
        return ""
    return f"{number >> 8:06X}"


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _length(text: str) -> int:
    try:
        return int(_number(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"its OME-XML says that it is {text!r} pixels long") from error


def _text(image: Any, name: str) -> str:
    found = image.find(f"{{*}}{name}")
    return (found.text or "").strip() if found is not None else ""
