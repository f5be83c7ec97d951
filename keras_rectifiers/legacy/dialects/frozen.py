"""Layers that are frozen from outside, by the model or wrapper around them.

Keras 2 asks a layer's whole surroundings whether it trains; Keras 3 asks each
variable, and so each layer must say for itself that it is frozen.
"""

from __future__ import annotations

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import wrapped
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

#: Layers that create inner layers without a config; Keras 3 opens those as trainable
#: even from its own files.
_THAWED = frozenset(("MultiHeadAttention", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"))


@entry_rule("frozen", "Layers that are frozen by the model or wrapper around them")
def freeze_inside(entry: Entry, context: Context) -> None:
    """Freeze what is directly within; the rules go on to what is within that."""
    config = config_of(entry)
    if config.get("trainable") is not False:
        return
    if not context.is_old(entry):
        return
    if entry.get("class_name") in _THAWED and known.is_own_layer(entry):
        text = (
            "frozen, which Keras 3 does not keep: set trainable = False after opening "
            "the file"
        )
        context.repaired(entry, text, caution=True)
    members = layers_of(entry) if is_model(entry) else ()
    for inner in (*members, *(each for _, each in wrapped(entry))):
        if inner.get("class_name") == "InputLayer":
            continue
        found = inner.get("config")
        if isinstance(found, dict) and found.get("trainable", True) is True:
            found["trainable"] = False
            context.repaired(entry, "frozen → frozen together with its inner layers")
