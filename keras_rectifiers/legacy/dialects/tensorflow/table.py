"""What TensorFlow's functions are in Keras 3: arithmetic, reductions, activations."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any

from keras_rectifiers.graph.document import snake_case
from keras_rectifiers.legacy.dialects.tensorflow.values import RECIPES
from keras_rectifiers.legacy.dialects.tensorflow.values import Arguments
from keras_rectifiers.legacy.dialects.tensorflow.values import Free
from keras_rectifiers.legacy.dialects.tensorflow.values import Length
from keras_rectifiers.legacy.dialects.tensorflow.values import Op
from keras_rectifiers.legacy.dialects.tensorflow.values import Recipe
from keras_rectifiers.legacy.dialects.tensorflow.values import Several
from keras_rectifiers.legacy.dialects.tensorflow.values import UnknownOperationError
from keras_rectifiers.legacy.dialects.tensorflow.values import bounded
from keras_rectifiers.legacy.dialects.tensorflow.values import chain
from keras_rectifiers.legacy.dialects.tensorflow.values import has_tensors
from keras_rectifiers.legacy.dialects.tensorflow.values import is_symbolic
from keras_rectifiers.legacy.dialects.tensorflow.values import operation
from keras_rectifiers.legacy.dialects.tensorflow.values import recipe


def _named(names: str) -> dict[str, str]:
    """Function -> class: `name=Class`, or just the class of the name in snake case."""
    pairs = (each.rpartition("=") for each in names.split())
    return {name or snake_case(made): made for name, _, made in pairs}


#: Functions of one tensor, by the class in `keras.ops.numpy`.
UNARY = _named(
    "abs=Absolute Negative Sign Exp Log Log1p Expm1 Sqrt Square Reciprocal Floor Ceil "
    "Round rint=Round Sin Cos Tan asin=Arcsin acos=Arccos atan=Arctan Sinh Cosh Tanh "
    "asinh=Arcsinh acosh=Arccosh atanh=Arctanh LogicalNot is_nan=Isnan is_inf=Isinf "
    "is_finite=Isfinite"
)
#: ... by the class in `keras.ops.nn`.
ACTIVATIONS = _named("Relu Relu6 Sigmoid Selu Softplus Softsign LogSigmoid")
#: Functions of two operands.
_BINARY = _named(
    "Add add_v2=Add Subtract sub=Subtract Multiply mul=Multiply Divide "
    "truediv=TrueDivide realdiv=TrueDivide pow=Power Maximum Minimum Mod floormod=Mod "
    "floordiv=FloorDivide floor_div=FloorDivide DivideNoNan div_no_nan=DivideNoNan "
    "Greater Less GreaterEqual LessEqual Equal NotEqual LogicalAnd LogicalOr "
    "LogicalXor eq=Equal ne=NotEqual bias_add=Add"
)
#: Functions that reduce axes, each behind `reduce_`.
_REDUCTIONS = _named("Mean Sum Max Min Prod Std variance=Var Any All Logsumexp")
#: What arithmetic on plain numbers gives, such as on the lengths of axes.
_PLAIN: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Subtract": operator.sub,
    "Multiply": operator.mul,
    "FloorDivide": operator.floordiv,
    "Mod": operator.mod,
    "Maximum": max,
    "Minimum": min,
}

_PLAIN_UNARY: dict[str, Callable[[float], float]] = {
    "Sqrt": math.sqrt,
    "Rsqrt": lambda number: 1 / math.sqrt(number),
    "Negative": operator.neg,
}


def _unary(class_name: str, module: str) -> Recipe:
    def made(call: Arguments) -> Any:
        plain = _PLAIN_UNARY.get(class_name)
        if plain is not None and _is_number(call.first):
            return plain(call.first)
        return Op(class_name, (call.tensor(),), module=module)

    return made


def _binary(class_name: str) -> Recipe:
    def made(call: Arguments) -> Any:
        left, right = call.first, call.get("y", "b", "bias", "x", "other")
        call.require("data_format", "NHWC", "N...C", "NWC", "NDHWC")
        if right is None:
            raise UnknownOperationError("whose operands TF-Keras did not save")
        if has_tensors([left, right]):
            return Op(class_name, (left, right))
        if isinstance(left, Length | Free) or isinstance(right, Length | Free):
            return Free()
        if not _is_number(left) or not _is_number(right) or class_name not in _PLAIN:
            raise UnknownOperationError("a call without a tensor")
        return bounded(_PLAIN[class_name](left, right))

    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reduction(class_name: str) -> Recipe:
    def made(call: Arguments) -> Any:
        keepdims = _flag("keepdims", "keep_dims")(call)
        axis = call.axes("axis", "reduction_indices")
        if axis == []:
            return call.first
        if class_name == "Prod" and isinstance(call.first, list):
            return _product(call.first)
        module = "math" if class_name == "Logsumexp" else "numpy"
        config: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        if class_name in ("Max", "Min"):
            config["initial"] = None
        elif class_name == "Prod":
            config["dtype"] = None
        return Op(class_name, (call.tensor(),), config, module)

    return made


def _product(lengths: list[Any]) -> Any:
    """How many values the axes of some lengths hold."""
    if all(_is_number(each) for each in lengths):
        return bounded(math.prod(lengths))
    if has_tensors(lengths):
        raise UnknownOperationError("a product of a list of tensors")
    return lengths[0] if len(lengths) == 1 else Free()


RECIPES.update({name: _unary(made, "numpy") for name, made in UNARY.items()})
RECIPES.update({name: _unary(made, "nn") for name, made in ACTIVATIONS.items()})
RECIPES.update({name: _binary(made) for name, made in _BINARY.items()})
RECIPES.update({f"reduce_{name}": _reduction(m) for name, m in _REDUCTIONS.items()})
RECIPES.update(
    {each.lower(): _unary(each, "math") for each in ("Rsqrt", "Erf", "Erfc")}
)

recipe("identity", "ensure_shape", "convert_to_tensor", "keras.backend.identity")(
    lambda call: call.first
)
recipe("identity_n")(lambda call: Several(call.first))
recipe("graph_einsum")(
    lambda call: Op(
        "Einsum", tuple(call.first), {"subscripts": str(call.get("equation"))}
    )
)
recipe("atan2")(lambda call: Op("Arctan2", (call.first, call.get("x", "y"))))
recipe("scalar_mul")(lambda call: Op("Multiply", (call.first, call.get("x"))))
recipe("squared_difference")(
    lambda call: Op("Square", (Op("Subtract", (call.first, call.get("y"))),))
)
recipe("tensordot")(
    lambda call: Op(
        "Tensordot", (call.first, call.get("b")), {"axes": call.get("axes")}
    )
)

_AXIS = {"axis": methodcaller("whole", "axis", "dim", default=-1)}
_SLOPE = methodcaller("number", "alpha", default=0.2)
_ALPHA = methodcaller("number", "alpha", default=1.0)


def _flag(*names: str) -> Callable[[Arguments], bool]:
    return lambda call: bool(call.get(*names, default=False))


operation("stop_gradient", "StopGradient", "core")
operation("leaky_relu", "LeakyRelu", "nn", {"negative_slope": _SLOPE})
operation("elu", "Elu", "nn", {"alpha": _ALPHA})
operation(
    "gelu keras.activations.gelu", "Gelu", "nn", {"approximate": _flag("approximate")}
)
operation("keras.activations.sigmoid keras.backend.sigmoid", "Sigmoid", "nn")
operation("softmax keras.activations.softmax", "Softmax", "nn", _AXIS)
operation("log_softmax", "LogSoftmax", "nn", _AXIS)
operation(
    "top_k",
    "TopK",
    "math",
    {
        "k": methodcaller("whole", "k", default=1),
        "sorted": methodcaller("get", "sorted", default=True),
    },
)
operation(
    "moments",
    "Moments",
    "nn",
    {
        "axes": methodcaller("axes", "axes"),
        "keepdims": _flag("keepdims", "keep_dims"),
        "synchronized": False,
    },
)


@recipe("add_n", "accumulate_n")
def _add_n(call: Arguments) -> Any:
    if not isinstance(call.first, list) or not call.first:
        return call.tensor()
    return chain("Add", call.first)


@recipe(
    "cast", "saturate_cast", "to_float", "to_int32", "to_int64", "keras.backend.cast"
)
def _cast(call: Arguments) -> Any:
    dtype = call.get("dtype")
    if _is_number(call.first) or isinstance(call.first, Length | Free):
        return call.first
    if not isinstance(dtype, str):
        raise UnknownOperationError(f"a cast to {dtype!r}")
    return Op("Cast", (call.tensor(),), {"dtype": dtype.removesuffix("_ref")}, "core")


@recipe("silu", "swish", "keras.activations.swish")
def _silu(call: Arguments) -> Op:
    beta = call.number("beta", default=1.0)
    if beta == 1:
        return Op("Silu", (call.tensor(),), module="nn")
    gate = Op("Sigmoid", (Op("Multiply", (call.tensor(), beta)),), module="nn")
    return Op("Multiply", (call.tensor(), gate))


@recipe("crelu")
def _crelu(call: Arguments) -> Op:
    both = [call.tensor(), Op("Negative", (call.tensor(),))]
    joined = Op("Concatenate", (both,), {"axis": call.whole("axis", default=-1)})
    return Op("Relu", (joined,), module="nn")


@recipe("keras.activations.relu", "keras.backend.relu")
def _keras_relu(call: Arguments) -> Op:
    slope = call.number("alpha", "negative_slope", default=0.0)
    threshold = call.number("threshold", default=0.0)
    highest = call.get("max_value")
    if not slope and not threshold and highest is None:
        return Op("Relu", (call.tensor(),), module="nn")
    config = {"negative_slope": slope, "max_value": highest, "threshold": threshold}
    module = "keras.src.activations.activations"
    return Op("ReLU", (call.tensor(),), config, module)


@recipe("clip_by_value")
def _clip(call: Arguments) -> Op:
    low, high = call.get("clip_value_min"), call.get("clip_value_max")
    if _is_number(low) and _is_number(high):
        return Op("Clip", (call.tensor(),), {"x_min": low, "x_max": high})
    return Op("Maximum", (Op("Minimum", (call.first, high)), low))


@recipe("l2_normalize", "keras.backend.l2_normalize")
def _l2_normalize(call: Arguments) -> Op:
    config = {"axis": call.axes("axis", "dim"), "keepdims": True}
    total = Op("Sum", (Op("Square", (call.tensor(),)),), config)
    kept = Op("Maximum", (total, call.number("epsilon", default=1e-12)))
    return Op("Multiply", (call.tensor(), Op("Rsqrt", (kept,), module="math")))


@recipe("norm")
def _norm(call: Arguments) -> Op:
    config = {
        "axis": call.axes("axis"),
        "keepdims": _flag("keepdims", "keep_dims")(call),
    }
    order = call.get("ord", default="euclidean")
    if order == 1:
        return Op("Sum", (Op("Absolute", (call.tensor(),)),), config)
    if order != "euclidean" and (order, isinstance(config["axis"], int)) != (2, True):
        raise UnknownOperationError(f"a norm of order {order!r}")
    return Op("Sqrt", (Op("Sum", (Op("Square", (call.tensor(),)),), config),))


@recipe("where", "where_v2", "select")
def _where(call: Arguments) -> Op:
    chosen, otherwise = call.get("x", "t"), call.get("y", "e")
    if chosen is None or otherwise is None:
        raise UnknownOperationError("where() with only a condition")
    return Op("Where", (call.first, chosen, otherwise))


@recipe("matmul", "batch_matmul")
def _matmul(call: Arguments) -> Op:
    for name in ("adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse"):
        call.require(name, False)
    call.require("output_type")
    left, right = call.first, call.get("b", "y")
    if call.get("transpose_a"):
        left = _swapped(left)
    if call.get("transpose_b"):
        right = _swapped(right)
    return Op("Matmul", (left, right))


def _swapped(value: Any) -> Op:
    return Op("Swapaxes", (value,), {"axis1": -1, "axis2": -2})


def _arg(class_name: str, call: Arguments) -> Op:
    axis = call.whole("axis", "dimension", default=0)
    found = Op(class_name, (call.tensor(),), {"axis": axis, "keepdims": False})
    return Op(
        "Cast", (found,), {"dtype": call.get("output_type", default="int64")}, "core"
    )


recipe("argmax")(partial(_arg, "Argmax"))
recipe("argmin")(partial(_arg, "Argmin"))


@recipe("cumsum")
def _cumsum(call: Arguments) -> Op:
    call.require("exclusive", False)
    axis = call.whole("axis", default=0)
    config = {"axis": axis, "dtype": None}
    if call.get("reverse"):
        back = Op("Cumsum", (Op("Flip", (call.tensor(),), {"axis": axis}),), config)
        return Op("Flip", (back,), {"axis": axis})
    return Op("Cumsum", (call.tensor(),), config)


@recipe("batch_normalization")
def _batch_normalization(call: Arguments) -> Op:
    variance = call.get("variance")
    epsilon = call.number("variance_epsilon", default=0.0)
    if is_symbolic(variance):
        scaled: Any = Op("Rsqrt", (Op("Add", (variance, epsilon)),), module="math")
    else:
        scaled = _per_channel(lambda v: (v + epsilon) ** -0.5, variance)
    centered = Op("Subtract", (call.tensor(), call.get("mean")))
    result = Op("Multiply", (centered, scaled))
    if call.get("scale") is not None:
        result = Op("Multiply", (result, call.get("scale")))
    if call.get("offset") is not None:
        result = Op("Add", (result, call.get("offset")))
    return result


def _per_channel(function: Callable[[float], float], value: Any) -> Any:
    if isinstance(value, list):
        return [_per_channel(function, each) for each in value]
    return function(value)
