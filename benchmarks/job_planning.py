"""How long it takes to plan a job of many items, and how its memory grows.

The data are in memory, so that this measures planning and not a store: pairing two inputs by their origin, naming,
comparing with what an earlier run of all items recorded.

    python benchmarks/job_planning.py [--items 100000] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc

from bioimageit_core.containers import ProcessedData, RawData
from bioimageit_core.core.collector import paused_collector
from bioimageit_core.jobs.earlier import Earlier, Result
from bioimageit_core.jobs.pairing import Selected, pair
from bioimageit_core.jobs.plan import PlannedItem, plan_items
from bioimageit_core.jobs.record import FileRecord
from bioimageit_core.jobs.selection import Lineage


def make_data(count: int) -> tuple[list[RawData], list[ProcessedData]]:
    raw, processed = [], []
    for number in range(count):
        one = RawData(f"raw/{number}", f"uuid-{number}", f"cell_{number}.tif", "ada", "2024-01-01", "imagetiff")
        two = ProcessedData(f"out/{number}", f"made-{number}", f"o_cell_{number}", "ada", "2024-01-01", "imagetiff")
        two.add_input("i", one)
        two.set_output("o", "Labels")
        raw.append(one)
        processed.append(two)
    processed.reverse()
    return raw, processed


def plan(raw: list[RawData], processed: list[ProcessedData], earlier: Earlier) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    with paused_collector():  # as `plan_job` does
        items = make_plan(raw, processed, earlier)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert len(items) == len(raw)
    assert {item.action for item in items} == ({"skip"} if earlier.by_inputs else {"run"})
    return seconds, cpu


def make_plan(raw: list[RawData], processed: list[ProcessedData], earlier: Earlier) -> list[PlannedItem]:
    lineage = Lineage(None)  # type: ignore[arg-type]  # it has nothing to read: origins are in the data
    selections = {
        "image": [Selected(data, lineage.origin_key(data)) for data in raw],
        "labels": [Selected(data, lineage.origin_key(data)) for data in processed],
    }
    groups = [{name: (data,) for name, data in group.items()} for group in pair(selections)]
    return plan_items(groups, earlier)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    raw, processed = make_data(options.items)
    by_origin = {data.inputs[0].uuid: data for data in processed}
    earlier = Earlier()
    for data in raw:
        inputs = [FileRecord("image", "", data.uuid), FileRecord("labels", "", by_origin[data.uuid].uuid)]
        earlier.add(Result("out", (), inputs))
    new, known = plan(raw, processed, Earlier()), plan(raw, processed, earlier)
    tracemalloc.start()
    plan(raw, processed, Earlier())
    _, peak = tracemalloc.get_traced_memory()
    figures = {
        "items": options.items,
        "seconds_new": round(new[0], 2),
        "processor_seconds_new": round(new[1], 2),
        "seconds_with_an_earlier_run": round(known[0], 2),
        "processor_seconds_with_an_earlier_run": round(known[1], 2),
        "bytes_per_item": round(peak / options.items),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
