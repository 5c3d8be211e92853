"""Say what the axes of an image are, and how large its pixels."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.axes import reassign_axes
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, reassign, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument("--axes", default="", help="axes")
    options.add_argument("--channels", default="", help="names of the channels")
    options.add_argument("--pixel-size", type=edge.number(0), default=0.0, help="pixel size along Y and X")
    options.add_argument("--depth-step", type=edge.number(0), default=0.0, help="distance of two planes")
    options.add_argument(
        "--frame-interval", type=edge.number(0), default=0.0, help="time between two frames in seconds"
    )
    options.add_argument("--unit", choices=("um", "nm", "mm"), default="um", help="unit of length")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    names = [name.strip() for name in given.channels.split(",")] if given.channels.strip() else []
    image = reassign_axes(image, given.axes or image.axes, channels=names)
    new = {"Y": given.pixel_size, "X": given.pixel_size, "Z": given.depth_step, "T": given.frame_interval}
    new = {axis: size for axis, size in new.items() if size > 0 and axis in image.axes}
    unit = {"um": "µm"}.get(given.unit, given.unit)
    units = {axis: "s" if axis == "T" else unit for axis in new}
    write_image(
        given.output,
        image.replace(pixel_sizes={**image.pixel_sizes, **new}, units={**image.units, **units}),
    )


if __name__ == "__main__":
    edge.run(main)
