"""Layers of Keras 1, except those in `convolution`."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects.keras1.names import COMMON
from keras_rectifiers.legacy.dialects.keras1.names import INPUTS
from keras_rectifiers.legacy.dialects.keras1.names import RECURRENT
from keras_rectifiers.legacy.dialects.keras1.names import Form
from keras_rectifiers.legacy.dialects.keras1.names import rename
from keras_rectifiers.legacy.dialects.keras1.names import rename_rule
from keras_rectifiers.legacy.dialects.keras1.names import same
from keras_rectifiers.legacy.dialects.keras1.names import written_by_keras_1
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

#: The version from which the running deviation was stored as a variance.
_VARIANCES = (1, 0, 6)

_KERNEL = frozenset(set(COMMON) - {"bias"})

_DENSE = Form(
    same("Dense", "TimeDistributedDense"),
    {"output_dim": "units"},
    _KERNEL | {"output_dim"},
)
_MAXOUT = Form(same("MaxoutDense"), {"output_dim": "units"}, _DENSE.signs)
_EMBEDDING = Form(
    same("Embedding"),
    {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    frozenset({"init", "W_regularizer", "W_constraint"}),
    frozenset({"input_length", "input_shape", "dropout"}),
)
_RECURRENT = Form(
    same("SimpleRNN", "GRU", "LSTM"),
    {"output_dim": "units", **RECURRENT},
    frozenset({"output_dim", "inner_init", "inner_activation", "consume_less"}),
)
_NORMALIZATION = Form(
    same("BatchNormalization"),
    {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    frozenset({"mode", "beta_init", "gamma_init"}),
)
_RESHAPE = Form(same("Reshape", "Permute"), {}, frozenset({"dims"}))
_PLAIN = Form(
    same(
        *("Activation", "ActivityRegularization", "ELU", "Flatten", "LeakyReLU"),
        *("Masking", "RepeatVector", "ThresholdedReLU"),
        *("Bidirectional", "Lambda", "TimeDistributed"),
    ),
    {},
    frozenset({"input_dtype"}),
    INPUTS | {"beta", "target"},
)

#: What Keras 1 had and no later Keras has -> what to build in its place.
_GONE = {
    "Highway": "Build it from Dense, Multiply and Add layers, and copy the weights",
    "SReLU": "Build it as a custom layer for Keras 3",
    "ParametricSoftplus": "Build it as a custom layer for Keras 3",
    **dict.fromkeys(
        (
            *("AutoEncoder", "LambdaMerge", "MaskedLambda", "Siamese", "SiameseHead"),
            *("JZS1", "JZS2", "JZS3", "DeepLSTM"),
        ),
        "Build this part of the model again with Keras 3 layers",
    ),
}


@entry_rule("keras1_removed", "Layers that exist only in Keras 1 are refused by name")
def refuse_removed(entry: Entry, context: Context) -> None:
    """Refuse layers of Keras 1 that have no form in Keras 3."""
    name = str(entry.get("class_name"))
    if name not in _GONE or not written_by_keras_1(entry, context, _SIGNS):
        return
    raise context.refuse(
        entry, f"a {name} layer, which exists only in Keras 1", _GONE[name]
    )


_SIGNS = frozenset(
    {
        *("init", "alpha_init", "t_left_init", "output_dim", "W_regularizer"),
        *("encoder_config", "merge_mode"),
    }
)


@entry_rule("keras1_dense", "Dense: `output_dim`, `init`, `W_regularizer` → Keras 3's")
def dense(entry: Entry, context: Context) -> None:
    """Dense, and the old class for the same over time."""
    if not _DENSE.has(entry, context):
        return
    rename(entry, context, _DENSE)
    if entry["class_name"] == "TimeDistributedDense":
        _over_time(entry)
        context.repaired(entry, "TimeDistributedDense → TimeDistributed(Dense)")


def _over_time(entry: Entry) -> None:
    inner = config_of(entry)
    outer: dict[str, Any] = {
        key: inner.pop(key)
        for key in ("name", "trainable", "batch_input_shape")
        if key in inner
    }
    inner["name"] = f"{outer.get('name', 'dense')}_dense"
    outer["layer"] = {"class_name": "Dense", "config": inner}
    entry["class_name"], entry["config"] = "TimeDistributed", outer


@entry_rule("keras1_maxout", "MaxoutDense → Dense, Reshape and a maximum")
def maxout(entry: Entry, context: Context) -> None:
    """The largest of several Dense layers: one wide one, and a maximum."""
    config = config_of(entry)
    if entry.get("class_name") == "MaxoutDense" and config.pop(_WIDE, False):
        entry["class_name"] = "Dense"  # what this rule made of the layer around it
        context.convert_weights(entry, "keras1_maxout")
        return
    if not _MAXOUT.has(entry, context):
        return
    rename(entry, context, _MAXOUT)
    name = name_of(entry)
    count, units = int(config.pop("nb_feature", 4)), int(config["units"])
    for key in ("kernel_constraint", "bias_constraint"):
        config.pop(key, None)
    wide = {**config, "name": f"{name}_dense", "units": count * units, _WIDE: True}
    layers = [
        {"class_name": "MaxoutDense", "config": wide},
        _layer("Reshape", name, target_shape=[count, units]),
        _layer("GlobalMaxPooling1D", name),
    ]
    entry["class_name"] = "Sequential"
    entry["config"] = {"name": name, "layers": layers}
    if "batch_input_shape" in config:
        entry["config"]["batch_input_shape"] = config["batch_input_shape"]
    context.repaired(entry, "MaxoutDense → Dense, Reshape, GlobalMaxPooling1D")


#: Marks the layer inside a replaced MaxoutDense that has its weights.
_WIDE = "__wide__"


def _layer(class_name: str, name: str, **settings: Any) -> Entry:
    config = {"name": f"{name}_{class_name.lower()}", **settings}
    return {"class_name": class_name, "config": config}


@entry_rule("keras1_embedding", "Embedding: `init`, `W_…`, `dropout` → Keras 3's")
def embedding(entry: Entry, context: Context) -> None:
    """Embedding; its dropout of whole words was for training."""
    if not _EMBEDDING.has(entry, context):
        return
    if config_of(entry).get("dropout"):
        context.repaired(entry, "word dropout was left out", caution=True)
    rename(entry, context, _EMBEDDING)


@entry_rule("keras1_recurrent", "LSTM, GRU, SimpleRNN: `inner_…`, `dropout_W` …")
def recurrent(entry: Entry, context: Context) -> None:
    """LSTM, GRU and SimpleRNN, whose gates lay apart but for `consume_less="gpu"`."""
    if not _RECURRENT.has(entry, context):
        return
    config = config_of(entry)
    together = config.get("consume_less") == "gpu"
    unit_forget_bias(config)
    rename(entry, context, _RECURRENT)
    class_name = entry["class_name"]
    if class_name == "GRU":
        config["reset_after"] = False
    if class_name != "SimpleRNN" and not together:
        context.convert_weights(entry, f"keras1_{class_name.lower()}")


def unit_forget_bias(config: dict[str, Any]) -> None:
    """Replace `forget_bias_init` by what Keras 3 knows of it.

    Args:
        config: A recurrent layer's, in Keras 1's names.
    """
    if "forget_bias_init" in config:
        config["unit_forget_bias"] = config.pop("forget_bias_init") == "one"


rename_rule(
    "keras1_dropout",
    "Dropout layers: `p` → `rate`",
    Form(
        same(
            *("Dropout", "GaussianDropout"),
            *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
        ),
        {"p": "rate"},
        frozenset({"p"}),
    ),
)
rename_rule(
    "keras1_noise",
    "GaussianNoise: `sigma` → `stddev`",
    Form(same("GaussianNoise"), {"sigma": "stddev"}, frozenset({"sigma"})),
)


@entry_rule("keras1_batch_normalization", "BatchNormalization: `mode`, `running_std`")
def batch_normalization(entry: Entry, context: Context) -> None:
    """BatchNormalization, whose running deviation became a variance in Keras 1.0.6."""
    if not _NORMALIZATION.has(entry, context):
        return
    mode = config_of(entry).pop("mode", 0)
    if mode != 0:
        kinds = {
            1: "each sample separately",
            2: "each batch separately, also at inference",
        }
        raise context.refuse(
            entry,
            f"a BatchNormalization of Keras 1 with mode={mode!r}, which normalizes "
            f"{kinds.get(mode, 'in an unknown way')}",
            "Keras 3 has no such layer: build it as a custom layer",
        )
    rename(entry, context, _NORMALIZATION)
    origin = context.origin
    late = origin.version[:3] == _VARIANCES and origin.backend != "tensorflow"
    if origin.version < _VARIANCES or late:
        context.convert_weights(entry, "keras1_batch_std")
        known = bool(origin.version) and not late
        text = "running_std → moving_variance"
        if not known:
            text += ", as Keras before 1.0.6 stored it"
        context.repaired(entry, text, caution=not known)


rename_rule(
    "keras1_prelu",
    "PReLU: `init` → `alpha_initializer`",
    Form(same("PReLU"), {"init": "alpha_initializer"}, frozenset({"init"})),
)


@entry_rule("keras1_reshape", "Reshape: `dims` → `target_shape`")
def reshape(entry: Entry, context: Context) -> None:
    """Reshape, which in Keras 0 had `dims`, as Permute still has."""
    if not _RESHAPE.has(entry, context):
        return
    rename(entry, context, _RESHAPE)
    config = config_of(entry)
    if entry["class_name"] == "Reshape" and "dims" in config:
        config.setdefault("target_shape", config.pop("dims"))
        context.repaired(entry, "dims → target_shape")


@entry_rule("keras1_plain", "Layers that Keras 1 wrote almost like Keras 3")
def plain(entry: Entry, context: Context) -> None:
    """Layers whose settings have kept their names; Flatten never looked at axes."""
    if not _PLAIN.has(entry, context):
        return
    rename(entry, context, _PLAIN)
    if entry["class_name"] == "Flatten":
        config_of(entry)["data_format"] = "channels_last"


@entry_rule("keras1_input", "InputLayer: `input_dtype` → `dtype`")
def input_layer(entry: Entry, context: Context) -> None:
    """InputLayer."""
    config = config_of(entry)
    if entry.get("class_name") == "InputLayer" and "input_dtype" in config:
        config.setdefault("dtype", config.pop("input_dtype"))
        context.repaired(entry, "input_dtype → dtype")
