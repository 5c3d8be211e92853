"""How well a segmentation agrees with a reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .image import Array, ImageError

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True)
class Agreement:
    """Objects found, missed and wrong.

    Attributes
    ----------
    true_positives
        Pairs of an object and a reference object whose overlap reaches the limit.
    false_positives
        Objects without such a partner.
    false_negatives
        Reference objects without such a partner.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Fraction of the objects that are right; 1 where there are none."""
        found = self.true_positives + self.false_positives
        return self.true_positives / found if found else 1.0

    @property
    def recall(self) -> float:
        """Fraction of the reference objects that were found; 1 where there are none."""
        wanted = self.true_positives + self.false_negatives
        return self.true_positives / wanted if wanted else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / total if total else 1.0


def agreement(labels: Array, reference: Array, overlap: float = 0.5) -> Agreement:
    """Compare two label images object by object.

    Parameters
    ----------
    labels, reference
        Of one shape, integer, 0 is background. An object is the set of all pixels of one value.
    overlap
        Least intersection over union of a pair that counts, >= 0.5: then no object can be in two pairs. At exactly 0.5
        two pairs could share an object, so the overlap has to be more than 0.5 there.

    Examples
    --------
    >>> agreement(np.array([[1, 1, 0, 2]]), np.array([[7, 7, 0, 0]]))
    Agreement(true_positives=1, false_positives=1, false_negatives=0)
    """
    if labels.shape != reference.shape:
        raise ImageError(f"shapes differ: {labels.shape} and {reference.shape}")
    if not 0.5 <= overlap <= 1:
        raise ImageError(f"overlap {overlap}: expected 0.5 to 1")
    _, found = np.unique(labels, return_inverse=True)
    _, wanted = np.unique(reference, return_inverse=True)
    found = found.ravel() + (labels.min() > 0)  # so that 0 is background in both
    wanted = wanted.ravel() + (reference.min() > 0)
    width = int(wanted.max()) + 1
    table = np.bincount(found * width + wanted, minlength=(int(found.max()) + 1) * width).reshape(-1, width)
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    ratio = (table / np.maximum(union, 1))[1:, 1:]
    pairs = int(np.count_nonzero(ratio > overlap if overlap == 0.5 else ratio >= overlap))
    return Agreement(pairs, ratio.shape[0] - pairs, ratio.shape[1] - pairs)
