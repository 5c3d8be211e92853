"""The OMERO client: imported when it is needed, and not before."""

from __future__ import annotations

import functools
import logging
import threading
import warnings
from typing import Any

from bioimageit_core.core.exceptions import DataServiceError

__all__ = ["import_client", "model", "rint", "rlong", "rstring"]

_importing = threading.Lock()

_HOW_TO_GET_IT = (
    "the OMERO client is not installed: pip install omero-py, after zeroc-ice 3.6.5, which has no wheel on PyPI. "
    "Take a prebuilt wheel (https://www.glencoesoftware.com/blog/2023/12/08/ice-binaries-for-omero.html), or conda "
    "install -c conda-forge omero-py, or build one once with this plugin's scripts/prepare_ice.py"
)


@functools.cache
def import_client() -> Any:
    """Import the OMERO client.

    Raises
    ------
    DataServiceError
        It is not installed; the message says how to get it.
    """
    try:
        with _importing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import omero
            import omero.clients
            import omero.gateway
        logging.getLogger("omero").addHandler(logging.NullHandler())  # what is wrong is raised, not written as well
    except ImportError as error:
        raise DataServiceError(f"{_HOW_TO_GET_IT} ({error})") from error
    return omero


def model() -> Any:
    """Give the classes of the client's objects."""
    return import_client().model


def rstring(value: str) -> Any:
    """Wrap a text."""
    return import_client().rtypes.rstring(value)


def rint(value: int) -> Any:
    """Wrap a 32-bit integer."""
    return import_client().rtypes.rint(value)


def rlong(value: int) -> Any:
    """Wrap a 64-bit integer."""
    return import_client().rtypes.rlong(value)
