"""Arrays of files: shapes now, pixels when they are asked for."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.images.model import AXES, ImageReadError

if TYPE_CHECKING:
    import dask.array as da
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FileArray", "axis_order", "canonical", "lengths_of", "refuse_to_look"]

_MOST_PIECES = 200_000  # of one array: each is a task that is kept in memory
_LARGE_PIECE = 64 * 2**20  # bytes; pieces are put together up to it, where there are many
_MOST_AT_ONCE = 2 * 2**30  # bytes of a piece that is read for somebody who looks


class FileArray:
    """An array in a file, opened at the first access and closed with the object; it pickles as path and place.

    Parameters
    ----------
    open_
        Called with `arguments`; returns what can be indexed, and what closes it.
    """

    def __init__(
        self,
        open_: Callable[..., tuple[Any, Callable[[], None]]],
        arguments: tuple[Any, ...],
        shape: Sequence[int],
        dtype: Any,
    ) -> None:
        import numpy as np

        self.shape = tuple(shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.ndim = len(self.shape)
        self._open, self._arguments = open_, arguments
        self._array: Any = None
        self._lock = threading.Lock()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        import numpy as np

        try:
            with self._lock:
                if self._array is None:
                    self._array, close = self._open(*self._arguments)
                    weakref.finalize(self, close)
            return np.asarray(self._array[key])
        except ImageReadError:
            raise
        except Exception as error:  # readers of broken files raise anything
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise ImageReadError(str(self._arguments[0]), f"damaged: its pixels cannot be read ({reason})") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return FileArray, (self._open, self._arguments, self.shape, self.dtype)


def axis_order(path: str, axes: str, shape: Sequence[int]) -> str:
    """Name every axis of a file with one of TCZYX, or S for the samples of a pixel; nameless pages become Z, then T.

    Axes that have no name here and length 1 become ``-``.

    Raises
    ------
    ImageReadError
        There are more axes than TCZYX, or neither Y nor X.
    """
    names = [axis.upper() for axis in axes]
    for place, name in enumerate(names):
        if name in (*AXES, "S"):
            continue
        free = [axis for axis in "ZT" if axis not in names]
        names[place] = "-" if shape[place] == 1 else free[0] if free else "?"
    known = [name for name in names if name != "-"]
    if "?" in known or len(set(known)) != len(known) or not {"Y", "X"} <= set(known):
        raise ImageReadError(path, f"its axes {axes} are not those of an image (TCZYX, with Y and X)")
    return "".join(names)


def lengths_of(names: str, shape: Sequence[int]) -> tuple[str, dict[str, int]]:
    """Return the axes that a file has, in the order TCZYX, and the length of all five; samples count as channels."""
    lengths = dict.fromkeys(AXES, 1)
    for name, length in zip(names, shape, strict=True):
        if name != "-":
            lengths["C" if name == "S" else name] *= int(length)
    return "".join(axis for axis in AXES if axis in names or (axis == "C" and "S" in names)), lengths


def canonical(path: str, array: Any, names: str, chunks: Sequence[int], dropped_samples: int = 0) -> da.Array:
    """Return a lazy array TCZYX of one in a file.

    Parameters
    ----------
    path
        Of the file, for errors.
    names
        One letter for each of its axes (also of one that is lazy already), as `axis_order` gives them.
    chunks
        Shape of what is read at once, along the same axes.
    dropped_samples
        How many of the last samples are no channel, as an opacity.

    Raises
    ------
    ImageReadError
        It is cut into more pieces than can be told apart in memory.
    """
    import dask.array as da

    lazy: Any = array
    if not isinstance(array, da.Array):
        read = tuple(max(1, min(int(chunk), length)) for chunk, length in zip(chunks, array.shape, strict=True))
        read = _fewer(path, array.shape, read, array.dtype.itemsize)
        lazy = da.from_array(array, chunks=read, name=False, asarray=True, fancy=False)  # type: ignore[no-untyped-call]
    lazy = lazy[tuple(0 if name == "-" else slice(None) for name in names)]
    names = names.replace("-", "")
    if "S" in names:
        place = names.index("S")
        lazy = lazy[(slice(None),) * place + (slice(0, lazy.shape[place] - dropped_samples),)]
        if "C" in names:  # channels of samples are channels
            lazy = da.moveaxis(lazy, place, names.index("C") + (place > names.index("C")))
            names = names.replace("S", "")
            channel = names.index("C")
            shape = lazy.shape
            lazy = lazy.reshape((*shape[:channel], shape[channel] * shape[channel + 1], *shape[channel + 2 :]))
        else:
            names = names.replace("S", "C")
    lazy = lazy.transpose([names.index(axis) for axis in AXES if axis in names])
    whole: da.Array = lazy[tuple(slice(None) if axis in names else None for axis in AXES)]
    return whole


def refuse_to_look(path: str, array: da.Array) -> None:
    """Refuse an image of which the smallest piece that can be read is larger than is sensible for a look at it.

    A file of few bytes can announce, or unpack to, more than any machine holds.

    Raises
    ------
    ImageReadError
        It has such pieces.
    """
    size = math.prod(array.chunksize) * array.dtype.itemsize
    if size > _MOST_AT_ONCE:
        raise ImageReadError(path, f"its pixels can be read {size / 2**30:.3g} GiB at a time only: too many to look at")


def _fewer(path: str, shape: Sequence[int], chunks: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Put pieces together, along the axis that is cut most often, until they are not too many."""
    read = list(chunks)

    def count() -> int:
        return math.prod(-(-length // chunk) for length, chunk in zip(shape, read, strict=True))

    while count() > _MOST_PIECES:
        if math.prod(read) * itemsize > _LARGE_PIECE:
            raise ImageReadError(path, f"its pixels are in {count()} large pieces; {_MOST_PIECES} can be kept track of")
        axis = max(range(len(read)), key=lambda place: shape[place] / read[place])
        read[axis] = min(2 * read[axis], shape[axis])
    return tuple(read)
