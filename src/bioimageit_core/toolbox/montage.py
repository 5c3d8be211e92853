"""A picture of several images in a grid, with the outlines of their labels and titles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .imaging.image import Array, Image, ImageError
from .imaging.reading import read_image, read_labels
from .imaging.writing import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["montage"]

_TILE, _GAP, _TITLE = 3.2, 0.12, 0.34  # inches
_DPI = 140
_BACKGROUND = "#15181d"
_TEXT = "#e8eaed"
_MUTED = "#9aa3ad"
# one colour per channel; the first is that of a single channel
_CHANNEL_COLOURS = ((1.0, 1.0, 1.0), (0.2, 1.0, 0.4), (1.0, 0.3, 0.9), (0.3, 0.8, 1.0), (1.0, 0.8, 0.2))
# neighbours are numbered one after the other more often than not; no blue, which is dark on black
_OUTLINE_COLOURS = ((1.0, 0.42, 0.42), (0.35, 0.9, 0.55), (1.0, 0.83, 0.3), (0.35, 0.85, 1.0), (1.0, 0.5, 0.9))


def montage(items: Sequence[tuple[Path, Path | None, str]], output: Path, *, columns: int = 3) -> Path:
    """Draw images in a grid, each with the outlines of its labels and a title.

    Volumes are shown as their maximum along Z, time-lapses at their first time point, channels in colours. The contrast
    runs from the 1st to the 99.8th percentile. The number of labels is shown beside
    the title.

    Parameters
    ----------
    items
        Path of an image, path of its label image or None, and a title.
    output
        The PNG to write; what is there is replaced.
    columns
        How many images stand side by side, >= 1.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ImageError
        There is nothing to draw, an image cannot be read, or labels do not have the size of their image.
    """
    if not items or columns < 1:
        raise ImageError("nothing to draw: no images, or no columns")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(columns, len(items))
    rows = -(-len(items) // columns)
    width = columns * (_TILE + _GAP) + _GAP
    height = rows * (_TILE + _TITLE) + _GAP
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    for number, (image, labels, title) in enumerate(items):
        row, column = divmod(number, columns)
        left, top = _GAP + column * (_TILE + _GAP), (row + 1) * (_TITLE + _TILE)
        axes = figure.add_axes((left / width, 1 - top / height, _TILE / width, _TILE / height), anchor="NW")
        axes.set_axis_off()
        _draw(axes, Path(image), labels, title)
    return write_atomically(
        Path(output),
        lambda path: figure.savefig(path, format="png", facecolor=_BACKGROUND, metadata={"Software": None}),
    )


def _draw(axes: Axes, image_path: Path, labels_path: Path | None, title: str) -> None:
    image = _flat(read_image(image_path))
    axes.imshow(_colours(image), interpolation="antialiased")
    room = 40 if labels_path is None else 29
    shown = title if len(title) <= room else f"{title[: room - 12]}…{title[-11:]}"
    axes.set_title(shown, color=_TEXT, fontsize=9, loc="left", pad=5, parse_math=False)
    if labels_path is None:
        return
    labels = _flat(read_labels(labels_path)).data
    if labels.shape != (image.size("Y"), image.size("X")):
        raise ImageError(f"{labels_path}: its size {labels.shape} is not that of {image_path}")
    count = len(set(labels.ravel().tolist()) - {0})
    axes.set_title(f"{count} objects", color=_MUTED, fontsize=8, loc="right", pad=5)
    from matplotlib.collections import LineCollection

    lines, colours = _outlines(labels)
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.9), autolim=False)
    axes.set(xlim=(-0.5, labels.shape[1] - 0.5), ylim=(labels.shape[0] - 0.5, -0.5))


def _flat(image: Image) -> Image:
    """Reduce to one plane per channel (CYX or YX)."""
    image = image.take("T", 0)
    if "Z" in image.axes:
        place = image.axes.index("Z")
        data = image.data.max(axis=place)
        image = image.take("Z", 0).with_data(data)
    return image


def _colours(image: Image) -> Array:
    """Return RGB from 0 to 1, shape (Y, X, 3)."""
    import numpy as np

    planes = image.data if "C" in image.axes else image.data[None]
    mixed = np.zeros((*planes.shape[1:], 3))
    for i, plane in enumerate(planes):
        grey = plane.astype(np.float64)
        low, high = np.percentile(grey, (1, 99.8))
        grey = np.clip((grey - low) / (high - low), 0, 1) if high > low else np.zeros_like(grey)
        single = 0 if len(planes) == 1 else 1 + i % (len(_CHANNEL_COLOURS) - 1)
        mixed += grey[..., None] ** 0.8 * np.asarray(_CHANNEL_COLOURS[single])
    return np.clip(mixed, 0, 1)


def _outlines(labels: Array) -> tuple[list[Array], list[tuple[float, float, float]]]:
    """Return the outlines of each label as lines of (x, y), and their colours."""
    import numpy as np
    from scipy import ndimage
    from skimage.measure import find_contours

    _, dense = np.unique(np.append(labels.ravel(), 0), return_inverse=True)
    dense = dense[:-1].reshape(labels.shape)
    lines: list[Array] = []
    colours: list[tuple[float, float, float]] = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(dense), start=1):
        inside = np.pad(dense[rows, columns] == number, 1).astype(float)
        for contour in find_contours(inside, 0.4):
            lines.append(contour[:, ::-1] + (columns.start - 1, rows.start - 1))
            colours.append(_OUTLINE_COLOURS[number % len(_OUTLINE_COLOURS)])
    return lines, colours
