"""What TensorFlow's functions are in Keras 3: shapes and indexing."""

from __future__ import annotations

import itertools
from operator import methodcaller
from typing import Any

from keras_rectifiers.legacy.dialects.tensorflow.values import Arguments
from keras_rectifiers.legacy.dialects.tensorflow.values import Constant
from keras_rectifiers.legacy.dialects.tensorflow.values import Free
from keras_rectifiers.legacy.dialects.tensorflow.values import Length
from keras_rectifiers.legacy.dialects.tensorflow.values import NamedTensor
from keras_rectifiers.legacy.dialects.tensorflow.values import Op
from keras_rectifiers.legacy.dialects.tensorflow.values import Raw
from keras_rectifiers.legacy.dialects.tensorflow.values import Several
from keras_rectifiers.legacy.dialects.tensorflow.values import UnknownOperationError
from keras_rectifiers.legacy.dialects.tensorflow.values import bounded
from keras_rectifiers.legacy.dialects.tensorflow.values import has_tensors
from keras_rectifiers.legacy.dialects.tensorflow.values import is_symbolic
from keras_rectifiers.legacy.dialects.tensorflow.values import is_whole
from keras_rectifiers.legacy.dialects.tensorflow.values import operation
from keras_rectifiers.legacy.dialects.tensorflow.values import recipe

_DYNAMIC = "lengths that are known only at run time"
_WHOLE: dict[str, Any] = {"start": None, "stop": None, "step": None}
_BACKWARDS = {**_WHOLE, "step": -1}


@recipe("shape", "shape_v2", "keras.backend.shape")
def _shape(call: Arguments) -> list[Any]:
    of = call.tensor()
    if of.shape is None:
        raise UnknownOperationError("the shape of a tensor of unknown rank")
    return [
        Length(of, axis) if size is None else size for axis, size in enumerate(of.shape)
    ]


@recipe("getitem", "ragged_getitem", "strided_slice_key")
def _getitem(call: Arguments) -> Any:
    key = call.named.get("slice_spec")
    if isinstance(call.first, list):
        return _plain_item(call.first, key)
    return _item(call.tensor(), key if isinstance(key, list) else [key])


def _item(of: Any, key: list[Any]) -> Any:
    """A part of a tensor; what is read backwards is turned over beforehand.

    Keras 3 refuses a step of -1 where it runs on torch.
    """
    parts = [_key_part(part) for part in key]
    # A new axis is not one of the tensor's, and axes after `...` count from the end.
    axes = [part for part in parts if part is not None]
    dots = next((n for n, part in enumerate(axes) if _is_dots(part)), len(axes))
    turned = []
    for number, part in enumerate(axes):
        if isinstance(part, dict) and part["config"] == _BACKWARDS:
            part["config"] = dict(_WHOLE)
            turned.append(number if number < dots else number - len(axes))
    if turned:
        of = Op("Flip", (of,), {"axis": turned})
        if all(part is not None and _is_all(part) for part in parts):
            return of
    return Op("GetItem", (of, Raw(parts)))


def _is_dots(part: Any) -> bool:
    return isinstance(part, dict) and part["class_name"] == "__ellipsis__"


def _is_all(part: Any) -> bool:
    return isinstance(part, dict) and part["config"] in ({}, _WHOLE)


def _plain_item(value: list[Any], key: Any) -> Any:
    """An item of a shape."""
    if isinstance(key, list) and len(key) == 1:
        key = key[0]
    if is_whole(key) and -len(value) <= key < len(value):
        return value[key]
    if _is_slice(key) and all(each is None or is_whole(each) for each in key.values()):
        return value[slice(key["start"], key["stop"], key["step"])]
    raise UnknownOperationError("an index into a shape")


def _is_slice(part: Any) -> bool:
    return isinstance(part, dict) and set(part) == {"start", "stop", "step"}


def _key_part(part: Any) -> Any:
    if part is None or is_whole(part):
        return part
    if isinstance(part, dict) and part.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    if _is_slice(part) and all(v is None or is_whole(v) for v in part.values()):
        return {"class_name": "__slice__", "config": dict(part)}
    raise UnknownOperationError("a computed index")


