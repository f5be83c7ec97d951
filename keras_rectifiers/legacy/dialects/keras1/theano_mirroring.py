"""Kernels of models that ran on Theano, which mirrors them."""

from __future__ import annotations

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.legacy.dialects.keras1.theano_padding import ran_on_theano
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule
from keras_rectifiers.legacy.dialects.registry import model_rule

#: What the names of convolutions began with in Keras 1.
_OLD_CONVOLUTIONS = ("Convolution", "AtrousConvolution", "Deconvolution")

#: Layers whose kernels Theano mirrors. Separable and depthwise ones are not among
#: them: Keras turned those itself.
_CONVOLUTIONS = frozenset(
    {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose"}
)


@entry_rule("theano_kernels", "Kernels that Theano mirrored are flipped")
def mirror_kernels(entry: Entry, context: Context) -> None:
    """Ask for the mirror on every convolution of a model that ran on Theano."""
    class_name = str(entry.get("class_name"))
    if class_name not in _CONVOLUTIONS and class_name != "ConvLSTM2D":
        return
    if not ran_on_theano(context):
        return
    asked = entry[WAS].get("conversion", "")
    name = "theano_convlstm2d" if class_name == "ConvLSTM2D" else "theano_kernel"
    context.convert_weights(entry, f"{asked}_theano" if asked else name)
    context.repaired(entry, "Theano kernel → flipped")


@model_rule("theano_unknown", "Keras 1 models, whose file does not name the backend")
def tell_unknown(model: Entry, context: Context) -> None:
    """Keras 1 did not write down whether Theano ran a model; the user may know."""
    if context.origin.backend or ran_on_theano(context):
        return
    classes = {str(each.get(WAS, {}).get("class_name")) for each in layers_of(model)}
    if any(name.startswith(_OLD_CONVOLUTIONS) for name in classes):
        text = (
            "kernels kept as they are: the file does not say whether the model was "
            "trained with Theano, which mirrors kernels"
        )
        context.repaired(model, text, caution=True)
