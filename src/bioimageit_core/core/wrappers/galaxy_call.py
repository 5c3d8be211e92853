"""From a Galaxy wrapper and values to one ``bash`` script in a job directory of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bioimageit_core.core.exceptions import ToolsServiceError
from bioimageit_core.core.wrappers.call import Call, InputFile
from bioimageit_core.core.wrappers.datatypes import datatype_of_file, is_kind_of
from bioimageit_core.core.wrappers.model import Conditional, ConfigFile, Definition, Member, Param, Repeat, Section
from bioimageit_core.core.wrappers.sanitizer import sanitize_name
from bioimageit_core.core.wrappers.specs import OutputSpec, specs_of
from bioimageit_core.core.wrappers.template_data import CollectionValue, DataList, DataValue, NoData, OutputValue
from bioimageit_core.core.wrappers.template_values import GroupValue, value_for
from bioimageit_core.core.wrappers.templates import render
from bioimageit_core.core.wrappers.values import CURRENT_CASE, Collection, State

__all__ = ["SCRIPT", "WORK_DIR", "prepare_galaxy_call", "staged_output"]

SCRIPT = "tool_script.sh"
WORK_DIR = "working"
_NO_INTERPRETER = (16, 4)
_UNSAFE_PATH = re.compile(r"['\"\\$`\n\r\t;&|<>*?!#{}()\[\]~]|^-")


def staged_output(job_dir: str, name: str) -> str:
    """Say where a Galaxy wrapper writes an output: names from outside reach no template."""
    return os.path.join(job_dir, "outputs", f"dataset_{re.sub(r'[^0-9A-Za-z_-]', '_', name)}.dat")


def prepare_galaxy_call(definition: Definition, state: State, outputs: Mapping[str, str], job_dir: str) -> Call:
    """Render a wrapper's command, configuration files and environment; nothing is written.

    Raises
    ------
    ToolsServiceError
        The wrapper needs what only Galaxy has, a template cannot be filled, or a path cannot stand in a script.
    """
    if definition.unsupported:
        raise ToolsServiceError(f"{definition.path}: cannot be executed here: {'; '.join(definition.unsupported)}")
    for path in (job_dir, definition.directory):
        if _UNSAFE_PATH.search(path):
            raise ToolsServiceError(f"directory {path!r}: its name has characters that a tool's script cannot have")
    specs = specs_of(definition, state)
    context = _Context(definition, state, job_dir)
    context.add_outputs(specs)
    files = context.config_files()
    env = {
        variable.name: _stripped(context.filled(variable.text, variable.place), variable.strip)
        for variable in definition.environment
    }
    command = context.filled(definition.command, definition.command_place)
    # as Galaxy does: a command is one line, and no line of its template brings its indent
    command = " ".join(line.strip() for line in command.split("\n")).replace("\r", " ").strip()
    if definition.interpreter and definition.profile < _NO_INTERPRETER:
        program, _, rest = command.partition(" ")
        command = f"{definition.interpreter} {shlex.quote(os.path.join(definition.directory, program))} {rest}"
    files |= context.lists
    files[SCRIPT] = _script(command, job_dir, definition, context.directories)
    wanted = {spec.name: outputs.get(spec.name, staged_output(job_dir, spec.name)) for spec in specs if spec.has_file}
    return Call(["bash", os.path.join(job_dir, SCRIPT)], job_dir, files, context.links, env, wanted)


def _stripped(text: str, strip: bool) -> str:
    # a shell substitutes the text of a file without the line ends that it ends with
    return text.strip() if strip else text.rstrip("\n")


def _script(command: str, job_dir: str, definition: Definition, directories: list[str]) -> str:
    places = [WORK_DIR, "inputs", "outputs", "home", "tmp", *directories]
    job, home, temporary = (shlex.quote(os.path.join(job_dir, part)) for part in (".", "home", "tmp"))
    lines = [
        "#!/bin/bash",
        f"cd {job} || exit 1",
        f"mkdir -p {' '.join(map(shlex.quote, places))} || exit 1",
        'export GALAXY_SLOTS="${GALAXY_SLOTS:-1}" GALAXY_MEMORY_MB="${GALAXY_MEMORY_MB:-4096}"',
        f"export HOME={home} TMPDIR={temporary} TEMP={temporary} TMP={temporary}",
        f"export _GALAXY_JOB_HOME_DIR={home} _GALAXY_JOB_TMP_DIR={temporary}",
        f"cd {WORK_DIR} || exit 1",
    ]
    if definition.strict:
        lines.append("set -e")
    return "\n".join([*lines, command, ""])


@dataclass
class _Context:
    """What the templates of one call see, and the links that they rely on."""

    definition: Definition
    state: State
    job_dir: str
    names: dict[str, Any] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    lists: dict[str, str] = field(default_factory=dict)
    files: list[InputFile] = field(default_factory=list)

    def __post_init__(self) -> None:
        values = self._group(self.definition.members, self.state.tree)
        nested = dict(_nested_data(values.values()))
        self.names = {**self._builtins(), **self.definition.templates, **nested, **values}

    def _builtins(self) -> dict[str, Any]:
        tool = GroupValue(
            id=sanitize_name(self.definition.id),
            name=sanitize_name(self.definition.name),
            version=sanitize_name(self.definition.version),
            description=sanitize_name(self.definition.description),
            profile=float("{}.{:02d}".format(*self.definition.profile)),
            tool_dir=self.definition.directory,
        )
        on_string = ", ".join(sanitize_name(file.name) for file in self.files[:3])
        return {
            "tool": tool,
            "on_string": on_string or "no data",
            "__tool_directory__": self.definition.directory,
            "__tool_name__": tool["name"],
            "__user__": "user",
            "__user_id__": "0",
            "__user_email__": "user@localhost.localdomain",
            "__user_name__": "user",
            "__history_id__": "0",
            "__galaxy_url__": "http://localhost",
            "__root_dir__": self.job_dir,
            "__new_file_path__": os.path.join(self.job_dir, "tmp"),
            "__local_working_directory__": self.job_dir,
            "__tool_data_path__": os.path.join(self.definition.directory, "tool-data"),
            "__datatypes_config__": os.path.join(self.job_dir, "registry.xml"),
            "__admin_users__": "user@localhost.localdomain",
            "GALAXY_DATATYPES_CONF_FILE": os.path.join(self.job_dir, "registry.xml"),
            "GALAXY_DATA_INDEX_DIR": os.path.join(self.definition.directory, "tool-data"),
            "GALAXY_ROOT_DIR": self.job_dir,
            "chromInfo": "",
            "input_dbkey": "?",
            "dbkey": "?",
        }

    def _group(self, members: tuple[Member, ...], values: Mapping[str, Any]) -> GroupValue:
        group = GroupValue()
        for member in members:
            if isinstance(member, Param):
                group[member.name] = self._param(member, values.get(member.name))
            elif isinstance(member, Conditional):
                group[member.name] = self._conditional(member, values[member.name])
            elif isinstance(member, Section):
                group[member.name] = self._group(member.members, values[member.name])
            else:
                group[member.name] = self._repeat(member, values[member.name])
        return group

    def _conditional(self, member: Conditional, values: Mapping[str, Any]) -> GroupValue:
        index = values.get(CURRENT_CASE)
        group = self._group(member.cases[index].members if index is not None else (), values)
        group[member.test.name] = self._param(member.test, values[member.test.name])
        if index is not None:
            group[CURRENT_CASE] = index
        return group

    def _repeat(self, member: Repeat, items: list[Mapping[str, Any]]) -> list[GroupValue]:
        turns = []
        for index, item in enumerate(items):
            turn = self._group(member.members, item)
            turn["__index__"] = index
            turns.append(turn)
        return turns

    def _param(self, param: Param, value: Any) -> Any:
        if not param.is_data:
            return value_for(param, value)
        if isinstance(value, Collection):
            return self._collection(value, value.name or param.name)
        if isinstance(value, list):
            files = DataList(self._stage(file) for file in value)
            files.list_file = self._list_file
            return files if value else NoData()
        return NoData() if value is None else self._stage(value)

    def _collection(self, value: Collection, name: str) -> CollectionValue:
        elements = {
            key: self._collection(item, key) if isinstance(item, Collection) else self._stage(item, key)
            for key, item in value.elements.items()
        }
        shown = CollectionValue(value.type, name, elements)
        shown.list_file = self._list_file
        return shown

    def _list_file(self, text: str) -> str:
        place = f"configs/list_{len(self.lists)}"
        self.lists[place] = text
        return os.path.join(self.job_dir, place)

    def _stage(self, file: InputFile, identifier: str = "") -> DataValue:
        self.files.append(file)
        number = len(self.files)
        link = f"inputs/dataset_{number}.dat"
        files_dir = f"inputs/dataset_{number}_files"
        self.links[link] = os.path.abspath(file.path)
        kind = datatype_of_file(file.path, file.format)
        facts = dict(file.metadata)
        if is_kind_of(kind.name, "zarr"):
            # Galaxy keeps a Zarr directory in the extra files of its dataset
            root = str(facts.get("store_root") or "data.zarr")
            facts["store_root"] = root if not _UNSAFE_PATH.search(root) and "/" not in root else "data.zarr"
            self.links[f"{files_dir}/{facts['store_root']}"] = os.path.abspath(file.path)
            self.directories.append(files_dir)
        for name, path in file.parts.items():
            self.links[f"{files_dir}/{_safe_part(name)}"] = os.path.abspath(path)
        staged = InputFile(file.path, file.name, file.format, facts)
        job = self.job_dir
        return DataValue(staged, os.path.join(job, link), os.path.join(job, files_dir), number, identifier)

    def add_outputs(self, specs: list[OutputSpec]) -> None:
        """Let templates see the outputs, unless a parameter has that name."""
        for spec in specs:
            number, path = spec.number, staged_output(self.job_dir, spec.name)
            elements = {
                key: OutputValue(key, staged_output(self.job_dir, f"{spec.name}_{i}"), inner.datatype, key, number, {})
                for i, (key, inner) in enumerate(spec.elements.items())
            }
            tree = _nested_elements(spec.name, path, elements)
            self.names[spec.name] = OutputValue(spec.name, path, spec.datatype, spec.label, number, tree)
            for key, element in elements.items():
                if spec.output is not None and not spec.output.structured_like:
                    self.names.setdefault(key, element)
        for output in self.definition.outputs:
            # what its filters leave out is there for templates to ask
            self.names.setdefault(output.name, NoData(output.format))

    def filled(self, source: str, place: str) -> str:
        """Fill a template of the wrapper."""
        return render(source, self.names, place, is_old=self.definition.has_old_templates)

    def config_files(self) -> dict[str, str]:
        """Render the configuration files; templates see their paths by name."""
        files: dict[str, str] = {}
        for index, config in enumerate(self.definition.config_files):
            place = f"{WORK_DIR}/{config.filename}" if config.filename else f"configs/config_{index}"
            if os.path.normpath(place) != place or os.path.isabs(config.filename) or place.startswith(".."):
                raise ToolsServiceError(f"{config.place}: file name {config.filename!r} leaves the job directory")
            if config.name:
                self.names[config.name] = os.path.join(self.job_dir, place)
            files[place] = self._config_text(config)
        return files

    def _config_text(self, config: ConfigFile) -> str:
        if not config.is_inputs:
            return self.filled(config.text, config.place)
        return json.dumps(_as_json(self.definition.members, self.state.tree, self.names, config.data_style))


def _nested_elements(name: str, path: str, flat: Mapping[str, OutputValue]) -> dict[str, OutputValue]:
    """Put elements of collections within a collection, which are called ``outer|inner``, into values of their own."""
    groups: dict[str, dict[str, OutputValue]] = {}
    for key, value in flat.items():
        outer, _, inner = key.partition("|")
        groups.setdefault(outer, {})[inner] = value
    return {
        outer: group[""] if "" in group else OutputValue(outer, path, "", name, 0, _nested_elements(name, path, group))
        for outer, group in groups.items()
    }


def _nested_data(values: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Give the inputs within groups by their bare names: older templates ask for them so."""
    for value in values:
        for group in value if isinstance(value, list) and not isinstance(value, DataList) else [value]:
            if isinstance(group, GroupValue):
                own = ((key, item) for key, item in group.items() if isinstance(item, (DataValue, DataList)))
                yield from own
                yield from _nested_data(group.values())


