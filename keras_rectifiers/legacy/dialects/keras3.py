"""What earlier releases of Keras 3 wrote differently from the current one.

Nothing in the form of an entry tells these releases apart as reliably as the form
itself: each rule looks at what is written, and not at the release that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import node_refs
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.calls import is_end
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.legacy.dialects.registry import model_rule

_OUTPUTS = "output_layers"
#: Release that did not write which call of a layer is meant.
_LOST = (3, 2)
#: What Keras 3.0 to 3.3 left out of a LayerNormalization's config.
RMS_SCALING = "rms_scaling"


@entry_rule(
    "listed_output", "A model in a Sequential whose single output is wrapped in a list"
)
def unlist_output(entry: Entry, context: Context) -> None:
    """Take the one output of a model out of its list, where the list is passed on.

    Keras 3.0 to 3.10 wrote every single output in a list. Keras 3.15 hands that list
    to the next layer of a Sequential, and to a wrapper, which take a tensor only; in
    a Functional model each call says which tensors it takes.
    """
    for inner in _handed_on(entry):
        config = inner["config"]
        ends = config[_OUTPUTS]
        if isinstance(ends, list) and len(ends) == 1 and is_end(ends[0]):
            config[_OUTPUTS] = ends[0]
            name = name_of(inner)
            context.repaired(
                entry, f"{name}: its single output, in a list → the output itself"
            )


def _handed_on(entry: Entry) -> Iterator[Entry]:
    """The Functional models inside whose outputs go as they are to something else."""
    wrapped = config_of(entry).get("layer")
    if is_model(entry):
        inside = [] if is_functional(entry) else layers_of(entry)
    else:
        inside = [wrapped] if isinstance(wrapped, dict) else []
    yield from (each for each in inside if is_functional(each))


@entry_rule("value_range", "RandomRotation: `value_range`, which it never used")
def leave_out_value_range(entry: Entry, context: Context) -> None:
    """Leave out what Keras 3.0 to 3.5 wrote of a RandomRotation, and 3.15 refuses."""
    if entry.get("class_name") != "RandomRotation" or not known.is_own_layer(entry):
        return
    if config_of(entry).pop("value_range", None) is not None:
        context.repaired(entry, "value_range left out")


@model_rule(
    "lost_calls", "Layers for which Keras 3.2 does not state which call is meant"
)
def say_calls_are_lost(model: Entry, context: Context) -> None:
    """Say where a file of Keras 3.2 names the first of several calls, whichever it was.

    Its serializer did not count the calls before the one that was meant, so the file
    does not show which one it was.
    """
    if context.origin.version[:2] != _LOST or not is_functional(model):
        return
    entries = layers_of(model)
    taken = {
        ref.name
        for each in entries
        for node in nodes_of(each)
        for ref in node_refs(node)
    }
    for entry in entries:
        calls = len(nodes_of(entry))
        if calls > 1 and name_of(entry) in taken:
            text = (
                f"called {calls} times, but Keras 3.2 wrote the first call "
                "everywhere: the model may compute something different; save it again "
                "from its code"
            )
            context.repaired(entry, text, caution=True)


def leaves_open(entry: Entry) -> bool:
    """Whether a layer omits how it scales, so that its weights have to show it.

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
    """Whether only the weights of some layer show how it scales."""
    return any(leaves_open(place.entry) for place in walk(document))
