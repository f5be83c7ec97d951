"""The rule for TensorFlow's functions; `rewriter` does what it asks for.

Most models have none, so this module loads only what is needed to check that.
"""

from __future__ import annotations

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.graph import node_refs
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import model_rule


@model_rule("operations", "TensorFlow functions → operations of Keras 3")
def modernize_operations(model: Entry, context: Context) -> None:
    """Replace the function calls of a model, and state the shapes of tensors."""
    if not is_functional(model):
        for entry in layers_of(model):
            if entry["class_name"] in known.CALLS:
                raise context.refuse(entry, "a TensorFlow function", known.REMEDY)
        return
    entries = layers_of(model)
    found = any(entry["class_name"] in known.CALLS | known.NOTES for entry in entries)
    bare = any(
        ref.shape == () for e in entries for n in nodes_of(e) for ref in node_refs(n)
    )
    if found or bare:
        # The tables of functions take longer to load than a modern model to plan.
        from keras_rectifiers.legacy.dialects.tensorflow import rewriter  # noqa: PLC0415

        rewriter.rewrite(model, context)
