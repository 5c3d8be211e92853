"""Compare images, and measure them for assertions."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.wrappers.verify.errors import VerificationError, check_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.generic]

__all__ = ["IMAGE_ASSERTIONS", "compare_images", "read_image"]

_DEFAULT_EPS = 0.01
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_image(source: str | bytes) -> Image:
    """Read the pixels of a TIFF, or of whatever Pillow reads, as they are stored.

    Raises
    ------
    VerificationError
        It is no image.
    """
    return _read(source)[0]


def _read(source: str | bytes) -> tuple[Image, str]:
    """Give the pixels and their axes, as letters of tifffile; empty where the file does not say them."""
    import numpy as np

    content = source if isinstance(source, bytes) else _bytes(source)
    try:
        if content[:4] in _TIFF_MAGIC:
            import tifffile

            with tifffile.TiffFile(io.BytesIO(content)) as file:
                series = file.series[0]
                return np.asarray(series.asarray()), str(series.axes)
        if content[:6] == b"\x93NUMPY":
            return np.load(io.BytesIO(content), allow_pickle=False), ""
        from PIL import Image as Pillow

        with Pillow.open(io.BytesIO(content)) as picture:
            return np.array(picture), ""
    except ImportError as error:
        raise VerificationError(f"to look into images, install bioimageit-core[toolbox] ({error})") from error
    except Exception as error:
        raise VerificationError(f"it cannot be read as an image: {error}") from error


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def compare_images(expected: str, actual: str, facts: Mapping[str, str]) -> None:
    """Compare two images: types and shapes must be the same, and their distance at most ``eps``.

    The distance is, by ``metric``, the mean absolute (``mae``, the default), mean squared (``mse``) or root mean square
    (``rms``) difference, the Frobenius norm of the difference (``fro``), or 1 - the least intersection over union of
    corresponding labels (``iou``; labels in ``pin_labels`` correspond to themselves only).

    Raises
    ------
    VerificationError
        They differ by more.
    """
    one, other = read_image(expected), read_image(actual)
    if one.dtype.newbyteorder("=") != other.dtype.newbyteorder("="):
        raise VerificationError(f"pixels are of type {other.dtype}, expected {one.dtype}")
    if one.shape != other.shape:
        raise VerificationError(f"the shape is {other.shape}, expected {one.shape}")
    metric = facts.get("metric", "mae").lower()
    distance = _distance(one, other, metric, facts.get("pin_labels"))
    eps = float(facts.get("eps") or _DEFAULT_EPS)
    if not distance <= eps:
        raise VerificationError(f"the images differ by {metric} = {distance:g}, at most {eps:g} is allowed")


def _distance(one: Image, other: Image, metric: str, pinned: str | None) -> float:
    import numpy as np

    if metric == "iou":
        labels = {int(text) for text in (pinned or "").replace(",", " ").split()}
        for label in sorted(labels):
            if not ((one == label).any() and (other == label).any()):
                raise VerificationError(f"label {label} is pinned, but not in both images")
        return 1 - min(_overlaps(one, other, labels) + _overlaps(other, one, labels))
    kind = np.complex128 if one.dtype.kind == "c" else np.float64
    difference = np.abs(one.astype(kind) - other.astype(kind))
    if not difference.size:
        return 0.0
    if metric == "mae":
        return float(difference.mean())
    if metric == "mse":
        return float(np.square(difference).mean())
    if metric == "rms":
        return float(np.sqrt(np.square(difference).mean()))
    if metric == "fro":
        return float(np.sqrt(np.square(difference).sum()))
    raise VerificationError(f"metric={metric!r} is not known (known: mae, mse, rms, fro, iou)")


def _overlaps(one: Image, other: Image, pinned: set[int]) -> list[float]:
    """Give, for each label of one image, its best intersection over union with labels of the other."""
    import numpy as np

    labels, first = np.unique(one, return_inverse=True)
    others, second = np.unique(other, return_inverse=True)
    counts = np.zeros((len(labels), len(others)), dtype=np.int64)
    np.add.at(counts, (first.ravel(), second.ravel()), 1)
    unions = counts.sum(1, keepdims=True) + counts.sum(0, keepdims=True) - counts
    scores = counts / np.maximum(unions, 1)
    free = ~np.isin(others, sorted(pinned))
    best = []
    for index, label in enumerate(labels):
        if int(label) in pinned:
            same = np.flatnonzero(others == label)
            best.append(float(scores[index, same[0]]) if len(same) else 0.0)
        else:
            best.append(float(scores[index, free].max(initial=0.0)))
    return best


def _normalised(content: bytes) -> Image:
    """Read an image with axes TZYXC."""
    import numpy as np

    pixels, axes = _read(content)
    if not axes:
        axes = {2: "YX", 3: "YXC", 4: "ZYXC"}.get(pixels.ndim, "")
    axes = axes.replace("S", "C" if "C" not in axes else "S")
    if not set("YX") <= set(axes) <= set("TZCYX") or len(set(axes)) != len(axes):
        raise VerificationError(f"an image with the axes {axes!r} cannot be looked into")
    for axis in "TZYXC":
        if axis not in axes:
            pixels, axes = pixels[..., np.newaxis], axes + axis
    return np.transpose(pixels, [axes.index(axis) for axis in "TZYXC"])


def _selected(content: bytes, facts: Mapping[str, str]) -> Image:
    """Read an image, and the channel, slice or frame that the assertion is about."""
    pixels = _normalised(content)
    for key, axis in (("channel", 4), ("slice", 1), ("frame", 0)):
        if facts.get(key):
            index = int(facts[key])
            if not -pixels.shape[axis] <= index < pixels.shape[axis]:
                raise VerificationError(f"there is no {key} {index}: the image has {pixels.shape[axis]}")
            pixels = pixels.take([index], axis=axis)
    return pixels


def _size(axis: int, key: str) -> Any:
    def check(content: bytes, facts: Mapping[str, str]) -> None:
        check_count(facts, _normalised(content).shape[axis], f"the image's {key}", key)

    return check


def _mean_intensity(content: bytes, facts: Mapping[str, str]) -> None:
    check_count(
        facts, float(_selected(content, facts).mean()), "the mean intensity", "mean_intensity", delta=_DEFAULT_EPS
    )


def _center_of_mass(content: bytes, facts: Mapping[str, str]) -> None:
    import numpy as np

    pixels = np.abs(_selected(content, facts).astype(np.float64).sum(axis=(0, 1, 4)))
    wanted = [float(part) for part in facts.get("center_of_mass", "").strip("()[] ").split(",")]
    if len(wanted) != 2:
        raise VerificationError(f"center_of_mass={facts.get('center_of_mass')!r}: two numbers 'x, y' are expected")
    total = pixels.sum()
    rows, columns = np.indices(pixels.shape)
    found = (float((columns * pixels).sum() / total), float((rows * pixels).sum() / total)) if total else (np.nan,) * 2
    distance = float(np.hypot(found[0] - wanted[0], found[1] - wanted[1]))
    eps = float(facts.get("eps") or _DEFAULT_EPS)
    if not distance <= eps:
        raise VerificationError(
            f"the centre of mass is ({found[0]:.4f}, {found[1]:.4f}), {distance:.4f} from the expected {tuple(wanted)}"
        )


def _labels(pixels: Image, facts: Mapping[str, str]) -> tuple[Any, Any]:
    import numpy as np

    labels, counts = np.unique(pixels, return_counts=True)
    chosen = np.ones(len(labels), dtype=bool)
    for key, keeps in (("labels", True), ("exclude_labels", False)):
        if facts.get(key):
            named = [float(part) for part in facts[key].strip("[]() ").replace(",", " ").split()]
            chosen &= np.isin(labels, named) == keeps
    return labels[chosen], counts[chosen]


def _n_labels(content: bytes, facts: Mapping[str, str]) -> None:
    check_count(facts, len(_labels(_selected(content, facts), facts)[0]), "the number of labels")


def _mean_object_size(content: bytes, facts: Mapping[str, str]) -> None:
    import numpy as np

    pixels = _selected(content, facts)
    if pixels.shape[4] != 1:
        raise VerificationError(f"objects have no size in an image of {pixels.shape[4]} channels")
    # an object that is in several frames is one in each of them
    counts = np.concatenate([_labels(frame, facts)[1] for frame in pixels])
    mean = float(counts.mean()) if len(counts) else float("nan")
    check_count(facts, mean, "the mean size of the objects", "mean_object_size", delta=_DEFAULT_EPS)


IMAGE_ASSERTIONS = {
    "has_image_width": _size(3, "width"),
    "has_image_height": _size(2, "height"),
    "has_image_channels": _size(4, "channels"),
    "has_image_depth": _size(1, "depth"),
    "has_image_frames": _size(0, "frames"),
    "has_image_mean_intensity": _mean_intensity,
    "has_image_center_of_mass": _center_of_mass,
    "has_image_n_labels": _n_labels,
    "has_image_mean_object_size": _mean_object_size,
}
