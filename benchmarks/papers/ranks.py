"""Spearman's rank correlation."""

import numpy as np


def spearman(first, second):
    """Correlation of the ranks of two sequences, in -1..1; ties share a mean rank."""
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values):
    values = np.asarray(values)
    below = (values[:, None] > values[None, :]).sum(axis=1)
    same = (values[:, None] == values[None, :]).sum(axis=1)
    return below + (same + 1) / 2
