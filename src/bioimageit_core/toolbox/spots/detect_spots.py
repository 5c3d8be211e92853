"""Find bright spots of about one size."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.reading import read_image
from imaging.spots import SPOT_METHODS, detect_spots
from imaging.tables import write_table
from imaging.writing import write_image


def main() -> None:
    """Read the options, detect, write the table and the label image."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    edge.channel_option(options)
    options.add_argument("--radius", type=edge.number(0.5, 1000), default=2.0, help="radius of a spot in pixels")
    options.add_argument("--threshold", type=edge.number(0), default=0.0, help="least contrast")
    options.add_argument("--method", choices=SPOT_METHODS, default="log", help="method")
    edge.by_option(options, "volume")
    edge.output_option(options, "--table", "table (CSV) to write")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    table, labels = detect_spots(
        image,
        radius=given.radius,
        threshold=given.threshold,
        method=given.method,
        channel=given.channel,
        by=given.by,
    )
    write_table(given.table, table)
    write_image(given.output, labels)
    sys.stdout.write(f"{len(table)} spots\n")


if __name__ == "__main__":
    edge.run(main)
