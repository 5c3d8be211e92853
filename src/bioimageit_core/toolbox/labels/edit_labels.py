"""Remove, grow, shrink or renumber the labels of a label image."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.labels import LABEL_METHODS, edit_labels
from imaging.reading import read_labels
from imaging.writing import write_image


def main() -> None:
    """Read the options, edit, write."""
    options = edge.parser(__doc__)
    edge.input_option(options, text="label image to read")
    options.add_argument("--method", choices=LABEL_METHODS, default="remove_small", help="method")
    options.add_argument("--amount", type=edge.number(0), default=0.0, help="amount")
    edge.by_option(options, "volume")
    edge.output_option(options)
    given = options.parse_args()
    labels = read_labels(given.input)
    write_image(given.output, edit_labels(labels, given.method, amount=given.amount, by=given.by))


if __name__ == "__main__":
    edge.run(main)
