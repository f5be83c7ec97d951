"""Data sets of Grain, of which only a few batches are read ahead."""

from __future__ import annotations

import sys
from typing import Any

#: Batches that are read ahead. Grain's own number, 500, is for single samples.
_AHEAD = 16


def few_ahead(stream: Any) -> Any:
    """A `grain.MapDataset` as one that reads few batches ahead; all else as it is.

    Args:
        stream: A data set object.
    """
    grain = sys.modules.get("grain")
    if grain is None or not isinstance(stream, grain.MapDataset):
        return stream
    options = grain.ReadOptions(num_threads=_AHEAD, prefetch_buffer_size=_AHEAD)
    return stream.to_iter_dataset(options)
