"""What changed under a home's hands does not leave it unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bioimageit_core.exchange.crate.writing import write_crate
from bioimageit_core.exchange.exports import Exporting
from bioimageit_core.exchange.transfer import transfer_experiment


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("target", ["LOCAL", "SQLite"])
def test_a_file_that_is_not_what_was_stored_is_told_and_moved_as_it_is(
    target: str, home: Any, lineage: Any, tmp_path: Path
) -> None:
    first, second = home("LOCAL"), home(target)
    experiment = lineage(first)
    data = first.service.get_raw_data(first.service.get_dataset(experiment.raw_dataset.url).uris[0].md_uri)
    Path(data.uri).write_bytes(Path(data.uri).read_bytes()[:-1] + b"?")

    done = transfer_experiment(experiment, first.service, second.service, second.place())

    (told,) = done.changed
    assert told.startswith(f"data/{data.name}: its content is not what was stored")
    assert done.moved == 6
    packed = write_crate(Exporting(experiment, first.service, str(tmp_path / "crate")))
    assert [each.partition(":")[0] for each in packed.changed] == [data.name]
