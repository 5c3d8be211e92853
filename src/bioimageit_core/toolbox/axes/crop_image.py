"""Cut out a part of an image."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.axes import crop
from imaging.image import ImageError
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, crop, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--t", default="", help="t from:to")
    options.add_argument("--c", default="", help="c from:to")
    options.add_argument("--z", default="", help="z from:to")
    options.add_argument("--y", default="", help="y from:to")
    options.add_argument("--x", default="", help="x from:to")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    ranges = {}
    for axis in "TCZYX":
        text = getattr(given, axis.lower()).strip()
        if not text:
            continue
        start, colon, stop = text.partition(":")
        if not colon or not all(part.isdecimal() or not part for part in (start, stop)):
            raise ImageError(f"{text!r}: expected a range such as 10:20")
        ranges[axis] = (int(start or 0), int(stop or 0))
    write_image(given.output, crop(image, ranges))


if __name__ == "__main__":
    edge.run(main)
