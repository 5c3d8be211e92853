"""What reads bytes of strangers: each reader with examples of its input, and what must hold for any bytes.

A reader may refuse what it is given with an error of ours, and do nothing else: no other exception, no hang, no loss.
`test_readers.py` tries them with hypothesis, `coverage_guided.py` with atheris.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import stored

from bioimageit_core.containers import Dataset, Experiment, ProcessedData, RawData, Run
from bioimageit_core.core import json_text, records
from bioimageit_core.core.config import Config
from bioimageit_core.core.exceptions import BioImageITError
from bioimageit_core.core.formats import load_formats
from bioimageit_core.core.query import parse_query
from bioimageit_core.core.wrappers import read_wrapper
from bioimageit_core.core.wrappers.pipelines import read_pipeline
from bioimageit_core.core.wrappers.provided import read_provided
from bioimageit_core.exchange.archive.study import problems, read_study
from bioimageit_core.exchange.crate.opening import METADATA, read_graph
from bioimageit_core.exchange.tables.files import read_rows
from bioimageit_core.images.omexml import image_statements

__all__ = ["TARGETS", "WORDS", "Target"]

WORDS = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-1", b"1e999", b"NaN", b"\\ud800", b"\\u0000"),
    *(b"\xff", b"\xef\xbb\xbf", b"\0", b"..", b"/etc/passwd", b"AND", b"NOT", b"(", b")", b"~", b"!=", b"&a", b"*a"),
    *(b"<", b">", b"&lt;", b"<!DOCTYPE x>", b"<expand macro='x'/>", b"!!python/object:os.system", b"<<: *a"),
    *(b'"uuid"', b'"url"', b'"name"', b'"origin"', b'"common"', b'"inputs"', b'"type"', b'"processed"', b'"raw"'),
)
"""Pieces that mean something to one of the readers, or should not."""

_FIELDS = {"name": "f96 (17)_1.tif", "Day": "4", "Gene name": "p53", "empty": "", "n": "-1e3"}


@dataclass(frozen=True)
class Target:
    """A reader: what it does with any bytes, inputs that it understands, and how much longer than others it takes."""

    read: Callable[[bytes], None]
    examples: tuple[bytes, ...]
    cost: int = 1

    def __call__(self, content: bytes) -> None:
        """Read the bytes; an error of ours is an answer."""
        try:
            self.read(content)
        except BioImageITError as error:
            assert str(error).strip()


def _document(kind: type) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        document = json_text.decode(content, "x.md.json")
        container = records.container_of(kind, document, "x.md.json", lambda url: url)
        written = json_text.encode(records.document_of(container, lambda url: url))
        again = records.container_of(kind, json_text.decode(written, "x.md.json"), "x.md.json", lambda url: url)
        assert json_text.encode(records.document_of(again, lambda url: url)) == written
        lost = set(document) - set(json_text.decode(written, "x.md.json"))
        assert not lost, f"keys of a document that nobody gets back: {lost}"

    return read


def _query(content: bytes) -> None:
    text = content.decode("utf-8", "surrogateescape")
    query = parse_query(text)
    assert isinstance(query.matches(_FIELDS), bool)
    again = parse_query(str(query))
    assert again == query
    assert again.matches(_FIELDS) == query.matches(_FIELDS)


def _file(suffix: str, read: Callable[[str], object]) -> Callable[[bytes], None]:
    def of_a_file(content: bytes) -> None:
        descriptor, path = tempfile.mkstemp(suffix)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            read(path)
        finally:
            os.unlink(path)

    return of_a_file


def _crate(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / METADATA).write_bytes(content)
        read_graph(Path(folder))


def _rows(path: str) -> None:
    columns, rows = read_rows(path)
    assert all(len(row) == len(columns) for _, row in rows)


def _study(content: bytes) -> None:
    list(problems(read_study(content.decode("utf-8", "replace"), "study.yml")))


def _ome_xml(content: bytes) -> None:
    with contextlib.suppress(ValueError):  # it is documented to raise that: its callers name the file
        image_statements(content)


_EXPERIMENT = (
    b'{"uuid": "1", "information": {"name": "e", "author": "ada", "date": "2024-01-01"}, "raw_dataset": {"name": '
    b'"data", "url": "data/raw_dataset.md.json", "uuid": "2"}, "processed_datasets": [], "keys": ["Day"], "our": [1.5]}'
)
_DATASET = b'{"uuid": "1", "name": "data", "urls": [{"uuid": "2", "url": "a.md.json"}]}'
_COMMON = b'"common": {"name": "a", "author": "ada", "date": "2024-01-01", "format": "imagetiff", "url": "a.tif"}'
_RAW = b'{"uuid": "1", "origin": {"type": "raw"}, ' + _COMMON + b', "metadata": {}, "key_value_pairs": {"Day": "1"}}'
_PROCESSED = (
    b'{"uuid": "1", ' + _COMMON + b', "origin": {"type": "processed", "run": {"url": "run.md.json", "uuid": "3"}, '
    b'"inputs": [{"name": "i", "url": "../data/a.md.json", "uuid": "1", "type": "raw"}], "output": {"name": "o", '
    b'"label": "Out"}}}'
)
_RUN = (
    b'{"uuid": "1", "process": {"name": "t", "url": "t.xml"}, "processed_dataset": {"uuid": "2", "url": '
    b'"processed_dataset.md.json"}, "inputs": [{"name": "i", "dataset": "data", "query": "Day=1", '
    b'"origin_output_name": ""}], "parameters": [{"name": "sigma", "value": "1"}]}'
)
_QUERIES = (
    b"name=f96 (17) AND Day>=3",
    b'Gene_name IN (p53, "p 21") OR NOT Day AND \'Gene name\' ~ "^p[0-9]+$"',
    b"((n<=-1e3)) AND name==x OR date!=2024-01-01 AND empty",
)
_CONFIG = (
    b'{"user": {"name": "ada"}, "workspace": "w", "metadata": {"service": "LOCAL"}, "process": {"service": "LOCAL", '
    b'"xml_dirs": ["t"]}, "env": [{"name": "VAR", "value": "x"}]}'
)
_FORMATS = (
    b'{"formats": [{"name": "imagetiff", "extension": "tif", "reader": "imagetiff", "viewer": "napari"}, '
    b'{"name": "raw", "extension": ""}]}'
)
_PIPELINE_JSON = (
    b'{"name": "p", "steps": [{"name": "blur", "tool": "g_v1", "inputs": [{"name": "i", "dataset": "data", "query": '
    b'""}], "parameters": [{"name": "sigma", "value": 2}], "outputs": [{"name": "o"}], "output_dataset_name": "b"}]}'
)
_PIPELINE_YAML = (
    b"name: p\nsteps:\n- name: blur\n  tool: g_v1\n  inputs: {i: data}\n  parameters: &p {sigma: [1, 2]}\n- {name: x, "
    b"tool: y, inputs: {i: {dataset: blur, output: o}}, parameters: *p}\n"
)
_WRAPPER = b"""<tool id="blur" name="Blur" version="@V@+galaxy0" profile="22.05">
    <macros><token name="@V@">1.0</token><xml name="sigma" token_default="1"><param argument="--sigma" type="float"
        value="@DEFAULT@" min="0"><validator type="in_range" max="9"/><yield/></param></xml></macros>
    <requirements><requirement type="package" version="1.0">numpy</requirement></requirements>
    <command detect_errors="exit_code"><![CDATA[
        #if $mode.kind == "a": blur '$i' --sigma $sigma #else: blur '$i' #end if
    ]]></command>
    <configfiles><configfile name="c">#for $r in $rows# ${r.x} #end for#</configfile></configfiles>
    <inputs><param name="i" type="data" format="tiff"/><expand macro="sigma" default="2"><option value="x"/></expand>
        <conditional name="mode"><param name="kind" type="select"><option value="a" selected="true">A</option><option
        value="b">B</option></param><when value="a"/><when value="b"><param name="n" type="integer" value="1"/></when>
        </conditional><repeat name="rows" title="R" min="0"><param name="x" type="text"/></repeat></inputs>
    <outputs><data name="o" format="tiff" from_work_dir="o.tif"><filter>mode["kind"] == "a"</filter></data></outputs>
    <tests><test><param name="i" value="a.tif"/><output name="o"><assert_contents><has_size value="1"/>
        </assert_contents></output></test></tests>
    <help>None</help></tool>"""

_TABLE = b'name,Day,"Gene name"\r\na.tif,1,"p 53"\r\nb.tif,,"x ""y"""\r\n'
_TABLE_SEMICOLONS = b"\xef\xbb\xbfname;size\na;1,5\n"
_STUDY = b"study:\n  title: Cells  # needed\n  keywords: [a, b]\n  release_date: 2024-05-31\n"
_OME_XML = b"""<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
    <Instrument><Objective ID="O:1" Model="x" NominalMagnification="40" LensNA="1.3"/></Instrument>
    <Image Name="a"><AcquisitionDate>2024-05-31T00:00:00</AcquisitionDate><ObjectiveSettings ID="O:1"/>
        <Pixels Type="uint16" SizeT="1" SizeC="2" SizeZ="3" SizeY="4" SizeX="5" PhysicalSizeX="0.1"
            PhysicalSizeXUnit="nm" TimeIncrement="2"><Channel Name="DAPI" Color="-16776961"/></Pixels></Image></OME>"""
