"""Whatever a plugin's service raises becomes an error of the library, with the plugin's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.core.exceptions import (
    DataServiceError,
    NotFoundError,
    RunnerExecError,
    ToolsServiceError,
    UnsupportedError,
)
from bioimageit_core.plugins.contracts import ListsRuns, RunsCommands, SharesDirectory
from bioimageit_core.plugins.guard import guard
from bioimageit_core.plugins.structure import accepts


class Service:
    shared = "constant"

    def get_run(self, md_uri: str) -> str:
        raise KeyError(md_uri)

    def get_experiment(self, md_uri: str) -> str:
        raise NotFoundError("experiment", md_uri)

    def get_dataset(self, md_uri: str) -> str:
        raise SystemExit(1)

    def view_data(self, md_uri: str) -> Any:
        raise NotImplementedError

    def import_data(self, path: str, *, mode: str = "copy") -> str:
        return f"{path} {mode}"

    def query_data(self, dataset: Any) -> Iterator[int]:
        yield 1
        raise OSError("connection lost")

    def get_dataset_runs(self, dataset: Any) -> list[Any]:
        raise KeyboardInterrupt


def test_foreign_errors_are_wrapped_named_and_chained() -> None:
    with pytest.raises(DataServiceError, match="data plugin 'WILD' failed in get_run: KeyError: 'x'") as caught:
        guard("data", "WILD", Service()).get_run("x")

    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(("kind", "error"), [("runner", RunnerExecError), ("tools", ToolsServiceError)])
def test_each_kind_has_its_error(kind: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="plugin 'WILD' failed in get_run"):
        guard(kind, "WILD", Service()).get_run("x")


def test_errors_of_the_library_and_the_users_interrupt_pass() -> None:
    with pytest.raises(NotFoundError):
        guard("data", "WILD", Service()).get_experiment("x")
    with pytest.raises(KeyboardInterrupt):
        guard("data", "WILD", Service()).get_dataset_runs(None)


def test_a_plugin_that_exits_does_not_end_the_process() -> None:
    with pytest.raises(DataServiceError, match="failed in get_dataset: SystemExit: 1"):
        guard("data", "WILD", Service()).get_dataset("x")


def test_what_is_not_implemented_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="data plugin 'WILD' cannot view_data"):
        guard("data", "WILD", Service()).view_data("x")


def test_errors_while_items_are_given_are_wrapped_too() -> None:
    items = guard("data", "WILD", Service()).query_data(None)

    assert next(items) == 1
    with pytest.raises(DataServiceError, match="OSError: connection lost"):
        next(items)


def test_secrets_are_masked_in_the_message() -> None:
    guarded = guard("data", "WILD", Service(), lambda text: text.replace("xyzzy", "***"))

    with pytest.raises(DataServiceError, match=r"KeyError: '\*\*\*'"):
        guarded.get_run("xyzzy")


def test_results_arguments_and_other_attributes_are_those_of_the_service() -> None:
    service = Service()
    guarded = guard("data", "WILD", service)

    assert guarded.import_data("p", mode="link") == "p link"
    assert accepts(guarded.import_data, "mode")
    assert not accepts(guarded.get_run, "mode")
    assert guarded.shared == "constant"
    assert guarded.unguarded is service
    assert guard("data", "WILD", guarded) is guarded
    assert not hasattr(guarded, "no_such_thing")


def test_abilities_show_through() -> None:
    class Runner:
        def __init__(self) -> None:
            self.directory = "/a"

        @property
        def shared_dir(self) -> str:
            return self.directory

    runner = Runner()
    guarded = guard("runner", "WILD", runner)
    runner.directory = "/b"

    assert isinstance(guard("data", "WILD", Service()), ListsRuns)
    assert isinstance(guarded, SharesDirectory)
    assert guarded.shared_dir == "/b"
    assert not isinstance(guarded, RunsCommands)


def test_a_runner_without_job_id_is_called_without_it() -> None:
    calls: list[Any] = []

    class Old:
        def set_up(self, tool: Any) -> None:
            calls.append("up")

        def exec(self, tool: Any, args: list[str]) -> None:
            calls.append(args)

        def tear_down(self, tool: Any, job_id: int) -> None:
            calls.append(job_id)

    guarded = guard("runner", "OLD", Old())
    guarded.set_up(Tool(), 7)
    guarded.exec(Tool(), ["a"], 7)
    guarded.exec(Tool(), ["b"])
    guarded.tear_down(Tool(), 7)

    assert calls == ["up", ["a"], ["b"], 7]
