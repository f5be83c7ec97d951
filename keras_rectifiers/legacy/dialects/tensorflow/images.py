"""What TensorFlow's functions are in Keras 3: images, pooling, convolution."""

from __future__ import annotations

import math
from functools import partial
from operator import methodcaller
from typing import Any

from keras_rectifiers.graph.document import snake_case
from keras_rectifiers.legacy.dialects.tensorflow.values import Arguments
from keras_rectifiers.legacy.dialects.tensorflow.values import NamedTensor
from keras_rectifiers.legacy.dialects.tensorflow.values import Op
from keras_rectifiers.legacy.dialects.tensorflow.values import UnknownOperationError
from keras_rectifiers.legacy.dialects.tensorflow.values import is_whole
from keras_rectifiers.legacy.dialects.tensorflow.values import operation
from keras_rectifiers.legacy.dialects.tensorflow.values import recipe

_DYNAMIC = "lengths that are known only at run time"
_CHANNELS_LAST = ("NHWC", "NWC", "NDHWC", "N...C")


@recipe("image.resize")
def _resize(call: Arguments) -> Op:
    method = call.get("method", default="bilinear")
    call.require("preserve_aspect_ratio", False)
    if method not in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        raise UnknownOperationError(f"a resize by {method!r}")
    size = call.get("size")
    if not isinstance(size, list) or not all(is_whole(each) for each in size):
        raise UnknownOperationError(f"a resize to {_DYNAMIC}")
    antialias = bool(call.get("antialias"))
    return _resized(call.tensor(), size, method, antialias=antialias)


def _resize_old(method: str, call: Arguments) -> Op:
    """Resizing of TensorFlow 1, which by default aligned images at their corner."""
    x, size = call.tensor(), call.get("size")
    if not isinstance(size, list) or not all(is_whole(each) for each in size):
        raise UnknownOperationError(f"a resize to {_DYNAMIC}")
    multiple = x.shape is not None and all(
        before is not None and after % before == 0
        for before, after in zip(x.shape[1:3], size, strict=True)
    )
    same_grid = method == "nearest" and multiple and not call.get("align_corners")
    if not call.get("half_pixel_centers") and not same_grid:
        raise UnknownOperationError("a resize with the grid of TensorFlow 1")
    return _resized(x, size, method, antialias=False)


def _resized(x: NamedTensor, size: list[int], method: str, *, antialias: bool) -> Op:
    config = {
        "size": size,
        "interpolation": method,
        "antialias": antialias,
        "crop_to_aspect_ratio": False,
        "pad_to_aspect_ratio": False,
        "fill_mode": "constant",
        "fill_value": 0.0,
        "data_format": "channels_last",
    }
    resized = Op("Resize", (x,), config, "image")
    if method != "nearest" and x.dtype != "float32":
        return Op("Cast", (resized,), {"dtype": "float32"}, "core")
    return resized


@recipe("image.per_image_standardization")
def _standardization(call: Arguments) -> Op:
    shape = call.tensor().shape
    if shape is None or len(shape) < 3 or None in shape[-3:]:  # noqa: PLR2004
        raise UnknownOperationError("images of unknown size")
    size = math.prod(int(each or 0) for each in shape[-3:])
    config = {"axis": [-1, -2, -3], "keepdims": True}
    centered = Op("Subtract", (call.tensor(), Op("Mean", (call.tensor(),), config)))
    spread = Op("Maximum", (Op("Std", (call.tensor(),), config), size**-0.5))
    return Op("Divide", (centered, spread))


def _pooled(class_name: str, call: Arguments) -> Op:
    call.require("data_format", *_CHANNELS_LAST)
    rank = len(call.tensor().shape or ())
    if rank < 3:  # noqa: PLR2004
        raise UnknownOperationError("pooling of a tensor of unknown rank")
    config = {
        "pool_size": _square(_window(call.get("ksize", "pool_size"), rank)),
        "strides": _square(_window(call.get("strides"), rank)),
        "padding": _padding(call),
        "data_format": "channels_last",
    }
    return Op(class_name, (call.tensor(),), config, "nn")


def _square(sizes: list[int]) -> int | list[int]:
    """One number for equal sizes: on JAX, Keras 3 opens a list, but fails to run it."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _window(value: Any, rank: int) -> list[int]:
    """Sizes along the inner axes, from one number, those, or all axes."""
    sizes = value if isinstance(value, list) else [value]
    if len(sizes) == 1:
        sizes = sizes * (rank - 2)
    elif len(sizes) == rank:
        if sizes[0] != 1 or sizes[-1] != 1:
            raise UnknownOperationError("a window over examples or channels")
        sizes = sizes[1:-1]
    if len(sizes) != rank - 2 or not all(is_whole(size) for size in sizes):
        raise UnknownOperationError(f"a window of {value!r}")
    return list(sizes)


def _padding(call: Arguments) -> str:
    padding = str(call.get("padding", default="VALID")).lower()
    if padding not in ("same", "valid"):
        raise UnknownOperationError("padding by numbers")
    return padding


def _convolved(class_name: str, call: Arguments) -> Op:
    call.require("data_format", *_CHANNELS_LAST)
    rank = len(call.tensor().shape or ())
    if rank < 3:  # noqa: PLR2004
        raise UnknownOperationError("convolution of a tensor of unknown rank")
    strides = _window(call.get("strides", "stride", default=1), rank)
    rates = _window(call.get("dilations", "dilation_rate", "rate", default=1), rank)
    config = {
        "strides": _square(strides),
        "padding": _padding(call),
        "data_format": "channels_last",
        "dilation_rate": _square(rates),
    }
    kernel = call.get("filters", "filter")
    return Op(class_name, (call.tensor(), kernel), config, "nn")


_FORMAT = {"data_format": "channels_last"}
for _class in ("DepthToSpace", "SpaceToDepth"):
    operation(
        snake_case(_class),
        _class,
        "nn",
        {"block_size": methodcaller("whole", "block_size"), **_FORMAT},
        require={"data_format": _CHANNELS_LAST},
    )
operation("image.rgb_to_grayscale", "RGBToGrayscale", "image", _FORMAT)
operation("image.flip_left_right", "Flip", config={"axis": -2})
operation("image.flip_up_down", "Flip", config={"axis": -3})

recipe("image.resize_nearest_neighbor")(partial(_resize_old, "nearest"))
recipe("image.resize_bilinear")(partial(_resize_old, "bilinear"))
for _short, _class in {"max": "MaxPool", "avg": "AveragePool"}.items():
    for _rank in ("", "1d", "2d", "3d"):
        recipe(f"{_short}_pool{_rank}")(partial(_pooled, _class))
recipe("conv1d", "conv2d", "conv3d", "convolution")(partial(_convolved, "Conv"))
recipe("depthwise_conv2d", "depthwise_conv2d_native")(
    partial(_convolved, "DepthwiseConv")
)
