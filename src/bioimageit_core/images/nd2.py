"""Nikon's ND2, by the package nd2: pixels frame by frame, one image for each position of the stage."""

from __future__ import annotations

import contextlib
import itertools
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from bioimageit_core.images.lazy import FileArray, axis_order, canonical, lengths_of
from bioimageit_core.images.model import RGB, Channel, ImageFacts, ImageReadError, OpenImage, stated

__all__ = ["facts", "is_nd2", "open_"]

_MAGIC = b"\xda\xce\xbe\x0a"
_OLD_MAGIC = b"\0\0\0\x0cjP"  # of any JPEG 2000
_FRAME = "CYXS"  # axes of one frame
_EPOCH = 2440587.5  # 1970-01-01 as a Julian date
_OBJECTIVE = {
    "objectiveName": "Model",
    "objectiveMagnification": "NominalMagnification",
    "objectiveNumericalAperture": "LensNA",
}


def is_nd2(start: bytes, path: str) -> bool:
    """Say whether a file begins as Nikon's do; those of before 2011 are JPEG 2000, and known by their name."""
    return start.startswith(_MAGIC) or (start.startswith(_OLD_MAGIC) and path.lower().endswith(".nd2"))


def facts(path: str, scene: int = 0) -> ImageFacts:
    """Read what the file says of one of its images; sizes of pixels that nobody calibrated are not said.

    Raises
    ------
    ImageReadError
        The file is cut off, damaged, or has no such scene.
    """
    with _opened(path) as file:
        return _facts(path, file, scene)


def open_(path: str, scene: int = 0) -> OpenImage:
    """Open one of the images of the file."""
    with _opened(path) as file:
        found = _facts(path, file, scene)
        dims, shape = _dims(file)
        chunks = [length if dim in _FRAME else 1 for dim, length in zip(dims, shape, strict=True)]
        array = FileArray(_pixels, (path, scene), shape, file.dtype)
        return OpenImage(found, [canonical(path, array, axis_order(path, dims, shape), chunks)])


class _Frames:
    """The pixels of one position; slices are read frame by frame."""

    def __init__(self, file: Any, scene: int) -> None:
        self._file, self._scene = file, scene
        self._dims, self._shape = _dims(file)
        self._lock = threading.Lock()

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        import numpy as np

        ranges = [range(*part.indices(length)) for part, length in zip(key, self._shape, strict=True)]
        outer = [place for place, dim in enumerate(self._dims) if dim not in _FRAME]
        inner = tuple(part for part, dim in zip(key, self._dims, strict=True) if dim in _FRAME)
        frame = [length for length, dim in zip(self._shape, self._dims, strict=True) if dim in _FRAME]
        read = np.empty([len(each) for each in ranges], self._file.dtype)
        for places in itertools.product(*(range(len(ranges[place])) for place in outer)):
            at = {self._dims[place]: ranges[place][number] for place, number in zip(outer, places, strict=True)}
            with self._lock:
                pixels = self._file.read_frame(_number(self._file, self._scene, at))
                if self._file.components_per_channel not in (1, 3):  # they count as channels, and come last
                    pixels = np.moveaxis(pixels, -1, 0)
                read[places] = pixels.reshape(frame)[inner]
        return read


def _pixels(path: str, scene: int) -> tuple[Any, Callable[[], None]]:
    import nd2

    file = nd2.ND2File(path)
    return _Frames(file, scene), file.close


def _dims(file: Any) -> tuple[str, list[int]]:
    """Return axes and lengths of one position: those of the loops, outermost first, then those of a frame."""
    sizes = {dim: length for dim, length in file.sizes.items() if dim != "P"}
    sizes |= {dim: 1 for dim in "YX" if dim not in sizes}
    dims = [dim for dim in sizes if dim not in _FRAME] + [dim for dim in _FRAME if dim in sizes]
    return "".join(dims), [sizes[dim] for dim in dims]


def _number(file: Any, scene: int, at: dict[str, int]) -> int:
    """Return which frame of the file is at a place: frames are in the order of the loops, the innermost fastest."""
    number = 0
    for dim, length in file.sizes.items():
        if dim not in _FRAME:
            number = number * length + (scene if dim == "P" else at.get(dim, 0))
    return number


def _facts(path: str, file: Any, scene: int) -> ImageFacts:
    import nd2

    scenes = _scenes(file)
    if not 0 <= scene < len(scenes):
        raise ImageReadError(path, f"no scene {scene}: it has {len(scenes)} (counted from 0)")
    dims, shape = _dims(file)
    axes, lengths = lengths_of(axis_order(path, dims, shape), shape)
    is_rgb = file.sizes.get("S") == 3 and lengths["C"] == 3
    described = file.metadata.channels or []
    channels = RGB if is_rgb else tuple(_channel(each.channel) for each in described)
    sizes, units = stated(_sizes(file), {"X": "µm", "Y": "µm", "Z": "µm", "T": "s"}, axes)
    return ImageFacts(
        axes,
        lengths,
        str(file.dtype),
        sizes,
        units,
        channels if len(channels) == lengths["C"] else (),
        scenes[scene],
        _acquired(file, scene),
        _objective(described[0].microscope) if described else {},
        scenes,
        scene,
        is_rgb=is_rgb,
        reader="nd2",
        version=nd2.__version__,
    )


def _scenes(file: Any) -> tuple[str, ...]:
    points: Any = next((loop.parameters.points for loop in file.experiment if loop.type == "XYPosLoop"), [])
    names = tuple(point.name or f"position {place}" for place, point in enumerate(points, 1))
    return names or ("",)


def _sizes(file: Any) -> dict[str, float]:
    """Return micrometres along X, Y, Z as far as they are calibrated, and seconds along T."""
    found: dict[str, float] = {}
    if file.metadata.channels:
        volume = file.metadata.channels[0].volume
        said = zip("XYZ", volume.axesCalibration, volume.axesCalibrated, strict=True)
        found = {axis: size for axis, size, is_calibrated in said if is_calibrated}
    for loop in file.experiment:
        periods = [loop.parameters] if loop.type == "TimeLoop" else getattr(loop.parameters, "periods", [])
        if len(periods) == 1:  # else the time between frames is not always the same
            found["T"] = (periods[0].periodDiff.avg or periods[0].periodMs) / 1000
    return found


def _channel(said: Any) -> Channel:
    return Channel(said.name or "", f"{said.color.r:02X}{said.color.g:02X}{said.color.b:02X}")


def _acquired(file: Any, scene: int) -> str:
    """Return when the first frame of a position was taken, to a millisecond."""
    with contextlib.suppress(Exception):  # old files say it in other ways
        day = file.frame_metadata(_number(file, scene, {})).channels[0].time.absoluteJulianDayNumber
        if day > 1:
            taken = datetime.fromtimestamp(round((day - _EPOCH) * 86400, 3), UTC)
            return taken.isoformat(timespec="milliseconds").replace(".000", "").replace("+00:00", "Z")
    return ""


def _objective(microscope: Any) -> dict[str, Any]:
    said = {name: getattr(microscope, key, None) for key, name in _OBJECTIVE.items()}
    return {name: value for name, value in said.items() if value}


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    import nd2

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with nd2.ND2File(path) as file:
                yield file
    except (ImageReadError, ImportError):
        raise
    except Exception as error:  # of a damaged file it raises anything
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ImageReadError(path, f"nd2 cannot read it: {reason}") from error
