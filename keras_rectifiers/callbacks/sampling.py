"""The samples that a monitor measures with, when it does not take them all."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis import data as data_sets
from keras_rectifiers.live import processes

#: Bounds of the sample that is taken when none is asked for.
FEWEST = 32
MOST = 512
#: Samples of a batch if unknown: the Keras default. With larger batches the probe costs
#: less than thought.
_BATCH = 32
#: Of a training step, in forward passes, and of a probe with all that is done at a
#: measurement.
_STEP_COST = 3.0
_PROBE_COST = 2.0


def sample_size(steps: int | None, *, share: float = 0.01, fewest: int = FEWEST) -> int:
    """Samples that cost at most a share of an epoch, within bounds.

    Args:
        steps: Batches of an epoch; None if unknown.
        share: The share, 0..1. Default 0.01.
        fewest: Fewest samples; 512 are the most. Default 32.
    """
    budget = share * _STEP_COST / _PROBE_COST * _BATCH * (steps or 0)
    return int(min(max(budget, fewest), MOST))


def sampled(probe: Any, size: int, *, batch_size: int, steps: int | None) -> Any:
    """Some samples of a probe set, for all measurements the same.

    Args:
        probe: Data as `diagnose` takes it.
        size: Most samples to take: evenly spread ones of numpy arrays, the first of
            everything else.
        batch_size: Samples in a batch of arrays.
        steps: Most batches to take, None for all.

    Returns:
        Batches, kept in memory; the probe set itself if it has none.
    """
    given = probe
    if not (isinstance(probe, list) and isinstance(next(iter(probe), None), tuple)):
        given = data_sets.evenly_spaced(probe, size)  # no list of batches
    batches: list[tuple[Any]] = []
    left = size
    for batch in data_sets.batches(given, batch_size=batch_size, steps=steps):
        few = data_sets.first_samples(batch, left)
        batches.append((few,))
        left -= int(keras.tree.flatten(few)[0].shape[0])
        if left <= 0:
            break
    return batches or probe


def of_first(probe: Any, *, batch_size: int, steps: int | None) -> Any:
    """The probe set of the first process, in every process that trains the model.

    Args:
        probe: Data as `diagnose` takes it.
        batch_size: Samples in a batch of arrays.
        steps: Most batches to take, None for all.

    Returns:
        Batches, kept in memory; the probe set itself where there is one process.
    """
    if processes.count() == 1:
        return probe
    batches = list(data_sets.batches(probe, batch_size=batch_size, steps=steps))
    named = {
        f"{place}/{number}": np.asarray(keras.ops.convert_to_numpy(leaf))
        for place, batch in enumerate(batches)
        for number, leaf in enumerate(keras.tree.flatten(batch))
    }
    first = processes.of_first(named)
    leaves = len(keras.tree.flatten(batches[0]))
    return [
        (
            keras.tree.pack_sequence_as(
                batches[0], [first[f"{place}/{number}"] for number in range(leaves)]
            ),
        )
        for place in range(len(first) // leaves)
    ]