_CRATE = (
    b'{"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [{"@id": "ro-crate-metadata.json", "@type": '
    b'"CreativeWork", "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}, "about": {"@id": "./"}}, {"@id": "./", '
    b'"@type": "Dataset", "hasPart": [{"@id": "a.tif"}]}, {"@id": "a.tif", "@type": "File"}]}'
)
_PROVIDED = (
    b'{"out": {"name": "a", "ext": "tiff", "elements": [{"name": "b", "filename": "b.tif"}], "failed": false}}',
    b'{"type": "new_primary_dataset", "filename": "a.tif", "name": "a"}\n{"type": "dataset", "dataset": "1"}\n',
)

TARGETS = {
    "experiment": Target(_document(Experiment), (_EXPERIMENT,)),
    "dataset": Target(_document(Dataset), (_DATASET,)),
    "raw_data": Target(_document(RawData), (_RAW,)),
    "processed_data": Target(_document(ProcessedData), (_PROCESSED,)),
    "run": Target(_document(Run), (_RUN,)),
    "query": Target(_query, _QUERIES),
    "config": Target(_file(".json", Config), (_CONFIG,)),
    "formats": Target(_file(".json", load_formats), (_FORMATS,)),
    "pipeline_json": Target(_file(".json", read_pipeline), (_PIPELINE_JSON,)),
    "pipeline_yaml": Target(_file(".yaml", read_pipeline), (_PIPELINE_YAML,)),
    "wrapper": Target(_file(".xml", read_wrapper), (_WRAPPER,)),
    "provided": Target(_file(".json", read_provided), _PROVIDED),
    "table": Target(_file(".csv", _rows), (_TABLE, _TABLE_SEMICOLONS)),
    "study": Target(_study, (_STUDY,)),
    "crate": Target(_crate, (_CRATE,)),
    "ome_xml": Target(_ome_xml, (_OME_XML,)),
    **{name: Target(read, stored.examples(name), cost=20) for name, read in stored.READERS.items()},
}
