"""Align the time points of a time-lapse."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.reading import read_image
from imaging.registration import correct_drift
from imaging.tables import Table, write_table
from imaging.writing import write_image


def main() -> None:
    """Read the options, register, write the image and the shifts."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    edge.channel_option(options)
    options.add_argument("--precision", type=edge.number(0.001, 1), default=0.1, help="precision in pixels")
    edge.by_option(options, "volume")
    edge.output_option(options)
    edge.output_option(options, "--table", "table (CSV) to write")
    given = options.parse_args()
    image = read_image(given.input)
    moved, shifts = correct_drift(image, channel=given.channel, precision=given.precision, by=given.by)
    write_table(given.table, Table(list(shifts[0]), shifts))
    write_image(given.output, moved)


if __name__ == "__main__":
    edge.run(main)
