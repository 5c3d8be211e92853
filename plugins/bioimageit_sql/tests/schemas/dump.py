"""Write the dump of the newest schema: run it once when a revision is released.

Usage: dump.py, in any directory; it writes ``<revision>.sql`` beside itself, and ``files``.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from bioimageit_sql.migrations import HEAD
from bioimageit_sql.service import connect

from bioimageit_core.containers import ProcessedData, Run

HERE = Path(__file__).parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        service = connect(f"sqlite:///{folder}/lab.db", str(HERE / "files"))
        experiment = service.create_experiment("Ångström", "ada", "2024-02-29", ["Population", "Dose"], "lab")
        image, mask = Path(folder, "cell 1.tif"), Path(folder, "mask.tif")
        image.write_bytes(b"image")
        pairs = {"Population": "p53 µ", "Dose": "2.5"}
        raw = service.import_data(experiment, str(image), "cell 1.tif", "ada", "imagetiff", "2024-02-29", pairs)
        raw.metadata = {"PhysicalSizeX": 0.16, "PhysicalSizeXUnit": "µm"}
        service.update_raw_data(raw)
        dataset = service.create_dataset(experiment, "threshold")
        run = service.create_run(dataset, Run(process_name="Threshold"))
        mask.write_bytes(b"mask")
        new = ProcessedData(name="cell 1 mask", author="ada", date="2024-03-01", format="imagetiff", uri=str(mask))
        new.add_input("image", raw)
        new.set_output("o", "Mask")
        service.create_data(dataset, run, new)
        service.close()
        with sqlite3.connect(f"{folder}/lab.db") as connection:
            lines = [line for line in connection.iterdump() if "sqlite_sequence" not in line]
        (HERE / f"{HEAD}.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
