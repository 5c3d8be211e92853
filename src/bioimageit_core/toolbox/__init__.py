"""The tools that come with the package: Galaxy wrappers, their scripts, and the functions behind them.

Each folder is a category: wrappers (``*.xml``), the scripts that they call, ``.shed.yml`` and ``test-data``. The
functions are in `bioimageit_core.toolbox.imaging`; the scripts are their thin edge and run where this package is not
installed, so `imaging` imports nothing of it.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["toolbox_dir"]


def toolbox_dir() -> Path:
    """Return the directory that holds the categories.

    Examples
    --------
    >>> (toolbox_dir() / "segmentation" / "segment_nuclei.xml").is_file()
    True
    """
    return Path(__file__).resolve().parent
