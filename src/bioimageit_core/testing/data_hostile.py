"""Names and values from outside: stored faithfully or refused, never lost, never leading elsewhere."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Experiment, Run
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.testing.ability import ability
from bioimageit_core.testing.data_fixtures import DataFixtures, Lineage, content_of, facts, listed, make_result

__all__ = ["HOSTILE_NAMES", "HOSTILE_VALUES", "NameTests", "ValueTests"]

HOSTILE_NAMES = {
    "shell": "a b;c $(touch pwned) `x` | y & z",
    "parent": "../x",
    "two parents": "../../x",
    "absolute": "/kit-absolute",
    "windows path": "..\\..\\x",
    "drive": "C:x",
    "nul": "a\0b",
    "newline": "a\nb\r\tc",
    "long": "n" * 300,
    "long unicode": "é漢" * 150,
    "reserved": "CON",
    "reserved with extension": "nul.tif",
    "trailing dot": "name.",
    "spaces": "  two  spaces ",
    "only dots": "..",
    "empty": "",
    "unicode": "Zellkern-µ 細胞核 🔬 e\u0301",
    "right to left": "\u202egpj.exe",
    "lone surrogate": "a\ud800b",
    "sql": "x'); DROP TABLE data; --",
    "like": "100%_[a]*?",
    "markup": "<script>alert(1)</script>&amp;\"'",
    "template": "${x} #import os {{x}} %s",
    "metadata document": "raw_dataset.md.json",
    "hidden": ".bioimageit",
    "url": "s3://bucket/x?versionId=1#f",
}

HOSTILE_VALUES = {
    **HOSTILE_NAMES,
    "64 kB": "0123456789abcdef" * 4096,
    "a query": "a=1 AND (b<2 OR NOT c)",
    "number": "1e400",
    "json": '{"a": [1, 2]}',
}

_BENIGN = ("unicode", "shell", "sql", "like", "markup", "template")


@contextlib.contextmanager
def faithful_or_refused() -> Iterator[None]:
    """Let the block refuse with the error of the contract, and with no other."""
    try:
        yield
    except DataServiceError:
        pytest.skip("refused with a DataServiceError, which is right")


@ability("names")
class NameTests(DataFixtures):
    """Names that mean something to a shell, a path, a database or a page."""

    @pytest.mark.parametrize("case", sorted(HOSTILE_NAMES))
    def test_an_experiments_name(self, service: Any, destination: str, workspace: str, case: str) -> None:
        name = HOSTILE_NAMES[case]
        before = {item["md_uri"] for item in service.get_workspace_experiments(workspace)}
        try:
            created = service.create_experiment(name, "ada", "now", [], destination)
        except DataServiceError:
            assert {item["md_uri"] for item in service.get_workspace_experiments(workspace)} == before
            return

        assert service.get_experiment(created.md_uri).name == name
        after = {item["md_uri"]: item["info"].name for item in service.get_workspace_experiments(workspace)}
        assert set(after) - before == {created.md_uri}
        assert after[created.md_uri] == name

    @pytest.mark.parametrize("case", sorted(HOSTILE_NAMES))
    def test_a_datasets_name(self, service: Any, experiment: Experiment, case: str) -> None:
        name = HOSTILE_NAMES[case]
        try:
            created = service.create_dataset(experiment, name)
        except DataServiceError:
            assert service.get_experiment(experiment.md_uri).processed_datasets == []
            return

        assert service.get_dataset(created.md_uri).name == name
        assert [d.name for d in service.get_experiment(experiment.md_uri).processed_datasets] == [name]

    @pytest.mark.parametrize("case", sorted(HOSTILE_NAMES))
    def test_a_datas_name(self, service: Any, experiment: Experiment, image: str, tmp_path: Path, case: str) -> None:
        name = HOSTILE_NAMES[case]
        try:
            data = service.import_data(experiment, image, name, "ada", "imagetiff", "now", {})
        except DataServiceError:
            assert listed(service, experiment) == []
            return

        assert service.get_raw_data(data.md_uri).name == name
        assert content_of(service, data, str(tmp_path)) == Path(image).read_bytes()

    @pytest.mark.parametrize("case", sorted(HOSTILE_NAMES))
    def test_a_results_name(self, service: Any, lineage: Lineage, tmp_path: Path, case: str) -> None:
        name = HOSTILE_NAMES[case]
        before = facts(service.get_processed_data(lineage.processed.md_uri))
        try:
            made = make_result(service, lineage.dataset, lineage.run, lineage.raw, str(tmp_path), name, "second")
        except DataServiceError:
            assert len(service.get_dataset(lineage.dataset.md_uri).uris) == 1
            return

        assert service.get_processed_data(made.md_uri).name == name
        assert content_of(service, made, str(tmp_path)) == b"result of " + name.encode("utf-8", "surrogatepass")
        assert facts(service.get_processed_data(lineage.processed.md_uri)) == before

    @pytest.mark.parametrize("case", sorted(HOSTILE_NAMES))
    def test_a_name_leads_to_no_place_outside(
        self,
        service: Any,
        destination: str,
        image: str,
        tmp_path: Path,
        case: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "precious.txt").write_bytes(b"precious")
        monkeypatch.chdir(outside)
        inside = Path(destination).resolve() if destination and os.path.isdir(destination) else None
        watched = [outside, *([inside.parent] if inside is not None else [])]
        names = {path: sorted(os.listdir(path)) for path in watched}
        name = str(outside / "absolute") if case == "absolute" else HOSTILE_NAMES[case]
        with contextlib.suppress(DataServiceError):
            service.create_experiment(name, "ada", "now", [], destination)
        benign = service.create_experiment(f"kit {uuid.uuid4().hex[:12]}", "ada", "now", [], destination)
        with contextlib.suppress(DataServiceError):
            service.import_data(benign, image, name, "ada", "imagetiff", "now", {})
        with contextlib.suppress(DataServiceError):
            service.create_dataset(benign, name)

        assert {path: sorted(os.listdir(path)) for path in watched} == names
        assert (outside / "precious.txt").read_bytes() == b"precious"

    @pytest.mark.parametrize("case", _BENIGN)
    def test_a_file_that_is_called_so_comes_in(
        self, service: Any, experiment: Experiment, tmp_path: Path, case: str
    ) -> None:
        name = HOSTILE_NAMES[case].replace("/", "_") + ".tif"
        folder = tmp_path / "plate"
        folder.mkdir()
        (folder / name).write_bytes(b"content")
        service.import_dir(experiment, str(folder), r"\.tif$", "ada", "imagetiff", "now", "", None)

        (uri,) = listed(service, experiment)
        data = service.get_raw_data(uri)
        assert data.name.removesuffix(".tif") == name.removesuffix(".tif")
        assert content_of(service, data, str(tmp_path)) == b"content"
        assert os.listdir(folder) == [name]


@ability("values")
class ValueTests(DataFixtures):
    """Keys and values of any text and of any size."""

    @pytest.mark.parametrize("case", sorted(HOSTILE_VALUES))
    def test_a_value(self, service: Any, experiment: Experiment, image: str, case: str) -> None:
        value = HOSTILE_VALUES[case]
        with faithful_or_refused():
            data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {"Key": value})

        assert service.get_raw_data(data.md_uri).key_value_pairs["Key"] == value
        data.metadata = {"free": value}
        service.update_raw_data(data)
        assert service.get_raw_data(data.md_uri).metadata == {"free": value}

    @pytest.mark.parametrize("case", sorted(HOSTILE_NAMES))
    def test_a_key(self, service: Any, experiment: Experiment, image: str, case: str) -> None:
        key = HOSTILE_NAMES[case]
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {})
        data.key_value_pairs = {"Population": "", key: "here"}
        with faithful_or_refused():
            service.update_raw_data(data)

        assert service.get_raw_data(data.md_uri).key_value_pairs == {"Population": "", key: "here"}

    @pytest.mark.parametrize("case", sorted(HOSTILE_VALUES))
    def test_a_parameter_of_a_run(self, service: Any, experiment: Experiment, case: str) -> None:
        dataset = service.create_dataset(experiment, "threshold")
        run = Run(process_name=HOSTILE_VALUES[case])
        run.add_parameter("p", HOSTILE_VALUES[case])
        run.add_input("i", "data", HOSTILE_VALUES[case], "")
        with faithful_or_refused():
            stored = service.create_run(dataset, run)

        again = service.get_run(stored.md_uri)
        assert again.process_name == HOSTILE_VALUES[case]
        assert again.parameters[0].value == HOSTILE_VALUES[case]
        assert again.inputs[0].query == HOSTILE_VALUES[case]

    def test_large_and_benign_values_are_stored(self, service: Any, experiment: Experiment, image: str) -> None:
        pairs = {case: HOSTILE_VALUES[case] for case in (*_BENIGN, "64 kB", "a query", "number", "json")}
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", pairs)

        assert {**service.get_raw_data(data.md_uri).key_value_pairs, "Population": ""} == {**pairs, "Population": ""}

    def test_hundreds_of_keys_keep_their_order(self, service: Any, experiment: Experiment, image: str) -> None:
        pairs = {f"key {(number * 7919) % 500:03}": str(number) for number in range(500)}
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", pairs)

        stored = service.get_raw_data(data.md_uri).key_value_pairs
        assert {key: value for key, value in stored.items() if key != "Population"} == pairs
        assert [key for key in stored if key != "Population"] == list(pairs)
        assert set(service.get_experiment(experiment.md_uri).keys) == {"Population", *pairs}

    @ability("values of other types")
    def test_values_that_are_no_text_keep_their_type(self, service: Any, experiment: Experiment, image: str) -> None:
        data = service.import_data(experiment, image, "a", "ada", "imagetiff", "now", {})
        pairs = {"Population": "", "int": 3, "large": 2**60, "float": 0.1, "bool": True, "none": None, "list": ["a", 1]}
        data.key_value_pairs = pairs
        service.update_raw_data(data)

        stored = service.get_raw_data(data.md_uri).key_value_pairs
        assert stored == pairs
        assert {key: type(value) for key, value in stored.items()} == {key: type(value) for key, value in pairs.items()}