@recipe("slice")
def _slice(call: Arguments) -> Any:
    begin, size = call.get("begin"), call.get("size")
    if is_symbolic([begin, size]) or len(begin) != len(size):
        raise UnknownOperationError(f"a slice of {_DYNAMIC}")
    key = [
        {"start": first, "stop": None if many == -1 else first + many, "step": None}
        for first, many in zip(begin, size, strict=True)
    ]
    if isinstance(call.first, list):
        return _plain_item(call.first, key)
    return Op("GetItem", (call.tensor(), Raw([_key_part(part) for part in key])))


@recipe("reshape", "keras.backend.reshape")
def _reshape(call: Arguments) -> Op:
    dims = call.get("shape")
    if not isinstance(dims, list):
        raise UnknownOperationError(f"a reshape to {_DYNAMIC}")
    shape = [-1 if isinstance(dim, Length | Free) else dim for dim in dims]
    if shape.count(-1) <= 1:
        if not all(is_whole(dim) for dim in shape):
            raise UnknownOperationError(f"a reshape to {_DYNAMIC}")
        return Op("Reshape", (call.first,), {"newshape": shape})
    # Two free axes, of which one is the batch: what the layer is for.
    batch, rest = dims[0], shape[1:]
    free = rest.count(-1) <= 1 and all(is_whole(dim) for dim in rest)
    if not free or not isinstance(batch, Length) or batch != Length(call.first, 0):
        raise UnknownOperationError(f"a reshape to {_DYNAMIC}")
    return Op("Reshape", (call.tensor(),), {"target_shape": rest}, "layers")


@recipe("squeeze", "keras.backend.squeeze")
def _squeeze(call: Arguments) -> Op:
    axis = call.axes("axis", "squeeze_dims")
    if axis == []:
        axis = None
    return Op("Squeeze", (call.tensor(),), {"axis": axis})


@recipe("concat", "keras.backend.concatenate")
def _concat(call: Arguments) -> Any:
    values, axis = call.first, call.get("axis", "concat_dim", default=-1)
    if not isinstance(values, list):
        return call.tensor()
    if all(isinstance(value, list) for value in values) and axis == 0:
        return bounded(list(itertools.chain(*values)))  # parts of a shape
    return Op("Concatenate", (values,), {"axis": call.whole("axis", default=-1)})


@recipe("stack", "parallel_stack", "keras.backend.stack")
def _stack(call: Arguments) -> Any:
    values = call.first
    if not isinstance(values, list):
        return Op("ExpandDims", (call.tensor(),), {"axis": 0})
    if not any(isinstance(value, NamedTensor) for value in values):
        return bounded(values)  # a shape
    return Op("Stack", (values,), {"axis": call.whole("axis", default=0)})


@recipe("unstack")
def _unstack(call: Arguments) -> Any:
    if isinstance(call.first, list):
        return Several(call.first)
    config = {"num": call.get("num"), "axis": call.whole("axis", default=0)}
    return Op("Unstack", (call.tensor(),), config, "core")


@recipe("split")
def _split(call: Arguments) -> Op:
    parts, axis = call.get("num_or_size_splits"), call.whole("axis", default=0)
    if isinstance(parts, list):
        if not all(is_whole(part) for part in parts) or -1 in parts[:-1]:
            raise UnknownOperationError(f"a split into {_DYNAMIC}")
        parts = list(itertools.accumulate(parts[:-1]))
    elif not is_whole(parts):
        raise UnknownOperationError(f"a split into {_DYNAMIC}")
    config = {"indices_or_sections": parts, "axis": axis}
    return Op("Split", (call.tensor(),), config)


@recipe("tile", "keras.backend.tile")
def _tile(call: Arguments) -> Op:
    repeats = call.get("multiples", "n")
    if not isinstance(repeats, list) or not all(is_whole(each) for each in repeats):
        raise UnknownOperationError(f"tiles of {_DYNAMIC}")
    return Op("Tile", (call.tensor(),), {"repeats": repeats})


