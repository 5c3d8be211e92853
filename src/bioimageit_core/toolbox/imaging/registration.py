"""Registration of translations by phase correlation, with sub-pixel precision."""

from __future__ import annotations

import itertools

import numpy as np

from .image import Array, Image, ImageError, spatial_axes

__all__ = ["correct_drift", "estimate_shift", "register"]

_ROUNDS = 5


def estimate_shift(reference: Array, moving: Array, *, precision: float = 0.1) -> tuple[float, ...]:
    """Estimate by how much `moving` has to be shifted to lie on `reference`.

    Parameters
    ----------
    reference, moving
        Planes or volumes of one shape.
    precision
        Fraction of a pixel to refine to.

    Returns
    -------
    tuple of float
        One shift per axis, in pixels.

    Notes
    -----
    Guizar-Sicairos, Thurman and Fienup, Optics Letters 33, 156 (2008). Both are centred at mean 0 and faded out towards
    the border by a Hann window, so that the border does not correlate with itself.
    """
    from scipy import ndimage
    from skimage.registration import phase_cross_correlation

    if reference.shape != moving.shape:
        raise ImageError(f"cannot register an image of shape {moving.shape} on one of shape {reference.shape}")
    if reference.min() == reference.max() or moving.min() == moving.max():
        return (0.0,) * reference.ndim
    window = np.ones(reference.shape)
    for axis, size in enumerate(reference.shape):
        if size > 3:
            window = window * np.hanning(size + 2)[1:-1].reshape([-1 if i == axis else 1 for i in range(window.ndim)])
    still = (reference.astype(np.float64) - reference.mean()) * window
    total = np.zeros(reference.ndim)
    for _ in range(_ROUNDS):
        moved = ndimage.shift(moving.astype(np.float64), total, order=1, mode="nearest")
        step, _, _ = phase_cross_correlation(
            still,
            (moved - moved.mean()) * window,
            upsample_factor=max(1, round(1 / precision)),
            normalization=None,
            disambiguate=False,
        )
        total += step
        if np.all(np.abs(step) < precision):
            break
    return tuple(float(value) for value in np.round(total, 6) + 0.0)


def register(
    image: Image, reference: Image, *, channel: str | int = 0, precision: float = 0.1, by: str = "volume"
) -> tuple[Image, list[dict[str, float | int]]]:
    """Shift an image so that it lies on a reference; all its channels move together.

    Parameters
    ----------
    image
        What is to be shifted. Each of its time points is registered by itself.
    reference
        Its first time point counts.
    channel
        Name or number of the channel that is compared; an image without channels has number 0.
    precision
        Fraction of a pixel.
    by
        ``volume`` (ZYX where there is a Z) or ``plane``: the shift of the mean over Z.

    Returns
    -------
    tuple
        The shifted image, of the same type (pixels that come from outside are 0), and a row ``{t, shift_…}`` per time
        point, in pixels.
    """
    target = _guide(reference, channel, 0, by)
    shifts = [
        estimate_shift(target, _guide(image, channel, t, by), precision=precision) for t in range(image.size("T"))
    ]
    return _shift(image, shifts), _rows(shifts)


def correct_drift(
    image: Image, *, channel: str | int = 0, precision: float = 0.1, by: str = "volume"
) -> tuple[Image, list[dict[str, float | int]]]:
    """Register every time point on the one before it, and so all on the first; see `register`."""
    if image.size("T") < 2:
        raise ImageError(f"no time points to register: the image has axes {image.axes}, T of size {image.size('T')}")
    guides = [_guide(image, channel, t, by) for t in range(image.size("T"))]
    total = np.zeros(guides[0].ndim)
    shifts: list[tuple[float, ...]] = [(0.0,) * guides[0].ndim]
    for before, after in itertools.pairwise(guides):
        total = total + estimate_shift(before, after, precision=precision)
        shifts.append(tuple(float(value) for value in np.round(total, 6)))
    return _shift(image, shifts), _rows(shifts)


def _guide(image: Image, channel: str | int, time: int, by: str) -> Array:
    guide = image.channel(channel).take("T", time)
    if "Z" in guide.axes:
        return guide.data if spatial_axes(guide, by) == "ZYX" else guide.data.mean(axis=0)
    return guide.data


def _shift(image: Image, shifts: list[tuple[float, ...]]) -> Image:
    from scipy import ndimage

    result = np.empty_like(image.data)
    spatial = len("ZYX") if "Z" in image.axes else len("YX")
    lead = image.data.shape[: image.data.ndim - spatial]
    for index in np.ndindex(*lead):
        time = index[0] if "T" in image.axes else 0
        shift = (0.0,) * (spatial - len(shifts[time])) + shifts[time]
        block = image.data[index]
        order = 0 if all(float(step).is_integer() for step in shift) else 1
        moved = ndimage.shift(block.astype(np.float64), shift, order=order, mode="constant", cval=0.0)
        result[index] = np.round(moved).astype(block.dtype) if block.dtype.kind in "iu" else moved
    return image.with_data(result)


def _rows(shifts: list[tuple[float, ...]]) -> list[dict[str, float | int]]:
    names = [f"shift_{axis.lower()}_px" for axis in "ZYX"]
    return [{"t": time, **dict(zip(names[-len(shift) :], shift, strict=True))} for time, shift in enumerate(shifts)]