def _safe_part(name: str) -> str:
    if _UNSAFE_PATH.search(name) or "/" in name or name in ("", ".", ".."):
        raise ToolsServiceError(f"a part of an input cannot be named {name!r}")
    return name


def _as_json(members: tuple[Member, ...], values: Mapping[str, Any], shown: Any, style: str) -> dict[str, Any]:
    """Give the parameters as ``<inputs>`` writes them: raw values, and paths only where they are asked for."""
    found: dict[str, Any] = {}
    for member in members:
        value, seen = values.get(member.name), shown[member.name]
        if isinstance(member, Param):
            if not member.is_data:
                found[member.name] = _json_value(member, value)
            elif style:
                found[member.name] = _json_data(value, seen, style)
        elif isinstance(member, Conditional):
            index = value[CURRENT_CASE] if value and CURRENT_CASE in value else None
            inner = _as_json(member.cases[index].members, value or {}, seen, style) if index is not None else {}
            test = _json_value(member.test, (value or {}).get(member.test.name))
            found[member.name] = {member.test.name: test, CURRENT_CASE: index, **inner}
        elif isinstance(member, Section):
            found[member.name] = _as_json(member.members, value or {}, seen, style)
        else:
            found[member.name] = [
                {"__index__": i, **_as_json(member.members, item, seen[i], style)} for i, item in enumerate(value or [])
            ]
    return found


def _json_value(param: Param, value: Any) -> Any:
    if param.type == "data_column" and value:
        return [int(item) for item in value] if isinstance(value, list) else int(value)
    return value


def _json_data(value: Any, seen: Any, style: str) -> Any:
    if not seen:
        return None
    if isinstance(value, list):
        return [_json_data(file, item, style) for file, item in zip(value, seen, strict=True)]
    if isinstance(value, Collection):
        pairs = zip(value.elements.values(), seen, strict=True)
        return {
            "model_class": "HistoryDatasetCollectionAssociation",
            "collection_type": value.type,
            "elements": [_json_data(file, item, style) for file, item in pairs],
        }
    if style == "staging_path_and_source_path":
        return {"staging_path": seen.element_identifier, "source_path": str(seen), "ext": seen.ext}
    return str(seen)
