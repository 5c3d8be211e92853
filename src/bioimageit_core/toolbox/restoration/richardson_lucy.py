"""Deconvolve an image by the method of Richardson and Lucy."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from imaging import edge
from imaging.deconvolution import psf_sigmas, richardson_lucy
from imaging.image import ImageError, spatial_axes, widths
from imaging.reading import read_image
from imaging.writing import write_image


def main() -> None:
    """Read the options, deconvolve, write."""
    options = edge.parser(__doc__)
    edge.input_option(options)
    options.add_argument(
        "--wavelength", type=edge.number(0.0001, 100000), default=0.52, help="wavelength of the emitted light"
    )
    options.add_argument("--aperture", type=edge.number(0.01, 2), default=1.4, help="numerical aperture")
    options.add_argument(
        "--refractive-index", type=edge.number(1, 2), default=1.515, help="refractive index of the immersion medium"
    )
    options.add_argument(
        "--sigma-xy",
        type=edge.number(0, 1000),
        default=0.0,
        help="lateral standard deviation of the point spread function, in pixels",
    )
    options.add_argument(
        "--sigma-z",
        type=edge.number(0, 1000),
        default=0.0,
        help="axial standard deviation of the point spread function, in pixels",
    )
    options.add_argument("--iterations", type=edge.whole(1, 1000), default=20, help="iterations")
    options.add_argument("--background", type=edge.number(0), default=0.0, help="background")
    edge.by_option(options, "volume")
    edge.output_option(options)
    given = options.parse_args()
    image = read_image(given.input)
    spatial = spatial_axes(image, given.by)
    axial, lateral = psf_sigmas(given.wavelength, given.aperture, given.refractive_index)
    if given.sigma_xy <= 0:
        given.sigma_xy = widths(image, lateral, "physical", "X")[0]
    if given.sigma_z <= 0 and "Z" in spatial:
        given.sigma_z = widths(image, axial, "physical", "Z")[0]
    if max(given.sigma_xy, given.sigma_z) > max(image.data.shape):
        raise ImageError("the point spread function is larger than the image: check wavelength and pixel size")
    image = image.with_data(image.data.astype("float32") - given.background)
    sigmas = (given.sigma_z, given.sigma_xy)
    write_image(given.output, richardson_lucy(image, sigmas, iterations=given.iterations, by=given.by))


if __name__ == "__main__":
    edge.run(main)
