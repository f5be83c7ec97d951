"""The devices whose conditions a LiteRT file can be checked against: plain data.

A new device is one more entry. Each entry is based on the documentation that it names,
or on a run; `docs/export-targets.md` lists which.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.exporting import formats

if TYPE_CHECKING:
    from keras_rectifiers.exporting.inspectors.found import Operation

#: Operations and places that a sentence names at most.
_NAMED = 3
_REPLACE = "Replace the layer."
_FOLD = "keras-rectifiers fold --tolerance 0.01"
#: How a PReLU with slopes along axes other than the last one is named.
_SLOPES = "PRELU with slopes for each place"
#: How an operation with a fused ReLU is named.
_FUSED = "{name} with a fused activation"
#: How an operation that computes in another type is named.
_TYPED = "{name} in {types}"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Device:
    """One device, or one runtime, and its conditions."""

    #: As `device=` and `--target` name it.
    name: str
    #: What people call it.
    title: str
    #: How numbers must be stored, as `formats` names it.
    precisions: tuple[str, ...]
    #: Number types in which it computes.
    types: frozenset[str]
    #: Operations that it runs.
    operations: frozenset[str]
    #: Operations that may also read the file's inputs or write its outputs in another
    #: type.
    at_edges: frozenset[str] = frozenset()
    #: Operations that it runs only without a fused activation.
    not_fused: frozenset[str] = frozenset()
    #: Whether a PReLU may have slopes in the last axis only.
    slopes_in_last_axis: bool = False
    #: What becomes of an operation that it does not run.
    otherwise: str
    #: Name of a problem or of an operation -> what to do about it; `{slope}` is
    #: replaced by the slope of a LEAKY_RELU.
    ways_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Where the conditions were read, or in which version they were seen.
    source: str


_EDGE_TPU = Device(
    name="edgetpu",
    title="the Edge TPU",
    precisions=(formats.INT8,),
    types=frozenset({"int8", "uint8"}),
    operations=_words(
        "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS "
        "FULLY_CONNECTED L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM "
        "MUL PACK PAD PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_N1_TO_1 "
        "RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SLICE SOFTMAX SPACE_TO_DEPTH "
        "SPLIT SQUEEZE STRIDED_SLICE SUB TANH TRANSPOSE TRANSPOSE_CONV "
        "UNIDIRECTIONAL_SEQUENCE_LSTM"
    ),
    at_edges=frozenset({"QUANTIZE", "DEQUANTIZE"}),
    not_fused=frozenset({"AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D"}),
    slopes_in_last_axis=True,
    otherwise="From there on, the model would run on the host CPU.",
    ways_out={
        "LEAKY_RELU": "Make it a PReLU with the same slope: keras-rectifiers convert "
        "--of leaky_relu --to prelu --alpha {slope:.6g}.",
        _SLOPES: "Use PReLU with shared_axes=[1, 2], keep all slopes at 1 or below, or "
        f"fold those that have little effect: {_FOLD}.",
        _FUSED: "Insert another layer, such as a convolution, between the two.",
    },
    source="https://coral.ai/docs/edgetpu/models-intro/",
)

_TFLITE_MICRO = Device(
    name="tflite-micro",
    title="LiteRT for Microcontrollers",
    precisions=(formats.FLOAT32, formats.INT8),
    types=_words("float32 int8 int16 int32 int64 uint8 bool resource"),
    operations=_words(
        "ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL "
        "BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL "
        "CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE "
        "DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL "
        "FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER "
        "GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS "
        "LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX "
        "MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 "
        "PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 "
        "RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT "
        "SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT "
        "SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF "
        "TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE "
        "WHILE ZEROS_LIKE"
    ),
    otherwise="Its interpreter rejects the whole file.",
    source="tflite-micro 0.dev20261023182759",
)

_ETHOS_U = Device(
    name="ethos-u",
    title="the Ethos-U",
    precisions=(formats.INT8,),
    types=_words("int8 uint8 int16 int32 int64"),
    operations=_words(
        "ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL CONCATENATION CONV_2D "
        "DEPTHWISE_CONV_2D ELU EXP EXPAND_DIMS FULLY_CONNECTED GELU HARD_SWISH "
        "LEAKY_RELU LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG "
        "PACK PAD PADV2 PRELU QUANTIZE REDUCE_MAX REDUCE_MIN RELU RELU6 RELU_0_TO_1 "
        "RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT "
        "SLICE SOFTMAX SPLIT SPLIT_V SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM "
        "TANH TILE TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM "
        "UNPACK"
    ),
    at_edges=frozenset({"QUANTIZE", "DEQUANTIZE"}),
    otherwise="The CPU next to it would run that part.",
    source="ethos-u-vela 5.2.0",
)

#: Name -> device.
TARGETS = {each.name: each for each in (_EDGE_TPU, _TFLITE_MICRO, _ETHOS_U)}


def check(name: str, file_format: formats.Format, precision: str) -> None:
    """Refuse a device that cannot run what is asked for, before anything is done.

    Args:
        name: The device.
        file_format: The format to write.
        precision: How numbers will be stored.

    Raises:
        ArgumentError: The device does not exist, or it needs another format or
            precision.
    """
    if name not in TARGETS:
        raise ArgumentError(
            f"The device (--target) must be one of {', '.join(TARGETS)}. Received: "
            f"{name!r}."
        )
    target = TARGETS[name]
    if file_format.name != "litert":
        raise ArgumentError(
            f"{_capital(target.title)} needs a LiteRT file. Received: "
            f"format={file_format.name!r}. Write a .tflite file."
        )
    if precision not in target.precisions:
        hint = "Pass int8=True and data= (--int8 --data)."
        if formats.FLOAT32 in target.precisions:
            hint = f"Remove {precision}, or pass int8=True and data= (--int8 --data)."
        raise ArgumentError(
            f"{_capital(target.title)} runs {' and '.join(target.precisions)} models "
            f"only. Received: {precision}. {hint}"
        )


def refusal(name: str, nodes: Sequence[Operation]) -> str:
    """Why a device does not run a file, and the way out; empty where it runs it.

    Args:
        name: The device.
        nodes: All operations of the file.
    """
    target = TARGETS[name]
    problems: dict[str, list[str]] = {}
    ways: list[str] = []
    for node in nodes:
        problem = _problem(target, node)
        if problem is None:
            continue
        problems.setdefault(problem[0], []).append(node.place)
        if problem[1] not in ways:
            ways.append(problem[1])
    if not problems:
        return ""
    count = sum(map(len, problems.values()))
    verb = "does" if count == 1 else "do"
    named = [f"{what} (in {places[0]})" for what, places in problems.items()]
    more = " and others" if len(named) > _NAMED else ""
    return (
        f"{count} of {len(nodes)} operations {verb} not run on {target.title}: "
        f"{', '.join(named[:_NAMED])}{more}. {target.otherwise} "
        f"{' '.join(ways[:_NAMED])}"
    )


def _problem(target: Device, node: Operation) -> tuple[str, str] | None:
    """How an operation that a device does not run is named, and the remedy."""
    if node.at_edge and node.name in target.at_edges:
        return None
    if node.name not in target.operations:
        key = name_of_problem = node.name
    elif not node.types <= target.types:
        key = _TYPED
        name_of_problem = key.format(
            name=node.name, types=" and ".join(sorted(node.types - target.types))
        )
    elif node.name in target.not_fused and node.fused:
        key, name_of_problem = _FUSED, _FUSED.format(name=node.name)
    elif target.slopes_in_last_axis and _has_other_slopes(node):
        key = name_of_problem = _SLOPES
    else:
        return None
    return name_of_problem, target.ways_out.get(key, _REPLACE).format(slope=node.slope)


def _has_other_slopes(node: Operation) -> bool:
    shapes = node.constants if node.name == "PRELU" else ()
    return any(length > 1 for shape in shapes for length in shape[:-1])


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
