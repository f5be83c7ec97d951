"""What a file of Keras 3 does not say in its config, and says by its weights."""

from __future__ import annotations

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.legacy.dialects import known

#: What Keras 3.0 to 3.3 left out of a LayerNormalization's config.
RMS_SCALING = "rms_scaling"


def leaves_open(entry: Entry) -> bool:
    """Whether a layer does not say how it scales; its weights tell.

    Args:
        entry: A layer, as Keras 3 wrote it.
    """
    config = config_of(entry)
    return (
        entry.get("class_name") == "LayerNormalization"
        and known.is_own_layer(entry)
        and RMS_SCALING not in config
        and config.get("scale") is True
        and config.get("center") is True
    )


def any_open(document: Entry) -> bool:
    """Whether a model has a layer of which only its weights tell how it scales."""
    return any(leaves_open(place.entry) for place in walk(document))
