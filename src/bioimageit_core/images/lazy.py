"""Arrays of files: shapes now, pixels when they are asked for."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bioimageit_core.images.model import AXES, ImageReadError

if TYPE_CHECKING:
    import dask.array as da
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FileArray", "axis_order", "canonical", "lengths_of"]


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


def canonical(array: Any, names: str, chunks: Sequence[int], dropped_samples: int = 0) -> da.Array:
    """Return a lazy array TCZYX of one in a file.

    Parameters
    ----------
    names
        One letter for each of its axes (also of one that is lazy already), as `axis_order` gives them.
    chunks
        Shape of what is read at once, along the same axes.
    dropped_samples
        How many of the last samples are no channel, as an opacity.
    """
    import dask.array as da

    lazy: Any = array
    if not isinstance(array, da.Array):
        read = tuple(max(1, min(int(chunk), length)) for chunk, length in zip(chunks, array.shape, strict=True))
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