@recipe("repeat", "keras.backend.repeat_elements")
def _repeat(call: Arguments) -> Op:
    repeats = call.get("repeats", "rep")
    if is_symbolic(repeats):
        raise UnknownOperationError(f"repeats of {_DYNAMIC}")
    config = {"repeats": repeats, "axis": call.axes("axis")}
    return Op("Repeat", (call.tensor(),), config)


@recipe("broadcast_to")
def _broadcast_to(call: Arguments) -> Op:
    shape = call.get("shape")
    if not isinstance(shape, list) or not all(is_whole(each) for each in shape):
        raise UnknownOperationError(f"a shape with {_DYNAMIC}")
    return Op("BroadcastTo", (call.first,), {"shape": shape})


@recipe("gather", "gather_v2", "embedding_lookup", "keras.backend.gather")
def _gather(call: Arguments) -> Any:
    call.require("batch_dims", 0)
    call.require("partition_strategy", "mod")
    indices = call.get("indices", "ids")
    plain = isinstance(call.first, list) and not has_tensors(call.first)
    if plain and not is_symbolic(indices):
        if not isinstance(indices, list):
            return _plain_item(call.first, indices)
        return [_plain_item(call.first, each) for each in indices]
    axis = call.whole("axis", default=0)
    if not is_symbolic(indices):
        indices = Constant(indices, "int32")
    return Op("Take", (call.first, indices), {"axis": axis})


@recipe("pad")
def _pad(call: Arguments) -> Op:
    widths, mode = call.get("paddings"), str(call.get("mode", default="constant"))
    mode = mode.lower()
    if is_symbolic(widths) or mode not in ("constant", "reflect", "symmetric"):
        raise UnknownOperationError(f"padding by {_DYNAMIC}")
    value = call.number("constant_values", default=0) if mode == "constant" else None
    config = {"pad_width": widths, "mode": mode}
    return Op("Pad", (call.tensor(), *([value] if value else [])), config)


@recipe("sort")
def _sort(call: Arguments) -> Op:
    axis = call.whole("axis", default=-1)
    made = Op("Sort", (call.tensor(),), {"axis": axis})
    if call.get("direction", default="ASCENDING") == "ASCENDING":
        return made
    return Op("Flip", (made,), {"axis": axis})


_AXES = methodcaller("axes", "axis")
_LAST = methodcaller("whole", "axis", default=-1)
_DTYPE = {"dtype": methodcaller("get", "dtype")}

operation("keras.backend.flatten", "Reshape", config={"newshape": [-1]})
operation(
    "keras.backend.batch_flatten",
    "Flatten",
    "layers",
    {"data_format": "channels_last"},
)
operation(
    "expand_dims keras.backend.expand_dims",
    "ExpandDims",
    config={"axis": methodcaller("whole", "axis", "dim", default=-1)},
)
operation(
    "transpose keras.backend.permute_dimensions",
    "Transpose",
    config={"axes": methodcaller("axes", "perm", "pattern")},
    require={"conjugate": (False,)},
)
operation("matrix_transpose", "Swapaxes", config={"axis1": -1, "axis2": -2})
operation(
    "diag_part tensor_diag_part matrix_diag_part",
    "Diagonal",
    config={"offset": 0, "axis1": -2, "axis2": -1},
    require={"k": (0,)},
)
operation("reverse", "Flip", config={"axis": _AXES})
operation("roll", "Roll", config={"shift": methodcaller("get", "shift"), "axis": _AXES})
operation("zeros_like keras.backend.zeros_like", "ZerosLike", config=_DTYPE)
operation("ones_like keras.backend.ones_like", "OnesLike", config=_DTYPE)
operation(
    "one_hot keras.backend.one_hot",
    "OneHot",
    "nn",
    {
        "num_classes": methodcaller("whole", "depth", "num_classes"),
        "axis": _LAST,
        "dtype": methodcaller("get", "dtype", default="float32"),
        "sparse": False,
    },
    require={"on_value": (1,), "off_value": (0,)},
)
