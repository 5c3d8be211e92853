"""Pages of a dataset, of services of any age."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bioimageit_core.api import Request
from bioimageit_core.containers import Container
from bioimageit_core.plugins.pages import DataPage


def test_a_service_that_cannot_skip_is_read_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"workspace": str(tmp_path), "log_dir": str(tmp_path / "logs")}))
    with Request(str(config), debug=False, log=False) as request:
        experiment = request.create_experiment("Cells", "ada")
        for number in range(5):
            path = tmp_path / f"{number}.csv"
            path.write_text("a\n1\n")
            request.import_data(experiment, str(path))
        skip = request.data_service.query_page

        def older(dataset: Container, query: str, output: str = "", cursor: str = "", limit: int = 100) -> DataPage:
            page: DataPage = skip(dataset, query, output, cursor, limit)
            return page

        monkeypatch.setattr(request.data_service, "query_page", older)
        window = request.query_page(experiment, "data", offset=2, limit=2)
        after = request.query_page(experiment, "data", cursor=window.cursor, limit=2)
        beyond = request.query_page(experiment, "data", offset=9)

    assert [data.name for data in window.data + after.data] == ["2.csv", "3.csv", "4.csv"]
    assert (beyond.data, beyond.cursor) == ([], "")
