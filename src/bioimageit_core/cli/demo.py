"""The main job on real images, from an empty folder to a picture."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioimageit_core.cli.listing import data_columns, data_row
from bioimageit_core.cli.output import console, show_table, show_text
from bioimageit_core.cli.session import Session
from bioimageit_core.cli.status import printable
from bioimageit_core.cli.tooling import find_tool
from bioimageit_core.containers import Data, Job, ProcessedData

if TYPE_CHECKING:
    from bioimageit_core.containers import Experiment

__all__ = ["run_demo"]

NAME = "Nuclei of two cultures"
QUERY = "Culture=f96 (17) OR Passage=p5"
SEGMENTATION, MEASUREMENTS = "segmentation", "measurements"


def run_demo(folder: str) -> None:
    """Do everything that a user would: create, import, annotate, query, run two tools, look at the results.

    What an earlier demo did in the same folder is found there and kept.
    """
    place = Path(folder).expanduser().resolve()
    config = _configure(place)
    session = Session(str(config))
    _say(1, f"an experiment in {place / 'workspace'}")
    experiment = _experiment(session, str(place / "workspace"))
    _say(2, "import the images that come with the package, each annotated with the name of its folder")
    _import(session, experiment)
    _say(3, "annotate from their names")
    with session.progress("annotating"):
        changes = session.request.annotate_from_name(experiment, "Passage", ["p5", "p7", "p9", "p10"])
    show_text(f"{len(changes)} values written" if changes else "the annotations are there already")
    _say(4, f"query: {QUERY}")
    selected = session.request.query(experiment, "data", QUERY)
    columns = data_columns(experiment, "data")
    show_table(columns, [data_row(session, data, columns) for data in selected], is_drawn=True)
    _say(5, "segment the nuclei of these images")
    _run(session, experiment, "segment_nuclei", {"input": ("data", QUERY, "")}, SEGMENTATION)
    _say(6, "measure the nuclei: labels and images are paired by the image that they come from")
    inputs = {"input": (SEGMENTATION, "", "labels"), "intensity": ("data", QUERY, "")}
    _run(session, experiment, "measure_regions", inputs, MEASUREMENTS)
    _say(7, "results, with where they come from")
    columns = ["table", "nuclei", "mean area", "mean intensity", "made from", "image", "culture", "passage"]
    show_table(columns, _results(session, experiment), is_drawn=True)
    picture = _draw(session, experiment, place / "nuclei.png")
    experiment_path = os.path.dirname(experiment.md_uri)
    show_text(f"\nThe picture: {picture}")
    show_text(f"The experiment: {experiment_path}\n")
    show_text(f"Go on: {_command()} --config {_shown(config)} show '{NAME}'")
    show_text(f"       {_command()} --config {_shown(config)} lineage '{NAME}'")


def _configure(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    path = place / "config.json"
    if not path.exists():
        (place / "workspace").mkdir(exist_ok=True)
        document = {"workspace": str(place / "workspace"), "log_dir": str(place / "logs")}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(document, indent=4), encoding="utf-8")
        temporary.replace(path)
    return path


def _experiment(session: Session, workspace: str) -> Experiment:
    for entry in session.request.get_workspace_experiments(workspace):
        if entry["info"].name == NAME:
            show_text(f"{NAME!r} is there already, and goes on from what it holds")
            return session.request.get_experiment(entry["md_uri"])
    experiment = session.request.create_experiment(NAME, keys=["Culture", "Passage"], destination=workspace)
    show_text(f"created {NAME!r}")
    return experiment


def _import(session: Session, experiment: Experiment) -> None:
    from bioimageit_core.samples import NUCLEI_FILTER, nuclei_dir

    before = session.request.get_raw_dataset(experiment).size()
    with session.progress("importing"):
        session.request.import_dir(
            experiment,
            str(nuclei_dir()),
            NUCLEI_FILTER,
            format_="imagetiff",
            directory_tag_key="Culture",
            recursive=True,
        )
    after = session.request.get_raw_dataset(experiment).size()
    show_text(f"{after - before} imported" if after > before else f"all {after} are there already")


def _run(
    session: Session, experiment: Experiment, tool: str, inputs: dict[str, tuple[str, str, str]], output: str
) -> None:
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(find_tool(session, tool))
    for name, (dataset, query, origin_output) in inputs.items():
        job.set_input(name, dataset, query, origin_output)
    job.set_output_dataset_name(output)
    before = _size(session, experiment, output)
    with session.progress(f"running {tool}"):
        session.request.run(job)
    latest = session.request.get_experiment(experiment.md_uri)
    experiment.processed_datasets = latest.processed_datasets
    after = _size(session, experiment, output)
    new = f"{after - before} results in dataset {output!r}"
    show_text(new if after > before else f"all {after} results are in dataset {output!r} already")


def _size(session: Session, experiment: Experiment, dataset: str) -> int:
    if not session.request.is_dataset(experiment, dataset):
        return 0
    return session.request.get_dataset(experiment, dataset).size()


def _results(session: Session, experiment: Experiment) -> list[Sequence[Any]]:
    rows: list[Sequence[Any]] = []
    for data in _processed(session.request.query(experiment, MEASUREMENTS)):
        nuclei = _table(data.uri)
        origin = session.request.get_origin(data)
        parent = session.request.get_parent(data)
        values = origin.key_value_pairs if origin else {}
        rows.append(
            (
                data.name,
                len(nuclei),
                f"{_mean(nuclei, 'area_px'):.0f} px" if nuclei else "",
                f"{_mean(nuclei, 'mean_intensity'):.1f}" if nuclei else "",
                parent.name if parent else "",
                origin.name if origin else "",
                values.get("Culture", ""),
                values.get("Passage", ""),
            )
        )
    return sorted(rows, key=lambda row: str(row[5]))


def _table(path: str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _mean(rows: Sequence[Mapping[str, str]], column: str) -> float:
    return sum(float(row[column]) for row in rows) / len(rows)


def _draw(session: Session, experiment: Experiment, path: Path) -> Path:
    from bioimageit_core.toolbox.montage import montage

    items = []
    for labels in _processed(session.request.query(experiment, SEGMENTATION, "", "labels")):
        origin = session.request.get_origin(labels)
        if origin is not None:
            items.append((Path(origin.uri), Path(labels.uri), origin.name))
    items.sort(key=lambda item: item[2])
    drawn: Path = montage(items, path, columns=3)
    return drawn


def _processed(found: Sequence[Data]) -> list[ProcessedData]:
    return [data for data in found if isinstance(data, ProcessedData)]


def _say(number: int, text: str) -> None:
    console().print(f"\n{number}. {printable(text)}", style="bold", markup=False, soft_wrap=True)


def _command() -> str:
    """Return what to type to get this command: its name, or its path where the shell would not find it."""
    beside = Path(sys.executable).with_name("bioimageit")
    if shutil.which("bioimageit") or not beside.exists():
        return "bioimageit"
    return _shown(beside)


def _shown(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
