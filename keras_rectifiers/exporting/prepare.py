"""Open the model in the child process, and bring it into the form to export."""

from __future__ import annotations

import contextlib
import importlib
import operator
from typing import Any

import keras
import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.conversion import verbs
from keras_rectifiers.errors import ExportError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.request import Request
from keras_rectifiers.exporting.task import Task
from keras_rectifiers.folding.fold import fold
from keras_rectifiers.graph.roles import ROLES
from keras_rectifiers.live import layers
from keras_rectifiers.live import rectifiers
from keras_rectifiers.live import state

_FIXED_BATCH = (
    "The batch size is fixed at 1: with recurrent layers and a variable batch size, "
    "LiteRT needs TensorFlow operations (Flex). Pass batch= (--batch) for another "
    "size."
)


_DEVICE_BATCH = (
    "The batch size is fixed at 1, because devices need fixed sizes. Pass batch= "
    "(--batch) for another size."
)


def opened(request: Request) -> Any:
    """The model that is asked for, loaded in safe mode.

    Args:
        request: The request.

    Raises:
        RectifierError: As for `load_model`.
    """
    objects, failed = _custom_objects(request)
    try:
        return verbs.load_model(
            request.model,
            weights=request.weights,
            input_shape=request.input_shape,
            custom_objects=objects,
        )
    except UnknownClassError as error:
        if not failed:
            raise
        raise UnknownClassError(
            f"{error.fact} The export process imports modules again, and could not "
            f"import {failed[0]}.",
            error.name,
        ) from error


def _custom_objects(request: Request) -> tuple[dict[str, Any], list[str]]:
    """The custom objects, and what cannot be imported; not all of it is needed."""
    found: dict[str, Any] = {}
    failed = []
    places = {name: (name, "") for name in request.modules}
    for name, place in request.custom_objects.items():
        module, _, qualified = place.partition(":")
        places[name] = module, qualified
    for name, (module, qualified) in places.items():
        try:
            imported = importlib.import_module(module)
            if qualified:
                found[name] = operator.attrgetter(qualified)(imported)
        except Exception as error:  # noqa: BLE001 - it is the user's code
            failed.append(f"{module} ({type(error).__name__}: {error})")
    return found, failed


def in_float32(model: Any) -> list[str]:
    """Have a model of mixed precision compute in float32; its weights are that already.

    Args:
        model: The model; it is changed.

    Returns:
        What was done, in words; nothing where nothing was.
    """
    found = set()
    for layer in layers.flat(model):
        policy = layer.dtype_policy
        if policy.compute_dtype == policy.variable_dtype or policy.quantization_mode:
            continue
        found.add(policy.name)
        layer.dtype_policy = keras.DTypePolicy(policy.variable_dtype)
    if not found:
        return []
    names = ", ".join(sorted(found))
    return [
        f"The file computes in float32: the policy {names} applies to training only."
    ]


def folded(model: Any) -> tuple[Any, list[str]]:
    """A model whose rectifiers with slopes of 0 are plain ReLUs, bit for bit.

    Args:
        model: The model; it is not changed.

    Returns:
        The model, and what was done in words.
    """
    zero = [
        each.path
        for each in with_slopes(model)
        if not slopes_of(each).any() and "#" not in each.path
    ]
    if not zero:
        return model, []
    with contextlib.suppress(RectifierError):
        result = fold(model, include=zero)
        count = len(result.sites)
        if count:
            said = "1 rectifier" if count == 1 else f"{count} rectifiers"
            return result.model, [
                f"{said} with slopes of 0 became plain ReLUs, bit for bit."
            ]
    return model, []


def twin(model: Any) -> Any:
    """The same model with plain ReLUs in place of all rectifiers with slopes.

    Args:
        model: The model; it is not changed.

    Raises:
        RectifierError: It cannot be made.
    """
    kinds = (specs.LEAKY_RELU, specs.PRELU)
    return verbs.convert(model, specs.RELU, of=kinds, roles=ROLES)


def with_slopes(model: Any) -> tuple[rectifiers.LiveRectifier, ...]:
    """The rectifiers of a model that are not plain ReLUs, in the model's order.

    Args:
        model: The model.
    """
    found = (*rectifiers.find(model), *rectifiers.inside_recurrent(model))
    return tuple(each for each in found if each.function.kind != specs.RELU)


def slopes_of(rectifier: rectifiers.LiveRectifier) -> Any:
    """The slopes of a rectifier, in the shape in which the model has them.

    Args:
        rectifier: The rectifier.
    """
    if rectifier.function.kind == specs.PRELU:
        return state.to_numpy(rectifier.sloped.alpha, np.float64)
    return np.float64(rectifier.function.negative_slope)


def spread(model: Any) -> float:
    """How far slopes would move if each PReLU had one slope for all its channels.

    Args:
        model: The model.
    """
    found = [slopes_of(each) for each in with_slopes(model)]
    return max((float(np.ptp(each)) / 2 for each in found), default=0.0)


def check_built(model: Any) -> None:
    """Refuse a model whose slopes are not there yet.

    Args:
        model: The model.

    Raises:
        UnsupportedModelError: A PReLU has no slopes; names it.
    """
    for each in with_slopes(model):
        if each.function.kind == specs.PRELU and not each.sloped.built:
            raise UnsupportedModelError(
                "Every layer must be built before export. Received: the PReLU at "
                f"{each.path!r}, which has no slopes yet. Call the model once on "
                "data, and save it again."
            )


def is_recurrent(model: Any) -> bool:
    """Whether a loop runs some layer of a model.

    Args:
        model: The model.
    """
    return any(isinstance(each, keras.layers.RNN) for each in layers.flat(model))


def batch_for(model: Any, request: Request) -> tuple[int | None, list[str]]:
    """The batch of the file, and why it is another one than what was asked for.

    Args:
        model: The model.
        request: The request.
    """
    if request.batch is not None:
        return request.batch, []
    if request.device is not None:
        return 1, [_DEVICE_BATCH]
    if request.format == "litert" and is_recurrent(model):
        return 1, [_FIXED_BATCH]
    return None, []


def through_onnx(model: Any, request: Request) -> list[str]:
    """Why OpenVINO reads the model by way of ONNX; nothing where it does not.

    Args:
        model: The model.
        request: The request.
    """
    if request.format != "openvino" or not is_recurrent(model):
        return []
    if keras.backend.backend() != formats.TENSORFLOW:
        return []
    onnx = formats.FORMATS["onnx"]
    lacking = formats.missing(onnx, formats.TENSORFLOW)
    if lacking:
        raise ExportError(
            "OpenVINO can read TensorFlow's recurrent layers only through ONNX, which "
            f"needs more modules. Install them with `{onnx.install(lacking)}`."
        )
    return ["The model has recurrent layers: OpenVINO reads it through ONNX."]


def known_trouble(task: Task) -> str:
    """What to say of a conversion at which a converter is known to crash.

    Args:
        task: The task.
    """
    integer = task.request.precision == formats.INT8
    if integer and task.request.format == "litert" and is_recurrent(task.model):
        return (
            " in int8 with recurrent layers, on which some releases of TensorFlow's "
            "converter crash (use float32, --dynamic, or onnx)"
        )
    return ""
