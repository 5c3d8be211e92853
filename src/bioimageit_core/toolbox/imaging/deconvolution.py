"""Deconvolution by the method of Richardson and Lucy, with a point spread function made from the optics."""

from __future__ import annotations

import numpy as np

from .image import Array, Image, ImageError, map_spatial, spatial_axes

__all__ = ["gaussian_psf", "psf_sigmas", "richardson_lucy"]


def psf_sigmas(wavelength: float, aperture: float, index: float = 1.0) -> tuple[float, float]:
    """Return the axial and the lateral standard deviation of a widefield microscope's point spread function.

    Parameters
    ----------
    wavelength
        Of the emitted light, in any unit of length.
    aperture
        Numerical aperture of the objective.
    index
        Refractive index of the immersion medium.

    Returns
    -------
    tuple of float
        (axial, lateral), in the unit of `wavelength`.

    Notes
    -----
    The paraxial Gaussian approximation of Zhang, Zerubia and Olivo-Marin, Applied Optics 46, 1819 (2007): lateral
    ``0.225 wavelength / aperture``, axial ``0.78 index wavelength / aperture ** 2``.

    Examples
    --------
    >>> [round(sigma, 4) for sigma in psf_sigmas(0.5, 1.0)]
    [0.39, 0.1125]
    """
    if not 0 < aperture < index * 1.001:
        raise ImageError(
            f"numerical aperture {aperture}: expected more than 0 and at most the refractive index {index}"
        )
    return 0.78 * index * wavelength / aperture**2, 0.225 * wavelength / aperture


def gaussian_psf(sigmas: tuple[float, ...]) -> Array:
    """Return a Gaussian point spread function of sum 1, cut at four standard deviations (in pixels) along each axis."""
    grids = np.ogrid[tuple(slice(-r, r + 1) for r in (max(1, round(4 * sigma)) for sigma in sigmas))]
    exponent = sum((grid / max(sigma, 1e-3)) ** 2 for grid, sigma in zip(grids, sigmas, strict=True))
    psf: Array = np.exp(-0.5 * np.asarray(exponent))
    psf /= psf.sum()
    return psf


def richardson_lucy(image: Image, sigmas: tuple[float, float], *, iterations: int = 20, by: str = "volume") -> Image:
    """Deconvolve each volume or plane.

    Parameters
    ----------
    image
        Grey values; the offset of the camera should be subtracted before. Negative values count as 0.
    sigmas
        (axial, lateral) standard deviations of the point spread function, in pixels along Z and along X.
    iterations
        How often to refine.
    by
        ``volume`` (ZYX where there is a Z) or ``plane`` (YX).

    Returns
    -------
    Image
        float32; the sum of the intensities is kept up to what crosses the border.

    Notes
    -----
    Richardson, J. Opt. Soc. Am. 62, 55 (1972); Lucy, Astron. J. 79, 745 (1974).
    """
    from scipy import signal

    spatial = spatial_axes(image, by)
    psf = gaussian_psf(tuple(sigmas[0] if axis == "Z" else sigmas[1] for axis in spatial)).astype(np.float32)
    pad = [(size // 2, size // 2) for size in psf.shape]

    def refine(block: Array) -> Array:
        observed = np.pad(np.maximum(block.astype(np.float32), 0), pad, mode="symmetric")
        estimate = np.full_like(observed, max(float(observed.mean()), 1e-6))
        floor = np.float32(max(float(observed.max()), 1.0) * 1e-7)
        for _ in range(iterations):
            blurred = np.maximum(signal.fftconvolve(estimate, psf, mode="same"), floor)
            estimate = estimate * np.maximum(signal.fftconvolve(observed / blurred, psf, mode="same"), 0)
        inner = tuple(slice(low, size - low) for (low, _), size in zip(pad, estimate.shape, strict=True))
        return np.ascontiguousarray(estimate[inner], dtype=np.float32)

    return map_spatial(image, refine, by)
