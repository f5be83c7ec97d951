"""Arguments that Keras 3 needs in a config and that only an old file's weights show."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.weights.owners import Owner

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array

_SLOT = "activation"


def complete(owner: Owner, variable: Variable, array: Array) -> None:
    """Add to a layer's config, in the document, what one of its arrays shows.

    Args:
        owner: The layer.
        variable: One of its variables.
        array: The variable's values.
    """
    places = [owner.place, *(spot.place for spot in owner.also)]
    for config in (place.config for place in places):
        if variable.in_config:
            summary, bins = array.read(), int(config["num_bins"])
            config["bin_boundaries"] = boundaries(summary, bins)
        elif variable.name == "idf_weights" and config.get("vocabulary") is not None:
            if config.get("idf_weights") is None:
                config["idf_weights"] = frequencies(config, array.read())
        elif variable.group[:-1] == (_SLOT, "vars"):
            slot = config[_SLOT]
            if not slot.get("build_config"):
                # Else Keras 3 would build it at its first call, after loading.
                slot["build_config"] = {"input_shape": [None, *array.shape]}


def boundaries(summary: np.ndarray[Any, Any], bins: int) -> list[float] | None:
    """The boundaries of bins that hold equally many of the values once seen.

    Args:
        summary: Values in order, and how many values each one represents: two rows.
        bins: How many bins there are.

    Returns:
        One boundary less than there are bins; None where no value was seen.
    """
    values, counts = np.asarray(summary, "float32")
    if not len(values) or bins < 1:
        return None
    seen = np.cumsum(counts)
    shares = 1 / bins + np.arange(0.0, 1.0, 1 / bins)
    found = np.interp(shares, seen / seen[-1], values)
    return [float(each) for each in found.astype("float32")[:-1]]


def frequencies(config: dict[str, Any], stored: np.ndarray[Any, Any]) -> list[float]:
    """The weight of each word of a vocabulary.

    Args:
        config: Of the layer; its vocabulary may begin with what unknown words are.
        stored: The weights: of the unknown words, of the words, and padding.
    """
    words = config["vocabulary"]
    count = config.get("num_oov_indices", 1)
    unknown = [config.get("oov_token", "[UNK]")] * count
    first = 0 if words[:count] == unknown else count
    found = stored[first : first + len(words)]
    return [float(each) for each in found]
