"""What Keras 3 left out of a layer's config, and its weights tell.

Keras 3.0 to 3.3 did not write `rms_scaling` of a LayerNormalization, without which
Keras wants a second array.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.legacy.containers.groups import GroupedWeights
from keras_rectifiers.legacy.containers.saved import Saved
from keras_rectifiers.legacy.dialects.left_open import RMS_SCALING
from keras_rectifiers.legacy.dialects.left_open import leaves_open
from keras_rectifiers.repairs import Repair


def filled(saved: Saved, weights: GroupedWeights) -> Saved:
    """A saved model whose layers say what their weights tell of them.

    Args:
        saved: The model; its document is changed.
        weights: Its weights.
    """
    told: list[Repair] = []
    with contextlib.suppress(*MALFORMED):  # the rules say what is wrong, and where
        told += _told(weights.layers(), weights)
    return dataclasses.replace(saved, repairs=(*saved.repairs, *told))


def _told(
    layers: Iterator[tuple[Entry, tuple[str, ...], tuple[str, ...]]],
    weights: GroupedWeights,
) -> Iterator[Repair]:
    for entry, path, group in layers:
        if not leaves_open(entry):
            continue
        if weights.tree.groups.get((*group, "vars")) == {"0"}:
            entry["config"][RMS_SCALING] = True
            text = "rms_scaling → True, since the layer has a single array"
            yield Repair(RMS_SCALING, "/".join(path), text)
