"""Write an experiment as a submission to the BioImage Archive: files, file lists, study and PageTab.

A file list is a TSV whose first column, ``Files``, holds paths relative to the submission's folder, and whose other
columns are free: https://www.ebi.ac.uk/bioimage-archive/help-file-list/. Paths hold only characters that the archive
takes.
"""

from __future__ import annotations

import csv
import json
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bioimageit_core.containers import Data, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core.exceptions import ConflictError, DataServiceError, NotFoundError
from bioimageit_core.core.paths import file_names, folded
from bioimageit_core.exchange.archive.pagetab import Attribute, Section, as_json, as_tsv
from bioimageit_core.exchange.archive.study import (
    MODULES,
    STUDY,
    Study,
    known_fields,
    problems,
    read_study,
    template,
)
from bioimageit_core.exchange.content import digest, fetch, local_path
from bioimageit_core.exchange.exports import Exporting, ExportReport
from bioimageit_core.exchange.image_facts import IMAGE_KEYS, told
from bioimageit_core.exchange.tables.cells import guarded, text_of
from bioimageit_core.jobs.selection import Lineage, iterate_data
from bioimageit_core.plugins.contracts import ListsRuns

__all__ = ["write_submission"]

FILES = "files"
_LICENCES = {
    "CC0": "https://creativecommons.org/publicdomain/zero/1.0/legalcode",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/legalcode",
}


def write_submission(what: Exporting) -> ExportReport:
    """Write a folder to submit, or bring one up to date.

    ``study.yml`` is written once, with what is known; when it has been filled in, the same export again writes the
    submission from it. Files that are there already stay.

    Raises
    ------
    ConflictError
        Something else is in the folder.
    DataServiceError
        A record or file cannot be read or written, or ``study.yml`` cannot be understood.
    """
    folder = Path(what.destination).expanduser().absolute()
    if folder.exists() and not (folder / STUDY).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConflictError(f"{str(folder)!r} holds something else; give the submission a folder of its own")
    try:
        return _Submission(what, folder).run()
    except OSError as error:
        raise DataServiceError(f"{str(folder)!r} cannot be written: {error.strerror or error}") from error


@dataclass
class _Component:
    """A dataset in the submission."""

    name: str
    folder: str
    rows: list[dict[str, str]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)


