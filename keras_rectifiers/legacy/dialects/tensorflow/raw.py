"""Which TensorFlow function an entry calls, and with which arguments.

TF-Keras names the function (`TFOpLambda`); before TensorFlow 2.4 it kept the node
of the graph (`TensorFlowOpLayer`), whose operation is named and called in another
way. Both are read into one form.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import snake_case
from keras_rectifiers.legacy.containers.savedmodel.wire import Message
from keras_rectifiers.legacy.dialects.tensorflow import images  # noqa: F401
from keras_rectifiers.legacy.dialects.tensorflow import shapes  # noqa: F401
from keras_rectifiers.legacy.dialects.tensorflow import table  # noqa: F401
from keras_rectifiers.legacy.dialects.tensorflow.values import RECIPES
from keras_rectifiers.legacy.dialects.tensorflow.values import Arguments
from keras_rectifiers.legacy.dialects.tensorflow.values import Recipe
from keras_rectifiers.legacy.dialects.tensorflow.values import UnknownOperationError

#: Modules whose functions go by their own names: `tf.nn.relu` is `relu`.
_PLAIN_MODULES = ("compat.v1.", "math.", "nn.", "linalg.", "__operators__.", "v1.")
#: Messages for functions that can never be converted.
_LOST = {
    "einsum": "whose operands TF-Keras did not save",
    "dropout": "which drops values at random even in prediction",
}
#: Operands in order -> operations of a TensorFlow graph with these: each does what the
#: function of the same name in snake case does, or the one behind `=`.
_OPERATIONS = {
    "x": (
        "LogicalNot Neg=negative Abs Sign Exp Log Log1p Sqrt Rsqrt Expm1 Rint Erfc "
        "Asin Acos Atan Sinh Cosh Asinh Acosh Atanh IsNan IsInf IsFinite "
        "MatrixDiagPart=diag_part Square Erf Reciprocal Inv=reciprocal Floor Ceil "
        "Round Sin Cos Tan Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh Softplus "
        "Softsign Softmax LogSoftmax Identity StopGradient Cast Shape Squeeze "
        "Unpack=unstack ZerosLike OnesLike DepthToSpace SpaceToDepth MaxPool AvgPool"
    ),
    "x y": (
        "AddV2=add Add Sub=subtract Mul=multiply RealDiv=truediv Div=divide "
        "DivNoNan=divide_no_nan FloorDiv=floordiv FloorMod=mod Pow Maximum Minimum "
        "SquaredDifference Greater GreaterEqual Less LessEqual Equal NotEqual "
        "LogicalAnd LogicalOr"
    ),
    "x axis": (
        "Mean=reduce_mean Sum=reduce_sum Max=reduce_max Min=reduce_min "
        "Prod=reduce_prod Any=reduce_any All=reduce_all ArgMax=argmax ArgMin=argmin "
        "Cumsum ExpandDims ReverseV2=reverse"
    ),
    "x b": "MatMul=matmul BatchMatMul=matmul BatchMatMulV2=matmul",
    "x bias": "BiasAdd",
    "y x": "Atan2",
    "x shift axis": "Roll",
    "x depth on_value off_value": "OneHot",
    "x k": "MatrixDiagPartV2=diag_part MatrixDiagPartV3=diag_part TopKV2=top_k",
    "x begin size": "Slice",
    "c x y": "Select=where SelectV2=where",
    "x clip_value_min clip_value_max": "ClipByValue",
    "x shape": "Reshape BroadcastTo",
    "x multiples": "Tile",
    "x perm": "Transpose",
    "x paddings": "Pad MirrorPad=pad",
    "x paddings constant_values": "PadV2=pad",
    "x indices axis": "GatherV2=gather",
    "x indices": "Gather",
    "x begin end strides": "StridedSlice=getitem",
    "x filters": "Conv2D DepthwiseConv2dNative=depthwise_conv2d",
    "x size": (
        "ResizeNearestNeighbor=image.resize_nearest_neighbor "
        "ResizeBilinear=image.resize_bilinear"
    ),
}
#: Operation of a TensorFlow graph -> the function, and its operands in order.
_GRAPH: dict[str, tuple[str, tuple[str, ...]]] = {
    name: (function or snake_case(name), tuple(operands.split()))
    for operands, operations in _OPERATIONS.items()
    for name, _, function in (each.partition("=") for each in operations.split())
}
#: Operations that take a list: the operand behind it, or None.
_LISTS = {
    "ConcatV2": ("concat", "axis"),
    "Pack": ("stack", None),
    "AddN": ("add_n", None),
    "IdentityN": ("identity_n", None),
    "Einsum": ("graph_einsum", None),
}
_NAMED = ("bfloat16", "int32", "int64", "uint8", "int8", "int16", "bool")
_NUMBER_TYPES = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    **{f"DT_{name.upper()}": name for name in _NAMED},
}
#: Fields of a NodeDef, of one entry in its map, and of an AttrValue.
_NODE_OPERATION, _NODE_ATTRIBUTES = 2, 5
_KEY, _VALUE = 1, 2
_LIST, _TEXT, _INTEGER, _FLOAT, _FLAG, _TYPE = 1, 2, 3, 4, 5, 6
#: Numbers of TensorFlow's types.
_DT = {
    1: "DT_FLOAT",
    2: "DT_DOUBLE",
    3: "DT_INT32",
    4: "DT_UINT8",
    5: "DT_INT16",
    6: "DT_INT8",
    9: "DT_INT64",
    10: "DT_BOOL",
    14: "DT_BFLOAT16",
    19: "DT_HALF",
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
        node = json.loads(node) if node.startswith("{") else _node_from_text(node)
    if not isinstance(node, dict):
        raise UnknownOperationError("without its graph node")
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


def _node_from_text(text: str) -> dict[str, Any]:
    """A node from its bytes, which TensorFlow 2.1 wrote as text, as JSON has it."""
    node = Message(text.encode("utf-8"))
    attributes = {
        entry.text(_KEY): _attribute_of(entry.message(_VALUE))
        for entry in node.messages(_NODE_ATTRIBUTES)
    }
    return {"op": node.text(_NODE_OPERATION), "attr": attributes}


def _attribute_of(value: Message) -> dict[str, Any]:
    """The one field of an attribute that is set; nothing for other kinds."""
    number = value.fixed32(_FLOAT)
    if number is not None:
        return {"f": struct.unpack("<f", struct.pack("<I", number))[0]}
    if value.numbers(_INTEGER):
        return {"i": str(value.number(_INTEGER))}
    if value.numbers(_FLAG):
        return {"b": bool(value.number(_FLAG))}
    if value.numbers(_TYPE):
        return {"type": _DT.get(value.number(_TYPE))}
    if value.all_bytes(_TEXT):
        return {"s": base64.b64encode(value.bytes(_TEXT)).decode("ascii")}
    if value.all_bytes(_LIST):
        return {"list": {"i": value.message(_LIST).numbers(_INTEGER)}}
    return {}


def _operands(constants: Any, first: Any) -> list[Any]:
    """All operands in order: the tensors, and the constants at their places."""
    tensors = list(first) if isinstance(first, list) else [first]
    fixed = {}
    if isinstance(constants, dict):
        fixed = {int(key): _plain(value) for key, value in constants.items()}
    total = len(tensors) + len(fixed)
    if any(not 0 <= index < total for index in fixed):
        raise UnknownOperationError("with constants in invalid positions")
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
        (axis, value), sizes = operands, named.get("num_split")
    else:
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
        raise UnknownOperationError("a computed slice")
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
