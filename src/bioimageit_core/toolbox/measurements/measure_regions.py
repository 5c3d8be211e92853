"""Measure the regions of a label image."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.measure import measure_regions
from imaging.reading import read_image, read_labels
from imaging.tables import write_table


def main() -> None:
    """Read the options, measure, write."""
    options = edge.parser(__doc__)
    edge.input_option(options, text="label image to read")
    options.add_argument("--intensity", help="image whose intensities are measured")
    edge.by_option(options, "volume")
    edge.output_option(options, "--output", "table (CSV) to write")
    given = options.parse_args()
    labels = read_labels(given.input)
    intensity = read_image(given.intensity) if given.intensity else None
    table = measure_regions(labels, intensity, by=given.by)
    write_table(given.output, table)
    sys.stdout.write(f"{len(table)} regions\n")


if __name__ == "__main__":
    edge.run(main)
