"""Every schema that was ever released is brought up to date, with what is in it; newer ones are left alone."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from bioimageit_sql import migrations, schema
from bioimageit_sql.service import SqlMetadataService, connect

from bioimageit_core.core.exceptions import DataServiceError

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
"""Dumps of databases, one a revision, made by ``dump.py`` beside them when the revision was released."""


def _differences(service: SqlMetadataService) -> list[object]:
    with service.database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), schema.metadata))


def _revisions() -> list[str]:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    return sorted(revision.revision for revision in script.walk_revisions())


def test_there_is_a_dump_of_every_revision() -> None:
    assert [path.stem for path in SCHEMAS] == _revisions()
    assert _revisions()[-1] == migrations.HEAD


@pytest.mark.parametrize("dump", SCHEMAS, ids=lambda path: path.stem)
def test_a_released_schema_is_brought_up_to_date_with_what_is_in_it(dump: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()
    shutil.copytree(dump.parent / "files", tmp_path / "files")
    service = connect(f"sqlite:///{tmp_path}/old.db", str(tmp_path / "files"))

    (found,) = service.get_workspace_experiments("lab")
    experiment = found["info"]
    raw = list(service.query_data(service.get_dataset(experiment.raw_dataset.url), "Population=p53 µ AND Dose>1"))
    processed = service.get_dataset(experiment.processed_datasets[0].url)
    results = list(service.query_data(processed, "Population=p53 µ", "o"))

    assert (experiment.name, experiment.keys) == ("Ångström", ["Population", "Dose"])
    assert [data.name for data in raw] == ["cell 1.tif"]
    assert raw[0].metadata == {"PhysicalSizeX": 0.16, "PhysicalSizeXUnit": "µm"}
    assert [data.name for data in results] == ["cell 1 mask"]
    assert [run.process_name for run in service.get_dataset_runs(processed)] == ["Threshold"]
    assert Path(service.get_data_uri(results[0])).read_bytes() == b"mask"
    assert _differences(service) == []
    service.close()


def test_a_new_sqlite_database_has_the_schema_that_the_code_says(tmp_path: Path) -> None:
    service = connect(f"sqlite:///{tmp_path}/new.db")

    assert _differences(service) == []
    service.close()


@pytest.mark.postgresql
def test_a_new_postgresql_database_has_the_schema_that_the_code_says(postgresql_url: str, tmp_path: Path) -> None:
    service = connect(postgresql_url, str(tmp_path))

    assert _differences(service) == []
    service.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, template: Path) -> None:
    path = tmp_path / "newer.db"
    shutil.copyfile(template, path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    service = connect(f"sqlite:///{path}")
    with pytest.raises(DataServiceError, match=r"9999.*update bioimageit-sql"):
        service.get_workspace_experiments("lab")
    service.close()

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
    connection.close()


def test_an_older_schema_is_not_touched_where_that_was_said(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(template, tmp_path / "older.db")
    monkeypatch.setattr(migrations, "HEAD", "9998")
    service = connect(f"sqlite:///{tmp_path}/older.db", migrate=False)

    with pytest.raises(DataServiceError, match="'migrate': true"):
        service.get_workspace_experiments("lab")
    service.close()


def test_many_processes_can_open_a_new_database_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    code = f"from bioimageit_sql.service import connect; print(connect({url!r}).database.store_id)"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]

    said = {process.communicate()[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(said) == 1
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        assert len(connection.execute(sa.select(schema.store)).all()) == 1