class _Submission:
    def __init__(self, what: Exporting, folder: Path) -> None:
        self._what = what
        self._service = what.service
        self._folder = folder
        self._lineage = Lineage(what.service)
        self._report = ExportReport(str(folder))
        self._paths: dict[str, str] = {}  # of each data, by its uuid
        self._taken: dict[str, set[str]] = {}
        self._metadata: list[dict[str, object]] = []
        self._values: dict[str, set[str]] = {}  # of each annotation key

    def run(self) -> ExportReport:
        experiment = self._service.get_experiment(self._what.experiment.md_uri)
        components = [self._component(experiment, index) for index in range(1 + len(experiment.processed_datasets))]
        study = self._study(experiment, components)
        self._report.left_out += problems(study)
        if not self._what.dry_run:
            for component in components:
                self._write_list(component)
            submission, section = _pages(study, components)
            document = json.dumps(as_json(submission, section), indent=2, ensure_ascii=False)
            self._write("submission.json", document + "\n")
            self._write("submission.tsv", as_tsv(submission, section))
        self._report.facts["file lists"] = [_list_name(component) for component in components]
        return self._report

    # Files

    def _component(self, experiment: Experiment, index: int) -> _Component:
        info = [experiment.raw_dataset, *experiment.processed_datasets][index]
        dataset = self._service.get_dataset(info.url)
        component = _Component(info.name, self._free("", info.name))
        if index and isinstance(self._service, ListsRuns):
            component.runs = self._service.get_dataset_runs(dataset)
        tools = {run.uuid: run.process_name for run in component.runs}
        for data in iterate_data(self._service, dataset, not index):
            component.rows.append(self._row(data, component.folder, experiment.keys, tools))
        return component

    def _free(self, folder: str, name: str) -> str:
        """Give a name that the archive takes and that nothing else in a folder has."""
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9!_.*'() -]", "_", plain if plain.strip(". ") else "_").strip()
        taken = self._taken.setdefault(folder, set())
        found = next(each for each in file_names(plain) if folded(each) not in taken)
        taken.add(folded(found))
        return found

    def _row(self, data: Data, folder: str, keys: list[str], tools: dict[str, str]) -> dict[str, str]:
        path, sha256, size = self._put(data, folder)
        self._paths[data.uuid] = path
        row = {"Files": path, "Name": data.name, "UUID": data.uuid, "SHA-256": sha256, "Size": str(size)}
        try:
            origin = self._lineage.origin(data)
        except NotFoundError:
            origin = None
        if isinstance(data, ProcessedData):
            row["Source image"] = self._paths.get(origin.uuid, "") if origin else ""
            row["Output"] = data.output.get("label") or data.output.get("name", "")
            row["Tool"] = tools.get(data.run.uuid, "")
        elif isinstance(data, RawData):
            self._metadata.append(data.metadata)
            row |= {key: told(data.metadata.get(key)) for key in IMAGE_KEYS}
        pairs = origin.key_value_pairs if origin else {}
        for key, value in pairs.items():
            if value != "":
                self._values.setdefault(key, set()).add(text_of(value))
        return {**row, **{key if key not in row else f"key:{key}": text_of(pairs.get(key)) for key in keys}}

    def _put(self, data: Data, folder: str) -> tuple[str, str, int]:
        """Put the file of a data into the submission, unless it is there."""
        at_home = local_path(self._service, data)
        if at_home:
            path = self._path(folder, os.path.basename(at_home.rstrip("/")))
            sha256, size = digest(at_home)
            if (self._folder / path).exists() and digest(str(self._folder / path)) == (sha256, size):
                self._report.present += 1
                return path, sha256, size
        if self._what.dry_run:
            self._report.written += 1
            return self._path(folder, data.name) if not at_home else path, "", 0
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".fetch-") as room:
            fetched = fetch(self._service, data, room)
            path = path if at_home else self._path(folder, os.path.basename(fetched))
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            if (self._folder / path).is_dir():
                os.replace(self._folder / path, os.path.join(room, ".old"))
            os.replace(fetched, self._folder / path)
        sha256, size = digest(str(self._folder / path))
        self._report.written += 1
        self._report.size += size
        for observer in self._what.observers:
            observer.notify(f"wrote {path}")
        return path, sha256, size

    def _path(self, folder: str, name: str) -> str:
        return f"{FILES}/{folder}/{self._free(folder, name)}"

    # Documents

    def _study(self, experiment: Experiment, components: list[_Component]) -> Study:
        path = self._folder / STUDY
        if path.is_file():
            try:
                return read_study(path.read_text(encoding="utf-8"), str(path))
            except UnicodeDecodeError as error:
                raise DataServiceError(f"{path}: is no text in UTF-8") from error
        analyses = [_told(component.name, run) for component in components for run in component.runs]
        varied = [key for key in experiment.keys if len(self._values.get(key, ())) > 1]
        known = known_fields(experiment.name, experiment.author, varied, self._metadata, analyses)
        if not self._what.dry_run:
            self._write(STUDY, template(known))
        return known

    def _write_list(self, component: _Component) -> None:
        columns = list(component.rows[0]) if component.rows else ["Files"]
        columns = [each for each in columns if each not in IMAGE_KEYS or any(row[each] for row in component.rows)]
        path = self._folder / _list_name(component)
        with open(f"{path}.part", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow([" ".join(column.split()) for column in columns])
            for row in component.rows:
                writer.writerow([guarded(" ".join(row[column].split())) for column in columns])
        os.replace(f"{path}.part", path)

    def _write(self, name: str, text: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, self._folder / name)


def _list_name(component: _Component) -> str:
    return f"file_list_{component.folder}.tsv"


def _told(dataset: str, run: Run) -> str:
    values = ", ".join(f"{each.name} {text_of(each.value)}" for each in run.parameters)
    given = ", ".join(dict.fromkeys(each.dataset for each in run.inputs))
    return f"{dataset}: {run.process_name} on {given}{f' with {values}' if values else ''}"


def _pages(study: Study, components: list[_Component]) -> tuple[list[Attribute], Section]:
    """Lay a study out in the sections of the archive's template."""
    about = study.get("study", {})
    submission = [
        Attribute("Title", about.get("title", "")),
        Attribute("ReleaseDate", about.get("release_date", "")),
        Attribute("AttachTo", "BioImages"),
        Attribute("Template", "BioImages.v4"),
    ]
    root = Section("Study", "Study-1", list(_study_attributes(about)))
    root.subsections += _people(study.get("author", {}))
    modules = ("biosample", "specimen", "image_acquisition", "image_analysis")
    root.subsections += [_module(name, study.get(name, {})) for name in modules]
    for number, component in enumerate(components):
        root.subsections.append(_study_component(number, component))
    return submission, root


def _study_attributes(about: dict[str, str]) -> Iterator[Attribute]:
    for each in MODULES["study"][1]:
        value = about.get(each.key, "")
        if each.key == "licence" and value in _LICENCES:
            yield Attribute(each.title, value, qualifiers=(("url", _LICENCES[value]),))
        elif each.key != "release_date":
            yield Attribute(each.title, value)


def _people(author: dict[str, str]) -> list[Section]:
    said = [Attribute(f.title, author.get(f.key, "")) for f in MODULES["author"][1] if f.key != "affiliation"]
    organisation = Section("Organization", "o1", [Attribute("Name", author.get("affiliation", ""))])
    return [Section("Author", "a1", [*said, Attribute("affiliation", "o1", is_reference=True)]), organisation]


def _module(name: str, said: dict[str, str]) -> Section:
    title, fields = MODULES[name]
    attributes = [Attribute("Title", title), *(Attribute(f.title, said.get(f.key, "")) for f in fields)]
    return Section(title, f"{title}-1", attributes)


def _study_component(number: int, component: _Component) -> Section:
    """Describe a dataset, and say which of the modules it goes with."""
    about = "Results of image analysis" if number else "Images as they were acquired"
    attributes = [
        Attribute("Name", component.name),
        Attribute("Description", "; ".join([about, *(_told(component.name, run) for run in component.runs)])),
        Attribute("File List", _list_name(component)),
    ]
    modules = ["biosample", "specimen", "image_acquisition", *(["image_analysis"] if number else [])]
    titles = [MODULES[name][0] for name in modules]
    links = Section("Associations", f"Associations-{number + 1}", [Attribute(title, title) for title in titles])
    return Section("Study Component", f"Study Component-{number + 1}", attributes, [links])
