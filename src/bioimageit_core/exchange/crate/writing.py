"""Write an experiment as a crate: a folder, or one ZIP file."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.exchange.crate.actions import Actions
from bioimageit_core.exchange.crate.describing import describe_experiment
from bioimageit_core.exchange.crate.graph import Graph, library
from bioimageit_core.exchange.crate.packing import Packed, pack
from bioimageit_core.exchange.crate.workflow import describe_pipelines, pipelines_of
from bioimageit_core.exchange.exports import Exporting, ExportReport

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import ToolsService

__all__ = ["write_crate"]

_PROCESS = {"https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate"}
_PROVENANCE = {
    **_PROCESS,
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"


def write_crate(
    what: Exporting, *, licence: str = "", organization: str = "", by_reference: bool = False
) -> ExportReport:
    """Write an experiment with its files, runs and annotations as a Workflow Run RO-Crate.

    The destination is a folder that is not there yet or empty, or a file that is not there yet and ends with ``.zip``.

    Parameters
    ----------
    licence
        An SPDX identifier (``CC-BY-4.0``) or a URL.
    organization
        Who publishes it, and the author's affiliation: a name, and a URL after it (``Institute https://…``).
    by_reference
        Leave files where they lie, with size and SHA-256, instead of copying them.

    Raises
    ------
    ConflictError
        Something is at the destination.
    DataServiceError
        A record or file cannot be read or written; nothing is left at the destination then.
    """
    library()
    target = Path(what.destination).expanduser().absolute()
    _check_free(target)
    if what.dry_run:
        return _counted(what, target)
    room = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:40]}-"))
        folder = room / "crate"
        folder.mkdir()
        packed = pack(what.experiment, what.service, folder, by_reference=by_reference, observers=what.observers)
        profiles, actions = _describe(packed, folder, what.tools, licence, organization)
        if target.suffix.lower() == ".zip":
            folder = _zipped(folder, room / "crate.zip")
        elif target.exists():
            target.rmdir()
        os.replace(folder, target)
    except OSError as error:
        raise DataServiceError(f"{str(target)!r} cannot be written: {error.strerror or error}") from error
    finally:
        if room is not None:
            shutil.rmtree(room, ignore_errors=True)
    data = list(packed.all_data())
    facts = {"profiles": list(profiles), "executions": actions}
    size = sum(item.size for item in data)
    return ExportReport(str(target), len(data), size=size, changed=packed.changed, facts=facts)


def _counted(what: Exporting, target: Path) -> ExportReport:
    experiment = what.service.get_experiment(what.experiment.md_uri)
    infos = [experiment.raw_dataset, *experiment.processed_datasets]
    return ExportReport(str(target), sum(what.service.get_dataset(info.url).size() for info in infos))


def _check_free(target: Path) -> None:
    if target.is_dir() and target.suffix.lower() != ".zip" and not any(target.iterdir()):
        return
    if os.path.lexists(target):
        raise ConflictError(f"{str(target)!r} is there already; give the crate another place")


def _describe(
    packed: Packed, folder: Path, tools: ToolsService | None, licence: str, organization: str
) -> tuple[dict[str, str], int]:
    """Write the metadata of a packed crate; return its profiles and how many actions it tells of."""
    has_workflow = bool(pipelines_of(packed))
    profiles = _PROVENANCE if has_workflow else _PROCESS
    graph = Graph()
    files = describe_experiment(graph, packed, licence, organization, profiles)
    actions = Actions(graph, packed, files, tools)
    told = actions.describe()
    if has_workflow:
        told = describe_pipelines(graph, packed, actions, folder) + told
        graph.crate.metadata["conformsTo"] = [{"@id": graph.crate.metadata.profile}, {"@id": _WORKFLOW_CRATE}]
    graph.describe_root(mentions=told)
    _add_readme(graph, packed, folder)
    graph.write(str(folder))
    return profiles, len(told)


def _add_readme(graph: Graph, packed: Packed, folder: Path) -> None:
    experiment = packed.experiment
    lines = [f"# {experiment.name}", "", f"An experiment of {experiment.author}, {experiment.date}.", ""]
    for each in packed.datasets:
        runs = f", {len(each.runs)} run{'s' if len(each.runs) > 1 else ''}" if each.runs else ""
        lines.append(f"- `{each.folder}/`: {len(each.data)} data{runs}")
    lines += ["", "`bioimageit import-crate` takes it in again; every folder holds plain files and JSON.", ""]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
    graph.add_file("README.md", name="What is in this crate", encodingFormat="text/markdown", about={"@id": "./"})


def _zipped(folder: Path, target: Path) -> Path:
    """Put a folder into a ZIP file, metadata first; images are mostly compressed already, so fast compression does."""
    paths = sorted(folder.rglob("*"), key=lambda path: (path.name != "ro-crate-metadata.json", path))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in paths:
            archive.write(path, path.relative_to(folder).as_posix())
    return target
