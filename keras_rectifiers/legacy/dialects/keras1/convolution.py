"""Convolutions, pooling and what else works on images in Keras 1."""

from __future__ import annotations

import copy
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects.keras1.names import RECURRENT
from keras_rectifiers.legacy.dialects.keras1.names import SIDES
from keras_rectifiers.legacy.dialects.keras1.names import Form
from keras_rectifiers.legacy.dialects.keras1.names import as_list
from keras_rectifiers.legacy.dialects.keras1.names import entries_in
from keras_rectifiers.legacy.dialects.keras1.names import rename
from keras_rectifiers.legacy.dialects.keras1.names import same
from keras_rectifiers.legacy.dialects.keras1.names import written_by_keras_1
from keras_rectifiers.legacy.dialects.keras1.rules import unit_forget_bias
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

_CONVOLUTION = Form(
    {
        **dict.fromkeys(("Convolution1D", "AtrousConvolution1D"), "Conv1D"),
        **dict.fromkeys(("Convolution2D", "AtrousConvolution2D"), "Conv2D"),
        "Convolution3D": "Conv3D",
        **dict.fromkeys(("Deconvolution2D", "Deconv2D"), "Conv2DTranspose"),
        "SeparableConvolution2D": "SeparableConv2D",
        **same("Conv1D", "Conv2D", "Conv3D", "ConvLSTM2D", "SeparableConv2D"),
        "AtrousConv1D": "Conv1D",
        "AtrousConv2D": "Conv2D",
        **same("LocallyConnected1D", "LocallyConnected2D"),
    },
    {
        "nb_filter": "filters",
        "filter_length": "kernel_size",
        "subsample": "strides",
        "subsample_length": "strides",
        "atrous_rate": "dilation_rate",
        **RECURRENT,
    },
    frozenset({"nb_filter", "border_mode", "dim_ordering", "nb_row"}),
)
_POOLING = Form(
    same(
        *(
            f"{kind}Pooling{rank}D"
            for kind in ("Max", "Average", "GlobalMax", "GlobalAverage")
            for rank in (1, 2, 3)
        )
    ),
    {"pool_length": "pool_size", "stride": "strides"},
    frozenset({"border_mode", "dim_ordering", "pool_length"}),
)
_PADDING = Form(
    same(
        *(
            f"{kind}{rank}D"
            for kind in ("ZeroPadding", "Cropping", "UpSampling")
            for rank in (1, 2, 3)
        )
    ),
    {"length": "size"},
    frozenset({"length", "dim_ordering", "input_dtype"}),
)
#: Where Keras 1 did not write down which axis holds the channels.
_SILENT = frozenset(
    f"{kind}{rank}D"
    for kind in ("ZeroPadding", "Cropping", "UpSampling", "SpatialDropout")
    for rank in (2, 3)
)
#: The same for padding of one and two axes, side by side.
_SIDE_NAMES = {
    "ZeroPadding1D": ("left_pad", "right_pad"),
    "ZeroPadding2D": ("top_pad", "bottom_pad", "left_pad", "right_pad"),
}


@entry_rule("keras1_data_format", "Layers that do not state the channel axis")
def data_format(entry: Entry, context: Context) -> None:
    """Give silent layers the ordering of the others in the model.

    Keras 1 took it from the machine's own settings, which are not in the file.
    """
    if entry[WAS]["path"]:  # only once, from the top of the document
        return
    silent, stated = [], set()
    for each in entries_in(entry):
        config = config_of(each)
        if "dim_ordering" in config:
            stated.add(config["dim_ordering"])
        elif each.get("class_name") in _SILENT and "data_format" not in config:
            silent.append(each)
    stated.discard("default")
    if not stated or not silent:
        return
    if not written_by_keras_1(silent[0], context, frozenset({"trainable", "name"})):
        return
    ordering = "th" if "th" in stated else "tf"
    for each in silent:
        config_of(each)["dim_ordering"] = ordering
        text = f"no ordering → {ordering}, as in the other layers"
        context.repaired(each, text, caution=len(stated) > 1)


@entry_rule("keras1_convolution", "Convolution…: `nb_filter`, `nb_row`, `subsample` …")
def convolution(entry: Entry, context: Context) -> None:
    """Convolutions of every kind."""
    if not _CONVOLUTION.has(entry, context):
        return
    config, old_class = config_of(entry), entry["class_name"]
    for sides in SIDES:
        if all(side in config for side in sides):
            config.setdefault("kernel_size", [config.pop(side) for side in sides])
    unit_forget_bias(config)
    if config.pop("output_shape", None) is not None:
        text = "output_shape was left out: it follows from the other arguments"
        context.repaired(entry, text, caution=True)
    rename(entry, context, _CONVOLUTION)
    if entry["class_name"] == "SeparableConv2D" and "kernel_initializer" in config:
        initializer = config.pop("kernel_initializer")
        for part in ("depthwise", "pointwise"):
            config.setdefault(f"{part}_initializer", copy.deepcopy(initializer))
    for key in ("kernel_size", "strides", "dilation_rate"):
        if key in config:
            config[key] = as_list(config[key])
    conversion = _conversion(entry["class_name"], config)
    if conversion:
        context.convert_weights(entry, conversion)
        context.repaired(entry, f"weights of {old_class} → the form of Keras 3")


def _conversion(class_name: str, config: dict[str, Any]) -> str:
    """Name of what brings the weights of Keras 1 into Keras 3's order."""
    first = config.get("data_format") == "channels_first"
    if class_name == "Conv1D":
        return "keras1_conv1d"
    if class_name in ("Conv2DTranspose", "ConvLSTM2D"):
        return f"keras1_{class_name.lower()}_{'th' if first else 'tf'}"
    if class_name in ("Conv2D", "Conv3D", "SeparableConv2D") and first:
        return f"keras1_{class_name.lower()}_th"
    return ""


@entry_rule("keras1_pooling", "Pooling: `pool_length`, `stride`, `border_mode` …")
def pooling(entry: Entry, context: Context) -> None:
    """Pooling of every kind."""
    if not _POOLING.has(entry, context):
        return
    rename(entry, context, _POOLING)
    config = config_of(entry)
    for key in ("pool_size", "strides"):
        if isinstance(config.get(key), int | list | tuple):
            config[key] = as_list(config[key])


@entry_rule("keras1_padding", "ZeroPadding, UpSampling …: `length`, pads by name")
def padding(entry: Entry, context: Context) -> None:
    """Layers that add or take away rows and columns."""
    if not _PADDING.has(entry, context) and not _is_by_side(entry):
        return
    rename(entry, context, _PADDING)
    config, class_name = config_of(entry), entry["class_name"]
    names = _SIDE_NAMES.get(class_name)
    value = config.get("padding")
    if names is None:
        return
    if isinstance(value, dict):
        value = [value.get(name, 0) for name in names]
        context.repaired(entry, "padding by name → by axis")
    if isinstance(value, list) and len(value) == len(names):
        config["padding"] = value if len(names) == 2 else [value[:2], value[2:]]  # noqa: PLR2004


def _is_by_side(entry: Entry) -> bool:
    """Whether padding is written as only Keras 1 wrote it."""
    value = config_of(entry).get("padding")
    four = isinstance(value, list) and len(value) == 4  # noqa: PLR2004
    return entry.get("class_name") in _SIDE_NAMES and (isinstance(value, dict) or four)
