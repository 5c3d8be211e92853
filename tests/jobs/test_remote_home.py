"""Jobs where the data are not local files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.containers import Tool
from bioimageit_core.jobs import run_job
from bioimageit_core.plugins.runner_local import LocalRunnerService
from bioimageit_core.testing.memory import MemoryMetadataService

MakeTool = Callable[..., Tool]


@pytest.fixture(params=["memory", "fsspec"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "memory":
        service: Any = MemoryMetadataService()
        yield service, service.create_experiment("cells", "ada", "now", [], "here")
        service.close()
    else:
        from bioimageit_core.plugins.data_fsspec import FsspecMetadataServiceBuilder

        service = FsspecMetadataServiceBuilder()()
        yield (
            service,
            service.create_experiment("cells", "ada", "now", [], f"memory://jobs-{os.path.basename(tmp_path)}"),
        )


def test_inputs_are_fetched_outputs_stored_and_copies_removed(
    remote: Any, make_tool: MakeTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bioimageit_core.containers import Job

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    service, experiment = remote
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
        service.import_data(experiment, str(tmp_path / f"{name}.txt"), f"{name}.txt", "ada", "raw", "now", {})
    job = Job()
    job.set_experiment(experiment)
    job.set_tool(make_tool())
    job.set_input("i", "data", "")
    job.set_output_dataset_name("out")

    run_job(job, data=service, runner=LocalRunnerService(), user="ada", work_dir=str(scratch))

    info = experiment.processed_datasets[0]
    found = {}
    for entry in service.get_dataset(info.url).uris:
        data = service.get_processed_data(entry.md_uri)
        path = service.download_data(entry.md_uri, str(tmp_path / data.name))
        found[data.name] = Path(path).read_text()
    assert found == {"o_a": "A", "o_b": "B"}
    assert os.listdir(scratch) == []
