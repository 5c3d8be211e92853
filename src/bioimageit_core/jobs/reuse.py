"""Take over the result of an earlier execution into another dataset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from bioimageit_core.containers import ProcessedData
from bioimageit_core.core.exceptions import DataServiceError
from bioimageit_core.jobs.digests import Digests
from bioimageit_core.jobs.earlier import Result
from bioimageit_core.jobs.staging import Staging

__all__ = ["take_over"]


def take_over(
    staging: Staging, result: Result, new: Sequence[ProcessedData], folder: str, digests: Digests
) -> list[ProcessedData] | None:
    """Store copies of an earlier result as new data.

    Parameters
    ----------
    new
        A data for each output of the result, with name and inputs.

    Returns
    -------
    list or None
        The data as stored; None where the earlier files are gone, or are not what they were.
    """
    sources = []
    for then, data in zip(result.outputs, new, strict=True):
        try:
            earlier = staging.read(result.places[then.uuid])
            path = staging.fetch(earlier)
            if not then.sha256 or digests.of(path).sha256 != then.sha256:
                return None
        except (DataServiceError, OSError, KeyError):
            return None
        data.format = earlier.format
        data.output = dict(earlier.output)
        sources.append(path)
    for source, data in zip(sources, new, strict=True):
        target = staging.place(data, folder)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    return staging.store(new)
