"""Real microscopy images that come with the package, for the demo, tests and first steps.

Origin and licences are in the ``README.md`` beside this module.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["NUCLEI_FILTER", "mitosis_dir", "nuclei_dir", "nuclei_pairs", "samples_dir"]

NUCLEI_FILTER = r"^(?!.*_labels\.tif$).*\.tif$"
"""Regular expression of the names in `nuclei_dir()` that are microscope images, not label images."""


def samples_dir() -> Path:
    """Return the directory of all samples."""
    return Path(__file__).resolve().parent


def nuclei_dir() -> Path:
    """Return the directory of nine images of Drosophila nuclei (YX), one folder for each of two experiments.

    Each image ``x.tif`` has a reference label image ``x_labels.tif`` beside it.
    """
    return samples_dir() / "nuclei"


def mitosis_dir() -> Path:
    """Return the directory of a short time-lapse, one file per time point (YX), one folder per channel."""
    return samples_dir() / "mitosis"


def nuclei_pairs() -> list[tuple[Path, Path]]:
    """List the images of nuclei, each with its reference label image, in the order of their paths.

    Examples
    --------
    >>> len(nuclei_pairs())
    9
    """
    images = sorted(path for path in nuclei_dir().glob("*/*.tif") if not path.stem.endswith("_labels"))
    return [(path, path.with_name(f"{path.stem}_labels.tif")) for path in images]
