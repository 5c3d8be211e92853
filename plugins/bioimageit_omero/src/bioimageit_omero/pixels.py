"""Five-dimensional images in a server: written plane by plane or tile by tile, read when they are looked at."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from typing import TYPE_CHECKING, Any

from bioimageit_core.core.exceptions import DataServiceError, NotFoundError

from bioimageit_omero.failures import translated
from bioimageit_omero.ice import import_client, model, rint, rstring
from bioimageit_omero.session import Session
from bioimageit_omero.source import PIXEL_TYPES, Channel, ImageSource, PixelSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ImageInfo", "LazyImage", "create_image", "describe_image", "image_info"]

_LARGE_PLANE = 64 * 2**20
"""Planes of more bytes are written and read tile by tile; a message of the protocol has a limit."""
_TILE = 2048

_PIXELS = (
    "select p from Pixels p join fetch p.pixelsType left outer join fetch p.channels c "
    "left outer join fetch c.logicalChannel where p.image.id = :id"
)


class ImageInfo:
    """What a server says about the pixels of an image."""

    def __init__(self, pixels: Any) -> None:
        self.pixels = pixels
        self.id = int(pixels.id.val)
        self.group = int(pixels.details.group.id.val)
        names = {omero: numpy for numpy, omero in PIXEL_TYPES.items()}
        self.pixel_type = str(pixels.pixelsType.value.val)
        self.dtype = names.get(self.pixel_type, "")
        self.shape = tuple(int(getattr(pixels, f"size{axis}").val) for axis in "TCZYX")
        self.channels = [_channel(c) for c in sorted(pixels.copyChannels(), key=lambda c: c.id.val)]
        self.sizes = {}
        for axis in "XYZ":
            size = getattr(pixels, f"physicalSize{axis}")
            if size is not None:
                self.sizes[axis] = PixelSize(float(size.getValue()), str(size.getSymbol()))

    def metadata(self) -> dict[str, Any]:
        """Say it in the terms of OME."""
        found: dict[str, Any] = {f"Size{axis}": n for axis, n in zip("TCZYX", self.shape, strict=True)}
        found["Type"] = self.pixel_type
        for axis, size in self.sizes.items():
            found[f"PhysicalSize{axis}"], found[f"PhysicalSize{axis}Unit"] = size.value, size.unit
        if any(channel.name for channel in self.channels):
            found["Channels"] = [{"Name": channel.name} for channel in self.channels]
        return found


def _channel(made: Any) -> Channel:
    logical = made.logicalChannel
    name = logical.name.val if logical is not None and logical.isLoaded() and logical.name is not None else ""
    parts = [getattr(made, part) for part in ("red", "green", "blue", "alpha")]
    colour = None if any(p is None for p in parts) else tuple(int(p.val) for p in parts)
    return Channel(name or "", colour)  # type: ignore[arg-type]


def image_info(session: Session, image_id: int, uri: str) -> ImageInfo:
    """Read what describes the pixels of an image.

    Raises
    ------
    NotFoundError
        There is no such image, or it has no pixels.
    """
    found = session.objects(_PIXELS, {"id": image_id})
    if not found:
        raise NotFoundError("image", uri)
    return ImageInfo(found[0])


def create_image(session: Session, source: ImageSource, name: str, group: int) -> int:
    """Make an image of a source and give its identity; no dataset has it yet, and its name is not the last.

    Raises
    ------
    DataServiceError
        It could not be written; nothing is left of it.
    """
    _, _, _, height, width = source.shape
    import numpy as np

    kind = np.dtype(source.dtype)
    if height * width * kind.itemsize > _LARGE_PLANE or kind.kind == "c":  # the gateway knows no minimum of these
        return _create_by_tiles(session, source, name, group)

    token = f"{name[:200]} (being imported: {uuid.uuid4().hex})"

    def create(client: Any) -> int:
        gateway = import_client().gateway.BlitzGateway(client_obj=client)
        gateway.SERVICE_OPTS.setOmeroGroup(group)
        sizes = {"sizeT": source.shape[0], "sizeC": source.shape[1], "sizeZ": source.shape[2]}
        return int(gateway.createImageFromNumpySeq(source.planes(), token, **sizes).getId())

    try:
        return session.call(create, is_write=True)
    except Exception:
        with contextlib.suppress(DataServiceError):
            rows = session.rows("select i.id from Image i where i.name = :name", {"name": token}, group)
            session.delete({"Image": [int(row[0]) for row in rows]}, group)
        raise


def _create_by_tiles(session: Session, source: ImageSource, name: str, group: int) -> int:
    sizes_t, sizes_c, sizes_z, height, width = source.shape
    kind = next(iter(session.objects("from PixelsType as p where p.value = :v", {"v": source.pixel_type})), None)
    if kind is None:
        raise DataServiceError(f"OMERO: this server has no pixel type {source.pixel_type}")

    def create(client: Any) -> int:
        service = client.sf.getPixelsService()
        arguments = (width, height, sizes_z, sizes_t, list(range(sizes_c)), kind, name, None)
        return int(service.createImage(*arguments, client.getContext(group)).val)

    image = session.call(create, is_write=True)
    try:
        pixels = image_info(session, image, str(image)).id
        with session.stateful("createRawPixelsStore", group=group, is_write=True) as store:
            store.setPixelsId(pixels, True)
            for t, c, z in itertools.product(range(sizes_t), range(sizes_c), range(sizes_z)):
                plane = source.plane(t, c, z)
                for y, x in itertools.product(range(0, height, _TILE), range(0, width, _TILE)):
                    tile = plane[y : y + _TILE, x : x + _TILE]
                    data = tile.astype(tile.dtype.newbyteorder(">")).tobytes()
                    store.setTile(data, z, c, t, x, y, tile.shape[1], tile.shape[0])
    except Exception as error:
        session.delete({"Image": [image]}, group)
        raise translated(error) from error
    return image


def describe_image(session: Session, image_id: int, name: str, source: ImageSource) -> list[Any]:
    """Say name, sizes, channel names and colours of a new image; gives what is to be saved."""
    (image,) = session.objects("select i from Image i where i.id = :id", {"id": image_id})
    image.setName(rstring(name))
    return [image, *_described_pixels(session, image_id, source)]


def _described_pixels(session: Session, image_id: int, source: ImageSource) -> list[Any]:
    if not source.sizes and not any(c.name or c.colour for c in source.channels):
        return []

    info = image_info(session, image_id, str(image_id))
    for axis, size in source.sizes.items():
        unit = _unit_of(size.unit)
        if unit is not None and size.value > 0:
            setattr(info.pixels, f"physicalSize{axis}", model().LengthI(size.value, unit))
    made = sorted(info.pixels.copyChannels(), key=lambda c: c.id.val)
    for channel, about in zip(made, source.channels, strict=False):
        if about.name:
            channel.logicalChannel.name = rstring(about.name[:255])
        if about.colour is not None:
            for part, value in zip(("red", "green", "blue", "alpha"), about.colour, strict=True):
                setattr(channel, part, rint(value))
    return [info.pixels]


def _unit_of(symbol: str) -> Any:
    names = {text: name for name, text in model().LengthI.SYMBOLS.items()}
    name = names.get(symbol.replace("\u03bc", "\u00b5"))  # the Greek letter for the micro sign
    return None if name is None else getattr(model().enums.UnitsLength, name)


class LazyImage:
    """An image of a server as an array with axes TCZYX; what is indexed is read, tile by tile, and nothing else.

    Attributes
    ----------
    shape, dtype, ndim, axes
        As of a numpy array.
    sizes, channels
        Physical size of a pixel along X, Y, Z, and the channels.

    Notes
    -----
    Integers and slices index it; ``numpy.asarray(image)`` reads all of it.
    """

    axes = "TCZYX"
    ndim = 5

    def __init__(self, session: Session, info: ImageInfo) -> None:
        import numpy as np

        if not info.dtype:
            raise DataServiceError(f"OMERO: pixels of type {info.pixel_type} cannot be read as an array")
        self._session = session
        self._pixels = info.id
        self._group = info.group
        self.shape = info.shape
        self.dtype = np.dtype(info.dtype)
        self.sizes = info.sizes
        self.channels = info.channels

    @property
    def size(self) -> int:
        """Number of pixels."""
        product = 1
        for length in self.shape:
            product *= length
        return product

    @property
    def nbytes(self) -> int:
        """Number of bytes."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<LazyImage TCZYX {self.shape} {self.dtype}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("an image of a server is always copied")
        found = self[...]
        return found if dtype is None else found.astype(dtype)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read a part.

        Raises
        ------
        IndexError
            An index is outside, or is neither an integer nor a slice.
        """
        import numpy as np

        wanted, dropped = self._ranges(index)
        t, c, z, y, x = wanted
        found = np.zeros([len(r) for r in wanted], self.dtype)
        if found.size:
            with self._session.stateful("createRawPixelsStore", group=self._group) as store:
                store.setPixelsId(self._pixels, True)
                for (i, ti), (j, cj), (k, zk) in itertools.product(enumerate(t), enumerate(c), enumerate(z)):
                    found[i, j, k] = self._part(store, ti, cj, zk, y, x)
        return found[tuple(0 if axis in dropped else slice(None) for axis in range(5))]

    def _ranges(self, index: Any) -> tuple[list[range], set[int]]:
        import numpy as np

        parts = list(index) if isinstance(index, tuple) else [index]
        if parts.count(Ellipsis) == 1:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (6 - len(parts))
        parts += [slice(None)] * (5 - len(parts))
        if len(parts) > 5:
            raise IndexError("an image has the five axes TCZYX")
        wanted, dropped = [], set()
        for axis, (part, length) in enumerate(zip(parts, self.shape, strict=True)):
            if isinstance(part, slice):
                wanted.append(range(length)[part])
            elif isinstance(part, int | np.integer):
                wanted.append(range(length)[int(part) : int(part) + 1 or None])
                if not wanted[-1]:
                    raise IndexError(f"{self.axes[axis]} is {part}, of {length}")
                dropped.add(axis)
            else:
                raise IndexError(f"an integer or a slice can index an image, not {part!r}")
        return wanted, dropped

    def _part(self, store: Any, t: int, c: int, z: int, rows: range, columns: range) -> NDArray[Any]:
        """Read the part of a plane; the smallest tiles that have it are asked for."""
        import numpy as np

        top, left = min(rows[0], rows[-1]), min(columns[0], columns[-1])
        height, width = max(rows[0], rows[-1]) + 1 - top, max(columns[0], columns[-1]) + 1 - left
        big = self.dtype.newbyteorder(">")
        if (height, width) == self.shape[3:] and height * width * self.dtype.itemsize <= _LARGE_PLANE:
            part = np.frombuffer(store.getPlane(z, c, t), big).reshape(height, width)
        else:
            part = np.empty((height, width), big)
            for y, x in itertools.product(range(0, height, _TILE), range(0, width, _TILE)):
                h, w = min(_TILE, height - y), min(_TILE, width - x)
                data = store.getTile(z, c, t, left + x, top + y, w, h)
                part[y : y + h, x : x + w] = np.frombuffer(data, big).reshape(h, w)
        return part[np.ix_([r - top for r in rows], [k - left for k in columns])].astype(self.dtype)
