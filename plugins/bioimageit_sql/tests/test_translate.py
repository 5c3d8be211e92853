"""Queries as SQL select what the query language says, for values of every type that a document can hold."""

from __future__ import annotations

import itertools
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from bioimageit_sql.data import NewData
from bioimageit_sql.service import SqlMetadataService, connect
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bioimageit_core.containers import ProcessedData, RawData, Run
from bioimageit_core.core.query import fields_of, parse_query
from bioimageit_core.testing.reference import KEYS, Expression, expressions

_NUMBERS = st.one_of(
    st.integers(-5, 12), st.sampled_from((2**53, 2**53 + 1, -(2**60), 10**400)), st.floats(allow_nan=True)
)
_TEXTS = st.one_of(
    st.sampled_from(
        (
            "",
            " ",
            "p53",
            " p53 ",
            "P53",
            "1",
            "1.0",
            " 2 ",
            "1e3",
            "1e999",
            "true",
            "True",
            "2024-05",
            "2024-05-31T10:00Z",
        )
    ),
    st.sampled_from(
        ("x" * 150, "x" * 200, "x" * 201, "x" * 200 + "y", "a\0b", "a\ufffdb", "a\ud800b", "{}", "[]", "é\u2003")
    ),
    st.text(max_size=5),
)
_SCALARS = st.one_of(_TEXTS, _TEXTS, _NUMBERS, st.booleans(), st.none())
_VALUES = st.one_of(
    _SCALARS,
    _SCALARS,
    st.lists(_SCALARS, max_size=3),
    st.just([[], "a"]),
    st.dictionaries(st.sampled_from("ab"), _SCALARS, max_size=1),
)
_ALL_KEYS = (*KEYS, "author", "date", "format", "name", "k" * 300, "nul\0key")
_ROWS = st.lists(st.dictionaries(st.sampled_from(_ALL_KEYS), _VALUES, max_size=4), min_size=1, max_size=6)
_NAMES = ("p53 a.tif", " 2024-05.tif ", "X" * 200, "100%_.tif", "é\u2003")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    """Draw a comparison of any key with any text."""
    key = _quoted(draw(st.sampled_from(_ALL_KEYS)))
    negated = draw(st.sampled_from(("", "NOT ")))
    if draw(st.booleans()):
        values = ", ".join(_quoted(text) for text in draw(st.lists(_TEXTS, min_size=1, max_size=3)))
        return f"{negated}{key} IN ({values})"
    order = draw(st.sampled_from(("<", "<=", ">", ">=")))
    bound = draw(st.sampled_from(("1", "0.5", "2024-05", "2024-05-31", "9007199254740992", "1e999", "-1e999")))
    same = draw(st.sampled_from(("=", "==", "!=")))
    return negated + draw(st.sampled_from((f"{key}{order}{bound}", f"{key}{same}{_quoted(draw(_TEXTS))}", key)))


class TranslationTests:
    @pytest.fixture
    def service(self, url: str, tmp_path: Path) -> Iterator[SqlMetadataService]:
        service = connect(url, str(tmp_path / "files"))
        yield service
        service.close()

    def test_what_is_selected_is_what_the_language_says(self, service: SqlMetadataService, tmp_path: Path) -> None:
        numbers = itertools.count()
        (tmp_path / "out.tif").write_bytes(b"1")

        # numbers that are the same as a double, and are not
        @example(
            rows=[{"Day": 2**53 + 1}, {"Day": 2**53}, {"Day": "9007199254740993"}, {"Day": 10**400}],
            queries=[
                f"{negated}Day{order}9007199254740992"
                for negated in ("", "NOT ")
                for order in ("=", "<", "<=", ">", ">=")
            ],
        )
        # half of a character, which no database stores
        @example(rows=[{"Day": "a\ud800b"}, {"Day": True}], queries=['Day IN ("a\ud800b", "TRUE")', 'Day="a\ud800b"'])
        @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(rows=_ROWS, queries=st.lists(st.one_of(comparisons(), expressions()), min_size=15, max_size=15))
        def check(rows: list[dict[str, Any]], queries: Sequence[str | Expression]) -> None:
            experiment = service.create_experiment(f"e {uuid.uuid4()}", "ada", "2024-01-01", [], "w")
            experiment_id = service._records.id_of("experiment", experiment.md_uri)
            sources = []
            for number, pairs in enumerate(rows):
                name = f"{_NAMES[number % len(_NAMES)]}{number}"
                data = RawData("", str(uuid.uuid4()), name, " ada ", "2024-05-31", "imagetiff")
                data.key_value_pairs = pairs
                sources.append(NewData(data, f"ab/{next(numbers):064x}.tif"))
            raw_uris = service.database.write(lambda c: service._data.import_raw(c, experiment_id, sources))
            results = service.create_dataset(experiment, "results")
            run = service.create_run(results, Run())
            for raw_uri in raw_uris:
                new = ProcessedData(name="result", author="grace", date="2024-06", format="imagetiff")
                new.uri = str(tmp_path / "out.tif")
                new.add_input("i", service.get_raw_data(raw_uri))
                service.create_data(results, run, new)

            raw = [service.get_raw_data(uri) for uri in raw_uris]
            made = [service.get_processed_data(entry.md_uri) for entry in service.get_dataset(results.md_uri).uris]
            for query in queries:
                text = str(query)
                parsed = parse_query(text)
                for dataset_uri, fields in (
                    (experiment.raw_dataset.url, {d.md_uri: fields_of(d) for d in raw}),
                    (results.md_uri, {d.md_uri: fields_of(d, o) for d, o in zip(made, raw, strict=True)}),
                ):
                    found = service.query_data(service.get_dataset(dataset_uri), text)
                    expected = [uri for uri, known in fields.items() if parsed.matches(known)]
                    assert [data.md_uri for data in found] == expected, text

        check()


class TestSqlite(TranslationTests):
    @pytest.fixture
    def url(self, tmp_path: Path, template: Path) -> str:
        shutil.copyfile(template, tmp_path / "lab.db")
        return f"sqlite:///{tmp_path}/lab.db"


@pytest.mark.postgresql
class TestPostgresql(TranslationTests):
    @pytest.fixture
    def url(self, shared_postgresql_url: str) -> str:
        return shared_postgresql_url
