"""How a million data do: rows are stored as imports store them, then asked and changed as users do.

Usage: million.py [COUNT] [URL]; SQLite in a temporary directory, if no URL is given.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bioimageit_sql.data import NewData
from bioimageit_sql.service import SqlMetadataService, connect

from bioimageit_core.containers import RawData
from bioimageit_core.core.utils import generate_uuid

_BATCH = 1000
_QUERIES = (
    "Well=B07 AND Field=3",
    "Plate=plate 7 AND Intensity>=0.99",
    "name=00123",
    "Drug IN (taxol, nocodazole) AND NOT Plate=plate 1 AND Intensity<0.001",
    "Intensity>0.9999 OR Comment",
    "name~^img_0*77_",
)


def fill(service: SqlMetadataService, experiment: Any, count: int) -> None:
    """Store raw data with five annotations each, without their files."""
    chance = random.Random(1)
    experiment_id = service._records.id_of("experiment", experiment.md_uri)
    for start in range(0, count, _BATCH):
        batch = []
        for number in range(start, min(start + _BATCH, count)):
            data = RawData("", generate_uuid(), f"img_{number:07}_w1.tif", "ada", "2024-05-31", "imagetiff")
            data.key_value_pairs = {
                "Plate": f"plate {number // 50_000}",
                "Well": f"{chance.choice('ABCDEFGH')}{chance.randint(1, 12):02}",
                "Field": str(chance.randint(1, 9)),
                "Drug": chance.choice(("taxol", "nocodazole", "dmso", "")),
                "Intensity": f"{chance.random():.6f}",
            }
            batch.append(NewData(data, f"ab/{number:064x}.tif"))
        service.database.write(
            lambda connection, batch=batch: service._data.import_raw(connection, experiment_id, batch)
        )


def timed(what: str, call: Callable[[], Any]) -> Any:
    """Call, and print how long it took."""
    start = time.perf_counter()
    result = call()
    print(f"{what:75} {time.perf_counter() - start:9.3f} s")
    return result


def main(count: int, url: str) -> None:
    """Run all."""
    with tempfile.TemporaryDirectory() as folder:
        service = connect(url or f"sqlite:///{folder}/million.db", f"{folder}/files")
        experiment = service.create_experiment(f"million {generate_uuid()}", "ada", "now", ["Comment"], "bench")
        timed(f"store {count:,} data", lambda: fill(service, experiment, count))
        if not url:
            print(f"{'size of the database':75} {Path(folder, 'million.db').stat().st_size / 1e9:9.3f} GB")
        dataset = timed("get_dataset", lambda: service.get_dataset(experiment.raw_dataset.url))
        for query in _QUERIES:
            found = timed(f"query {query!r}", lambda query=query: list(service.query_data(dataset, query)))
            print(f"{'':10}{len(found):,} data")
        one = dataset.uris[count // 2].md_uri
        data = timed("get_raw_data", lambda: service.get_raw_data(one))
        data.set_key_value_pair("Comment", "out of focus")
        timed("update_raw_data", lambda: service.update_raw_data(data))
        found = timed("query 'Comment'", lambda: list(service.query_data(dataset, "Comment")))
        assert [item.md_uri for item in found] == [one]
        service.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, sys.argv[2] if len(sys.argv) > 2 else "")
