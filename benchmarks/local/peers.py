"""The same by the peers: signac keeps a JSON document per job, LaminDB an SQLite database."""

from __future__ import annotations

import os
import shutil

from worker import Clock


def _names(sources: str) -> list[str]:
    return sorted(os.listdir(sources))


def signac_import_dir(clock: Clock, sources: str, home: str) -> None:
    import signac

    with clock:
        project = signac.init_project(home)
        for number, name in enumerate(_names(sources)):
            job = project.open_job({"name": name, "Plate": "sources", "Day": str(number % 30)})
            job.init()
            shutil.copyfile(f"{sources}/{name}", job.fn(name))


def signac_annotate(clock: Clock, home: str) -> None:
    import signac

    project = signac.get_project(home)
    with clock:
        for job in project:
            job.document["Well"] = job.statepoint["name"][8:12]


def signac_query(clock: Clock, home: str) -> None:
    import signac

    project = signac.get_project(home)
    with clock:
        assert len(list(project.find_jobs({"doc.Well": "0_w0"}))) >= 0


def _lamindb(home: str) -> None:
    """Prepare for LaminDB; it would ask its hub about a database of this machine: nothing answers there."""
    os.makedirs(home, exist_ok=True)
    os.environ.update(LAMIN_SETTINGS_DIR=f"{home}.settings", HOME=f"{home}.home", LAMINDB_DISABLE_UPDATE_CHECK="1")
    nowhere = "http://127.0.0.1:9"
    os.environ.update(HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere, http_proxy=nowhere, https_proxy=nowhere)
    os.makedirs(f"{home}.home", exist_ok=True)
    os.chdir(home)


def lamindb_import_dir(clock: Clock, sources: str, home: str) -> None:
    _lamindb(home)
    import lamindb_setup

    lamindb_setup.init(storage=f"{home}/store")
    lamindb_setup.settings.instance._is_on_hub = False  # noqa: SLF001 - and ask again for each file
    import lamindb as ln

    with clock:
        plate = ln.ULabel(name="sources").save()
        artifacts = [
            ln.Artifact(f"{sources}/{name}", key=f"data/{name}", description=f"Day {number % 30}")
            for number, name in enumerate(_names(sources))
        ]
        ln.save(artifacts)
        plate.artifacts.add(*artifacts)


def lamindb_annotate(clock: Clock, home: str) -> None:
    _lamindb(home)
    import lamindb_setup

    lamindb_setup.connect(f"{os.environ.get('LAMIN_USER', 'anonymous')}/store")
    import lamindb as ln

    with clock:
        by_well: dict[str, list[object]] = {}
        for artifact in ln.Artifact.filter():
            by_well.setdefault(artifact.key[-10:-7], []).append(artifact)
        for well, artifacts in by_well.items():
            ln.ULabel(name=well).save().artifacts.add(*artifacts)


def lamindb_query(clock: Clock, home: str) -> None:
    _lamindb(home)
    import lamindb_setup

    lamindb_setup.connect(f"{os.environ.get('LAMIN_USER', 'anonymous')}/store")
    import lamindb as ln

    with clock:
        assert len(ln.Artifact.filter(ulabels__name="w07").all()) > 0
