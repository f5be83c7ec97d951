"""Arguments of Keras 2's layers, as Keras 3's classes take them."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.classes import CUSTOM
from keras_rectifiers.legacy.dialects.classes import become
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import layer_rule

#: Class -> (old argument -> new argument).
_ARGUMENTS = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "CategoryEncoding": {"max_tokens": "num_tokens"},
    "Discretization": {"bins": "bin_boundaries"},
    "IntegerLookup": {
        "max_values": "max_tokens",
        "mask_value": "mask_token",
        "oov_value": "oov_token",
    },
}
_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}
#: Numbers that some versions wrote as arrays.
_NUMBERS = {
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "LeakyReLU": ("negative_slope",),
    "ELU": ("alpha",),
}
#: Arguments that Keras 3 lacks -> the values with which they did nothing.
_DID_NOTHING: dict[str, tuple[Any, ...]] = {
    "causal": (False, None),
    "groups": (1, None),
    "time_major": (False, None),
    "noise_shape": (None,),
    "num_constants": (0, None),
}
#: Arguments that Keras 3 lacks, and that never changed what a layer computes.
_SAYS_NOTHING = (
    "adjustment batch_input_shape batch_shape batch_size dynamic filters fused "
    "has_input_vocabulary implementation input_dim input_dtype input_length "
    "input_shape kernel_constraint kernel_initializer kernel_regularizer key_shape "
    "query_shape rng_type robust_masking softmax_robust_masking sparse trainable "
    "value_shape virtual_batch_size"
)
#: Classes whose names were used for custom layers before Keras had them.
_HOMEMADE = (
    "AdditiveAttention Attention EinsumDense GroupNormalization LayerNormalization "
    "MultiHeadAttention SpectralNormalization UnitNormalization"
)
#: Release that no longer resizes where it does not train.
_CROPS = (3, 6)
_KEPT = ("name", "trainable", "dtype", "height", "width", "data_format")


@layer_rule(
    "random_crop",
    "RandomCrop → Resizing, which is what it does outside training",
    "RandomCrop",
)
def resize_instead(entry: Entry, context: Context) -> None:
    """Keep what a RandomCrop makes of an image at inference, up to Keras 3.5.

    It crops to the stated proportions and resizes; that of Keras 3.8 on leaves the
    image as it is, so that the layers behind it get another shape.
    """
    if not context.is_old(entry) and not (3,) <= context.origin.version < _CROPS:
        return
    become(entry, "Resizing")
    config = config_of(entry)
    kept = {key: config[key] for key in _KEPT if key in config}
    entry["config"] = {
        **kept,
        "interpolation": "bilinear",
        "crop_to_aspect_ratio": True,
    }
    text = (
        "RandomCrop → Resizing, which does the same at inference; in training it no "
        "longer crops at random"
    )
    context.repaired(entry, text, caution=True)


@layer_rule(
    "arguments",
    "Arguments that have another name in Keras 3, or that it no longer takes",
    old=True,
)
def name_arguments(entry: Entry, context: Context) -> None:
    """Bring a layer's config to the arguments of its class in Keras 3."""
    class_name, config = str(entry["class_name"]), config_of(entry)
    taken = known.taken(class_name)
    if taken is None:
        return
    if class_name in _HOMEMADE.split() and not _is_keras_own(set(config) - taken):
        _leave(entry, context)
        return
    for key in [key for key in config if class_name != "Lambda"]:
        config[key] = _plain(config[key])
    for old, new in _ARGUMENTS.get(class_name, {}).items():
        if old in config:
            config.setdefault(new, config.pop(old))
            config.pop(old, None)
            context.repaired(entry, f"{old} → {new}")
    for key in _NUMBERS.get(class_name, ()):
        if key in config:
            config[key] = _number(config[key])
    mode = config.get("output_mode")
    if isinstance(mode, str) and mode in _MODES:
        config["output_mode"] = _MODES[mode]
        context.repaired(entry, f"output_mode {mode} → {_MODES[mode]}")
    _leave_out(entry, context, [key for key in config if key not in taken])


def _is_keras_own(strange: set[str]) -> bool:
    return strange <= {*_SAYS_NOTHING.split(), *_DID_NOTHING}


def _leave(entry: Entry, context: Context) -> None:
    """Take an entry for a custom layer of the same name."""
    entry["module"] = CUSTOM
    entry["registered_name"] = entry["class_name"]
    context.repaired(
        entry,
        f"class {entry['class_name']} is treated as a custom class: its arguments are "
        "not those of Keras",
        caution=True,
    )


def _leave_out(entry: Entry, context: Context, keys: list[str]) -> None:
    config, quiet = entry["config"], []
    for key in keys:
        value = config.pop(key)
        nothing = _DID_NOTHING.get(key)
        if nothing is not None and value not in nothing:
            raise context.refuse(
                entry,
                f"{key}={value!r} of a {entry['class_name']}, which Keras 3 lacks",
                "Build that part in another way, and save the model again",
            )
        if nothing is not None or key in _SAYS_NOTHING.split():
            quiet.append(key)
        else:
            text = f"{key}={_short(value)} left out, which Keras 3 does not know"
            context.repaired(entry, text, caution=True)
    if quiet:
        context.repaired(entry, f"{', '.join(quiet)} left out")


@layer_rule(
    "axis", "BatchNormalization: a list with one axis → the axis", "BatchNormalization"
)
def one_axis(entry: Entry, context: Context) -> None:
    """Take the axis of a BatchNormalization out of its list."""
    config = config_of(entry)
    axis = config.get("axis")
    if not isinstance(axis, list):
        return
    if len(axis) != 1:
        raise context.refuse(
            entry,
            f"a BatchNormalization of {len(axis)} axes, where Keras 3 takes one",
            "Reshape its input so that one axis is enough, and save the model again",
        )
    config["axis"] = axis[0]
    context.repaired(entry, f"axis {axis} → {axis[0]}")


@layer_rule(
    "build_config", "Shapes with which Keras 3 could not build a layer", old=True
)
def build_shapes(entry: Entry, _: Context) -> None:
    """Leave out what Keras 2 wrote to build a layer that Keras 3 builds by calls."""
    build = entry.get("build_config")
    if build is None or is_model(entry):
        return
    shape = build.get("input_shape") if isinstance(build, dict) else None
    plain = isinstance(shape, list) and all(
        length is None or isinstance(length, int) for length in shape
    )
    if not plain or entry["class_name"] in ("MultiHeadAttention", "InputLayer"):
        del entry["build_config"]


def _plain(value: Any) -> Any:
    """Numbers of NumPy as plain ones, however deep they lie."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__numpy__", "__tensor__"):
        return config_of(value).get("value")
    if value.get("type") == "ndarray" and "value" in value:
        return value["value"]
    return value


def _number(value: Any) -> Any:
    """A number out of an array of one."""
    value = _plain(value)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004
