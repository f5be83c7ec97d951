"""Small models of the old Keras, and every file that it writes of them.

`tf_keras` is the implementation of Keras 2 itself. The models live in
`corpus_layers`, `corpus_recurrent` and `corpus_models`; here is what they share.
"""

import dataclasses
import functools
import zlib
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf_keras = pytest.importorskip("tf_keras")

#: Name -> model, in the order in which they were declared.
CASES: dict[str, "Case"] = {}
#: Samples in a batch of inputs, and the length of axes that are left open.
SAMPLES = 3
FREE_AXIS = 6
#: Random generators of the old preprocessing layers: state, not weights.
_GENERATOR_STATES = ("StateVar", "Variable:0", "seed_generator")


@dataclasses.dataclass(frozen=True)
class Case:
    """One model of the old Keras.

    Attributes:
        name: Its name.
        build: Makes it, with the weights it is born with.
        inputs: (generator) -> inputs; by default random ones of its own shapes.
        weights: Whether its weights are drawn anew; False where they mean something.
        tolerance: Largest difference of outputs, relative to their scale.
        absent: Format -> why the old Keras does not write it.
        opening: () -> arguments with which Keras 3 opens the result.
        renamed: Whether names of layers change, because Keras 3 forbids the old.
        left: Layers that lead to no output, and are left out.
        unshared: Whether a layer of several models becomes one for each.
        slow: Whether it is left out of a default run.
    """

    name: str
    build: Callable[[], Any]
    inputs: Callable[[np.random.Generator], Any] | None = None
    weights: bool = True
    tolerance: float = 1e-5
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    opening: Callable[[], dict[str, Any]] = dict
    renamed: bool = False
    left: tuple[str, ...] = ()
    unshared: bool = False
    slow: bool = False


def case(**arguments):
    """Register a function that builds a model, under its own name."""

    def register(build):
        name = arguments.pop("name", None) or build.__name__
        assert name not in CASES, name
        CASES[name] = Case(name, build, **arguments)
        return build

    return register


@functools.cache
def built(name: str):
    """The model of a case with its weights, and inputs for it.

    It is built once: saving leaves a model as it was.
    """
    one = CASES[name]
    seed = zlib.crc32(name.encode())
    tf_keras.utils.set_random_seed(seed)
    tf_keras.backend.reset_uids()
    model = one.build()
    rng = np.random.default_rng(seed)
    if one.weights:
        randomize(model, rng)
    inputs = one.inputs(rng) if one.inputs else random_inputs(model, rng)
    return model, inputs


def is_state(variable) -> bool:
    """Whether a weight of an old model is the state of a generator, or a table."""
    if not hasattr(variable, "name"):
        return True
    return variable.name.endswith(_GENERATOR_STATES) and variable.dtype in {
        "int64",
        "uint64",
    }


def randomize(model, rng) -> None:
    """Give each variable values of which no two are the same by accident."""
    for variable in model.weights:
        if is_state(variable) or not variable.dtype.is_floating:
            continue
        shape = tuple(variable.shape)
        if "variance" in variable.name:
            value = rng.uniform(0.5, 2.0, shape)
        elif len(shape) > 1:
            value = rng.normal(0, 1 / np.sqrt(max(np.prod(shape[:-1]), 1)), shape)
        else:
            value = rng.normal(0, 0.3, shape) + 0.1
        variable.assign(value.astype(variable.dtype.as_numpy_dtype))


def random_inputs(model, rng):
    """Random inputs of a model's own shapes, in its own structure.

    The model may be one of either Keras.
    """

    def draw(tensor):
        shape = [SAMPLES, *(size or FREE_AXIS for size in tuple(tensor.shape)[1:])]
        if tensor.shape[0]:
            shape[0] = tensor.shape[0]
        kind = np.dtype(getattr(tensor.dtype, "as_numpy_dtype", tensor.dtype))
        if kind.kind in "iu":
            return rng.integers(0, 5, shape).astype(kind)
        if kind.kind == "b":
            return rng.integers(0, 2, shape).astype(bool)
        return rng.normal(size=shape).astype(kind)

    if hasattr(model, "input"):
        return _map(draw, model.input)
    return draw(model.inputs[0])


def _map(function, structure):
    if isinstance(structure, dict):
        return {key: _map(function, value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_map(function, value) for value in structure]
    return function(structure)


def flat(outputs) -> list[np.ndarray]:
    """All output arrays of a model, dicts in the order of their keys."""
    if isinstance(outputs, dict):
        return [a for key in sorted(outputs) for a in flat(outputs[key])]
    if isinstance(outputs, (list, tuple)):
        return [array for one in outputs for array in flat(one)]
    return [np.asarray(outputs)]


def difference(expected, got) -> float:
    """Largest difference of two models' outputs, relative to the scale of each.

    Infinite where shapes differ, or anything in outputs that are not numbers of a
    kind that rounds.
    """
    if [array.shape for array in expected] != [array.shape for array in got]:
        return np.inf
    worst = 0.0
    for before, after in zip(expected, got, strict=True):
        if before.dtype.kind in "iubSUO":
            if not np.array_equal(before, after):
                return np.inf
            continue
        wide, other = before.astype("float64"), after.astype("float64")
        scale = max(np.abs(wide).max(), 1e-30)
        found = np.abs(wide - other).max() / scale
        worst = max(worst, np.inf if np.isnan(found) else found)
    return worst


def run(model, inputs) -> list[np.ndarray]:
    """Outputs of a model of either Keras, from its first state."""
    for layer in model.layers:
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_states"):
            layer.reset_states()
    return flat(model(inputs, training=False))


# --------------------------------------------------------------------------
# Formats


def _h5(model, folder):
    path = folder / "model.h5"
    model.save(path, save_format="h5")
    return path, None


def _keras(model, folder):
    path = folder / "model.keras"
    model.save(path, save_format="keras")
    return path, None


def _saved_model(model, folder):
    path = folder / "saved"
    model.save(path, save_format="tf")
    return path, None


def _json(model, folder):
    path = folder / "model.json"
    path.write_text(model.to_json())
    return path


def _json_and_h5(model, folder):
    weights = folder / "of_model.h5"
    model.save_weights(weights, save_format="h5")
    return _json(model, folder), weights


def _json_and_weights_h5(model, folder):
    weights = folder / "model.weights.h5"
    model.save_weights(weights)
    return _json(model, folder), weights


#: Format -> (model, folder) -> (file of the model, file of its weights or None).
FORMATS: dict[str, Callable[[Any, Path], tuple[Path, Path | None]]] = {
    "h5": _h5,
    "keras": _keras,
    "saved_model": _saved_model,
    "json+h5": _json_and_h5,
    "json+weights.h5": _json_and_weights_h5,
}
