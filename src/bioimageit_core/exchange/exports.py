"""The forms that an experiment can be given to others in: a table, of which each row names who writes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import DataServiceError

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment
    from bioimageit_core.core.observer import Observer
    from bioimageit_core.plugins.contracts import DataService, ToolsService

__all__ = ["EXPORTS", "ExportForm", "ExportReport", "Exporting", "export_form", "write_export"]


@dataclass
class ExportReport:
    """What an export wrote, or with a dry run would write.

    Attributes
    ----------
    path
        Where it is.
    written, present
        How many data were written, and how many a former call had written already.
    size
        Bytes of what was written.
    left_out
        What is not in it, and why, in words.
    changed
        Files that are not what the home has stored, in words: a disk or somebody changed them.
    facts
        What else there is to say: by form.
    """

    path: str
    written: int = 0
    present: int = 0
    size: int = 0
    left_out: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Exporting:
    """What every writer gets.

    Attributes
    ----------
    destination
        Where to, as the user said it; what may be there is the writer's to decide.
    dry_run
        Report what would be written, and write nothing.
    """

    experiment: Experiment
    service: DataService
    destination: str
    tools: ToolsService | None = None
    observers: Sequence[Observer] = ()
    dry_run: bool = False


@dataclass(frozen=True)
class ExportForm:
    """A form, and who writes it.

    Attributes
    ----------
    writer
        ``module:function`` below `bioimageit_core.exchange`, imported when it is used; the function is called with an
        `Exporting` and the options as keywords, and returns an `ExportReport`.
    options
        Names of the options that it takes.
    """

    name: str
    title: str
    writer: str
    options: tuple[str, ...] = ()


EXPORTS: dict[str, ExportForm] = {
    form.name: form
    for form in (
        ExportForm("ome-zarr", "OME-Zarr images with labels and plates", "images:write_zarrs", ("version",)),
        ExportForm("ome-tiff", "OME-TIFF images with pyramids", "images:write_tiffs"),
        ExportForm(
            "ro-crate",
            "a Workflow Run RO-Crate: a folder or .zip file",
            "crate.writing:write_crate",
            ("licence", "organization", "by_reference"),
        ),
        ExportForm(
            "data-table",
            "data and their annotations as .csv, .tsv or .parquet",
            "tables.exporting:write_data",
            ("datasets",),
        ),
        ExportForm(
            "measurements",
            "all tables of results as one .csv, .tsv or .parquet",
            "tables.exporting:write_measurements",
            ("datasets",),
        ),
        ExportForm(
            "bioimage-archive",
            "a folder to submit to the BioImage Archive",
            "archive.submission:write_submission",
        ),
    )
}


def export_form(name: str) -> ExportForm:
    """Return the form of a name.

    Raises
    ------
    DataServiceError
        There is no such form; the message lists those there are.
    """
    if name not in EXPORTS:
        raise DataServiceError(f"no form {name!r} to export to (known: {', '.join(EXPORTS)})")
    return EXPORTS[name]


def write_export(form: str, what: Exporting, **options: Any) -> ExportReport:
    """Write an experiment in a form.

    Raises
    ------
    DataServiceError
        There is no such form, it does not take an option, or something cannot be read or written.
    """
    found = export_form(form)
    unknown = sorted(set(options) - set(found.options))
    if unknown:
        takes = ", ".join(found.options) or "none"
        raise DataServiceError(f"{found.name} does not take {', '.join(unknown)} (its options: {takes})")
    module, _, name = found.writer.partition(":")
    write: Callable[..., ExportReport] = getattr(importlib.import_module(f"bioimageit_core.exchange.{module}"), name)
    return write(what, **options)
