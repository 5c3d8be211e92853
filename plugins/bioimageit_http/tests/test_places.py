"""Copies that are made for tools leave nothing behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


def test_folders_of_copies_that_were_removed_are_removed_while_the_service_lives(
    make_service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = tmp_path / "a.csv"
    source.write_text("a\n1\n")
    service = make_service()
    experiment = service.create_experiment("Places", "ada")
    data = service.import_data(experiment, str(source), "a", "ada", "tablecsv")
    kept = service.get_data_uri(data)
    for _ in range(40):
        os.remove(service.get_data_uri(data))
    left = list(Path(kept).parent.parent.iterdir())
    service.close()

    assert Path(kept).parent in left
    assert len(left) < 20
    assert not Path(kept).exists()
