"""Which TensorFlow function an entry calls, and with which arguments.

TF-Keras names the function (`TFOpLambda`); before TensorFlow 2.4 it kept the node
of the graph (`TensorFlowOpLayer`), whose operation is named and called in another
way. Both are read into one form.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects.tensorflow import images  # noqa: F401
from keras_rectifiers.legacy.dialects.tensorflow import shapes  # noqa: F401
from keras_rectifiers.legacy.dialects.tensorflow import table  # noqa: F401
from keras_rectifiers.legacy.dialects.tensorflow.binary import node_from_text
from keras_rectifiers.legacy.dialects.tensorflow.values import RECIPES
from keras_rectifiers.legacy.dialects.tensorflow.values import Arguments
from keras_rectifiers.legacy.dialects.tensorflow.values import Recipe
from keras_rectifiers.legacy.dialects.tensorflow.values import UnknownOperationError

#: Modules whose functions go by their own names: `tf.nn.relu` is `relu`.
_PLAIN_MODULES = ("compat.v1.", "math.", "nn.", "linalg.", "__operators__.", "v1.")
#: What is said of functions that can never be carried over.
_LOST = {
    "einsum": "whose operands TF-Keras did not save",
    "dropout": "which drops values at random even when it predicts",
}
_ONE = ("x",)
_TWO = ("x", "y")

#: Operations of a graph that go by the name of their function.
_SAME_NAME = (
    *("Expm1", "Rint", "Erfc", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh"),
    *("Acosh", "Atanh"),
)
#: Operation of a TensorFlow graph -> the function, and its operands in order.
_GRAPH: dict[str, tuple[str, tuple[str, ...]]] = {
    "AddV2": ("add", _TWO),
    "Add": ("add", _TWO),
    "Sub": ("subtract", _TWO),
    "Mul": ("multiply", _TWO),
    "RealDiv": ("truediv", _TWO),
    "Div": ("divide", _TWO),
    "DivNoNan": ("divide_no_nan", _TWO),
    "FloorDiv": ("floordiv", _TWO),
    "FloorMod": ("mod", _TWO),
    "Pow": ("pow", _TWO),
    "Maximum": ("maximum", _TWO),
    "Minimum": ("minimum", _TWO),
    "BiasAdd": ("bias_add", ("x", "bias")),
    "SquaredDifference": ("squared_difference", _TWO),
    "Greater": ("greater", _TWO),
    "GreaterEqual": ("greater_equal", _TWO),
    "Less": ("less", _TWO),
    "LessEqual": ("less_equal", _TWO),
    "Equal": ("equal", _TWO),
    "NotEqual": ("not_equal", _TWO),
    "LogicalAnd": ("logical_and", _TWO),
    "LogicalOr": ("logical_or", _TWO),
    "LogicalNot": ("logical_not", _ONE),
    "Neg": ("negative", _ONE),
    "Abs": ("abs", _ONE),
    "Sign": ("sign", _ONE),
    "Exp": ("exp", _ONE),
    "Log": ("log", _ONE),
    "Log1p": ("log1p", _ONE),
    "Sqrt": ("sqrt", _ONE),
    "Rsqrt": ("rsqrt", _ONE),
    **{name: (name.lower(), _ONE) for name in _SAME_NAME},
    "IsNan": ("is_nan", _ONE),
    "IsInf": ("is_inf", _ONE),
    "IsFinite": ("is_finite", _ONE),
    "Atan2": ("atan2", ("y", "x")),
    "Roll": ("roll", ("x", "shift", "axis")),
    "OneHot": ("one_hot", ("x", "depth", "on_value", "off_value")),
    "MatrixDiagPart": ("diag_part", _ONE),
    "MatrixDiagPartV2": ("diag_part", ("x", "k")),
    "MatrixDiagPartV3": ("diag_part", ("x", "k")),
    "Slice": ("slice", ("x", "begin", "size")),
    "Square": ("square", _ONE),
    "Erf": ("erf", _ONE),
    "Reciprocal": ("reciprocal", _ONE),
    "Inv": ("reciprocal", _ONE),
    "Floor": ("floor", _ONE),
    "Ceil": ("ceil", _ONE),
    "Round": ("round", _ONE),
    "Sin": ("sin", _ONE),
    "Cos": ("cos", _ONE),
    "Tan": ("tan", _ONE),
    "Relu": ("relu", _ONE),
    "Relu6": ("relu6", _ONE),
    "Elu": ("elu", _ONE),
    "Selu": ("selu", _ONE),
    "LeakyRelu": ("leaky_relu", _ONE),
    "Sigmoid": ("sigmoid", _ONE),
    "Tanh": ("tanh", _ONE),
    "Softplus": ("softplus", _ONE),
    "Softsign": ("softsign", _ONE),
    "Softmax": ("softmax", _ONE),
    "LogSoftmax": ("log_softmax", _ONE),
    "Identity": ("identity", _ONE),
    "StopGradient": ("stop_gradient", _ONE),
    "Mean": ("reduce_mean", ("x", "axis")),
    "Sum": ("reduce_sum", ("x", "axis")),
    "Max": ("reduce_max", ("x", "axis")),
    "Min": ("reduce_min", ("x", "axis")),
    "Prod": ("reduce_prod", ("x", "axis")),
    "Any": ("reduce_any", ("x", "axis")),
    "All": ("reduce_all", ("x", "axis")),
    "ArgMax": ("argmax", ("x", "axis")),
    "ArgMin": ("argmin", ("x", "axis")),
    "Cumsum": ("cumsum", ("x", "axis")),
    "MatMul": ("matmul", ("x", "b")),
    "BatchMatMul": ("matmul", ("x", "b")),
    "BatchMatMulV2": ("matmul", ("x", "b")),
    "Select": ("where", ("c", "x", "y")),
    "SelectV2": ("where", ("c", "x", "y")),
    "ClipByValue": ("clip_by_value", ("x", "clip_value_min", "clip_value_max")),
    "Cast": ("cast", _ONE),
    "Shape": ("shape", _ONE),
    "Reshape": ("reshape", ("x", "shape")),
    "Tile": ("tile", ("x", "multiples")),
    "ExpandDims": ("expand_dims", ("x", "axis")),
    "Squeeze": ("squeeze", _ONE),
    "Transpose": ("transpose", ("x", "perm")),
    "Pad": ("pad", ("x", "paddings")),
    "MirrorPad": ("pad", ("x", "paddings")),
    "PadV2": ("pad", ("x", "paddings", "constant_values")),
    "GatherV2": ("gather", ("x", "indices", "axis")),
    "Gather": ("gather", ("x", "indices")),
    "StridedSlice": ("getitem", ("x", "begin", "end", "strides")),
    "Unpack": ("unstack", _ONE),
    "ReverseV2": ("reverse", ("x", "axis")),
    "ZerosLike": ("zeros_like", _ONE),
    "OnesLike": ("ones_like", _ONE),
    "BroadcastTo": ("broadcast_to", ("x", "shape")),
    "DepthToSpace": ("depth_to_space", _ONE),
    "SpaceToDepth": ("space_to_depth", _ONE),
    "MaxPool": ("max_pool", _ONE),
    "AvgPool": ("avg_pool", _ONE),
    "Conv2D": ("conv2d", ("x", "filters")),
    "DepthwiseConv2dNative": ("depthwise_conv2d", ("x", "filters")),
    "ResizeNearestNeighbor": ("image.resize_nearest_neighbor", ("x", "size")),
    "ResizeBilinear": ("image.resize_bilinear", ("x", "size")),
    "TopKV2": ("top_k", ("x", "k")),
}
#: Operations that take a list: the operand behind it, or None.
_LISTS = {
    "ConcatV2": ("concat", "axis"),
    "Pack": ("stack", None),
    "AddN": ("add_n", None),
    "IdentityN": ("identity_n", None),
    "Einsum": ("graph_einsum", None),
}
_NUMBER_TYPES = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_BFLOAT16": "bfloat16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_BOOL": "bool",
}
#: Attribute of a graph's node -> the argument of the function.
_ATTRIBUTES = {
    "keep_dims": "keepdims",
    "squeeze_dims": "axis",
    "DstT": "dtype",
    "adj_x": "transpose_a",
    "adj_y": "transpose_b",
    "T": "",
    "Tidx": "",
}


def read_call(entry: Entry, args: Any, kwargs: Any) -> tuple[str, Recipe, Arguments]:
    """The function that an entry calls, how Keras 3 computes it, its arguments.

    Args:
        entry: An entry of one of TF-Keras' classes for functions.
        args: Its positional arguments, with tensors as `Tensor`.
        kwargs: Its named arguments.

    Raises:
        UnknownOperationError: There is no recipe for this function.
    """
    config, class_name = config_of(entry), entry["class_name"]
    first = args[0] if args else None
    if class_name == "TensorFlowOpLayer":
        function, call = _graph_call(config, first)
    elif class_name in ("TFOpLambda", "SlicingOpLambda"):
        function, call = str(config.get("function")), Arguments(first, dict(kwargs))
    else:
        raise UnknownOperationError(f"a {class_name}, made from a Python object")
    short = _short_name(function)
    if short in _LOST:
        raise UnknownOperationError(_LOST[short])
    if short not in RECIPES:
        raise UnknownOperationError("")
    return function, RECIPES[short], call


def _short_name(function: str) -> str:
    short = function.removeprefix("tf.")
    for module in _PLAIN_MODULES:
        short = short.removeprefix(module)
    return short


def _graph_call(config: dict[str, Any], first: Any) -> tuple[str, Arguments]:
    """The call that a node of a TensorFlow graph makes."""
    node = config.get("node_def")
    if isinstance(node, str):
        node = json.loads(node) if node.startswith("{") else node_from_text(node)
    if not isinstance(node, dict):
        raise UnknownOperationError("without its node of the graph")
    operation = str(node.get("op"))
    operands = _operands(config.get("constants"), first)
    named = _attributes(node.get("attr"))
    if operation in _LISTS:
        function, last = _LISTS[operation]
        if last is not None:
            named[last] = operands.pop()
        return function, Arguments(operands, named)
    if operation in ("Split", "SplitV"):
        return "split", _split_call(operation, operands, named)
    if operation not in _GRAPH:
        raise UnknownOperationError(f"{operation!r}")
    function, names = _GRAPH[operation]
    named.update(zip(names[1:], operands[1:], strict=False))
    if operation == "StridedSlice":
        named["slice_spec"] = _slices(named)
    return function, Arguments(operands[0], named)


def _operands(constants: Any, first: Any) -> list[Any]:
    """All operands in order: the tensors, and the constants at their places."""
    tensors = list(first) if isinstance(first, list) else [first]
    fixed = {}
    if isinstance(constants, dict):
        fixed = {int(key): _plain(value) for key, value in constants.items()}
    total = len(tensors) + len(fixed)
    if any(not 0 <= index < total for index in fixed):
        raise UnknownOperationError("with constants at impossible places")
    rest = iter(tensors)
    return [fixed[i] if i in fixed else next(rest) for i in range(total)]


def _plain(constant: Any) -> Any:
    """A constant as numbers in lists, also from a late version of TF-Keras."""
    if isinstance(constant, dict) and constant.get("class_name") == "__numpy__":
        return config_of(constant).get("value")
    return constant


def _split_call(
    operation: str, operands: list[Any], named: dict[str, Any]
) -> Arguments:
    if operation == "Split":
        axis, value = operands
        return Arguments(
            value, {"axis": axis, "num_or_size_splits": named.get("num_split")}
        )
    value, sizes, axis = operands
    return Arguments(value, {"axis": axis, "num_or_size_splits": sizes})


def _attributes(attributes: Any) -> dict[str, Any]:
    if not isinstance(attributes, dict):
        return {}
    named = {str(_ATTRIBUTES.get(key, key)): _value(v) for key, v in attributes.items()}
    named.pop("", None)
    return {key: value for key, value in named.items() if value is not None}


def _value(attribute: Any) -> Any:
    """The value of an attribute, as protocol buffers write it in JSON."""
    if not isinstance(attribute, dict) or len(attribute) != 1:
        return None
    ((kind, value),) = attribute.items()
    if kind == "i":
        return int(value)
    if kind == "type":
        return _NUMBER_TYPES.get(value)
    if kind == "s":
        try:
            return base64.b64decode(value).decode("utf-8", "replace")
        except (binascii.Error, TypeError, ValueError):
            return None
    if kind == "list":
        return [int(each) for each in value.get("i", [])]
    return value if kind in ("b", "f") else None


def _slices(named: dict[str, Any]) -> list[Any]:
    """What a slice of a graph selects, as it is written in Python."""
    bounds_by_kind = [named.get(each) for each in ("begin", "end", "strides")]
    lists = [each for each in bounds_by_kind if isinstance(each, list)]
    if len(lists) < len(bounds_by_kind):
        raise UnknownOperationError("a slice that is computed")
    spec: list[Any] = []
    for place, bounds in enumerate(zip(*lists, strict=True)):
        if _bit(named, "ellipsis_mask", place):
            spec.append({"class_name": "__ellipsis__"})
        elif _bit(named, "new_axis_mask", place):
            spec.append(None)
        elif _bit(named, "shrink_axis_mask", place):
            spec.append(bounds[0])
        else:
            spec.append(
                {
                    "start": None if _bit(named, "begin_mask", place) else bounds[0],
                    "stop": None if _bit(named, "end_mask", place) else bounds[1],
                    "step": bounds[2],
                }
            )
    return spec


def _bit(named: dict[str, Any], mask: str, place: int) -> bool:
    value = named.get(mask, 0)
    return isinstance(value, int) and bool(value >> place & 1)
