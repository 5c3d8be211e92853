"""Segment bright blobs of about one size, such as stained nuclei, and measure them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.masks import THRESHOLD_METHODS
from imaging.measure import measure_regions
from imaging.reading import read_image
from imaging.segmentation import segment_nuclei
from imaging.tables import write_table
from imaging.writing import write_image


def main() -> None:
    """Read the options, segment, measure, write both."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    edge.channel_option(options)
    options.add_argument(
        "--diameter", type=edge.number(0), default=0.0, help="typical diameter in pixels; 0 estimates it"
    )
    options.add_argument("--threshold", choices=THRESHOLD_METHODS, default="otsu", help="parts nuclei from background")
    options.add_argument("--manual", type=edge.number(), default=0.0, help="threshold for the method 'manual'")
    options.add_argument(
        "--smallest", type=edge.number(0, 1), default=0.1, help="least size, as a fraction of a typical nucleus"
    )
    edge.by_option(options, "volume")
    edge.output_option(options, text="label image (OME-TIFF) to write")
    edge.output_option(options, "--table", "measurements (CSV) to write")
    given = options.parse_args()
    image = read_image(given.input)
    labels = segment_nuclei(
        image,
        channel=given.channel,
        diameter=given.diameter,
        threshold=given.threshold,
        manual=given.manual,
        smallest=given.smallest,
        by=given.by,
    )
    table = measure_regions(labels, image, by=given.by)
    write_table(given.table, table)
    write_image(given.output, labels)
    sys.stdout.write(f"{len(table)} nuclei\n")


if __name__ == "__main__":
    edge.run(main)
