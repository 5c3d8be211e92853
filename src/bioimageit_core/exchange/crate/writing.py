"""Write an experiment as a crate: a folder, or one ZIP file."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bioimageit_core.containers import Experiment
from bioimageit_core.core.exceptions import ConflictError, DataServiceError
from bioimageit_core.core.observer import Observer
from bioimageit_core.exchange.crate.actions import Actions
from bioimageit_core.exchange.crate.describing import describe_experiment
from bioimageit_core.exchange.crate.graph import Graph, library
from bioimageit_core.exchange.crate.packing import Packed, pack
from bioimageit_core.exchange.crate.workflow import describe_pipelines, pipelines_of

if TYPE_CHECKING:
    from bioimageit_core.plugins.contracts import DataService, ToolsService

__all__ = ["CrateReport", "write_crate"]

_PROCESS = {"https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate"}
_PROVENANCE = {
    **_PROCESS,
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"


@dataclass(frozen=True)
class CrateReport:
    """What was written.

    Attributes
    ----------
    path
        The folder or ZIP file.
    profiles
        URIs of the profiles that the crate conforms to.
    actions
        Executions that it tells of, those of pipelines included.
    size
        Bytes of all files of data, in the crate or referenced.
    """

    path: str
    profiles: list[str]
    datasets: int
    data: int
    actions: int
    size: int


def write_crate(
    experiment: Experiment,
    service: DataService,
    destination: str,
    *,
    tools: ToolsService | None = None,
    license_: str = "",
    organization: str = "",
    by_reference: bool = False,
    observers: Sequence[Observer] = (),
) -> CrateReport:
    """Write an experiment with its files, runs and annotations as a Workflow Run RO-Crate.

    Parameters
    ----------
    destination
        A folder that is not there yet or empty; or a file that is not there yet and ends with ``.zip``.
    tools
        Says in which container image a tool ran; without it that is left out.
    license_
        An SPDX identifier or a URL.
    organization
        Who publishes it, and the author's affiliation: a name, and a URL after it (``Institute https://…``).
    by_reference
        Leave files where they lie, with size and SHA-256, instead of copying them.

    Raises
    ------
    ConflictError
        Something is at `destination`.
    DataServiceError
        A record or file cannot be read or written; nothing is left at `destination` then.
    """
    library()
    target = Path(destination).expanduser().absolute()
    _check_free(target)
    room = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:40]}-"))
        folder = room / "crate"
        folder.mkdir()
        packed = pack(experiment, service, folder, by_reference=by_reference, observers=observers)
        profiles, actions = _describe(packed, folder, tools, license_, organization)
        if target.suffix.lower() == ".zip":
            folder = _zipped(folder, room / "crate.zip")
        elif target.exists():
            target.rmdir()
        os.replace(folder, target)
    except OSError as error:
        raise DataServiceError(f"{destination!r} cannot be written: {error.strerror or error}") from error
    finally:
        if room is not None:
            shutil.rmtree(room, ignore_errors=True)
    data = list(packed.all_data())
    return CrateReport(
        str(target), list(profiles), len(packed.datasets), len(data), actions, sum(item.size for item in data)
    )


def _check_free(target: Path) -> None:
    if target.is_dir() and target.suffix.lower() != ".zip" and not any(target.iterdir()):
        return
    if os.path.lexists(target):
        raise ConflictError(f"{str(target)!r} is there already; give the crate another place")


def _describe(
    packed: Packed, folder: Path, tools: ToolsService | None, license_: str, organization: str
) -> tuple[dict[str, str], int]:
    """Write the metadata of a packed crate; return its profiles and how many actions it tells of."""
    has_workflow = bool(pipelines_of(packed))
    profiles = _PROVENANCE if has_workflow else _PROCESS
    graph = Graph()
    files = describe_experiment(graph, packed, license_, organization, profiles)
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
    lines += [f"- `{each.folder}/`: {len(each.data)} data, {len(each.runs)} runs" for each in packed.datasets]
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
