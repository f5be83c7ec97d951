"""Look up in a live model what may have silenced its units.

One more forward pass, outside any compiled function, over a few samples; the model
is not changed. `evidence_data` says what is found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.activity.evidence_data import Evidence
from keras_rectifiers.activity.evidence_data import ModelInput
from keras_rectifiers.activity.evidence_data import Normalisation
from keras_rectifiers.activity.evidence_data import Producer
from keras_rectifiers.activity.evidence_data import RectifierEvidence
from keras_rectifiers.activity.evidence_data import WeightChange
from keras_rectifiers.activity.evidence_optimizer import training
from keras_rectifiers.activity.evidence_pass import Calls
from keras_rectifiers.activity.evidence_pass import look
from keras_rectifiers.activity.evidence_pass import spread
from keras_rectifiers.activity.evidence_weights import WeightWatch
from keras_rectifiers.activity.evidence_weights import births_known
from keras_rectifiers.activity.evidence_weights import kernel
from keras_rectifiers.activity.evidence_weights import producer
from keras_rectifiers.activity.evidence_weights import update_ratio
from keras_rectifiers.activity.evidence_wiring import Wiring
from keras_rectifiers.activity.rectifiers import LiveRectifier

__all__ = ["Evidence", "WeightChange", "WeightWatch", "collect", "update_ratio"]

#: Most samples of the batch that are looked at.
SAMPLES = 64


@np.errstate(over="ignore", invalid="ignore")  # weights that overflowed are evidence
def collect(model: Any, rectifiers: Iterable[LiveRectifier], x: Any) -> Evidence:
    """What speaks for each cause of silent units.

    It runs the model once, eagerly and in inference mode, on at most `SAMPLES`
    samples of the batch. What cannot be found out is left out: a model that is
    wired in Python, or that cannot run eagerly, has less evidence.

    Args:
        model: A built Keras model; not changed.
        rectifiers: The rectifiers to look at.
        x: One batch of input: a tensor or a structure of tensors.
    """
    found = tuple(rectifiers)
    if hasattr(model, "jax_state_sync"):
        # While `fit` runs on JAX, the weights live outside the model.
        model.jax_state_sync()
    wiring = Wiring(model)
    fed = {each.path: wiring.feeding(each) for each in found}
    layers = {
        wiring.path(layer): layer for layer, _ in fed.values() if layer is not None
    }
    few = keras.tree.map_structure(_first_samples, x)
    seen, problem = look(model, found, layers, few)
    kernels = {path: made for path, each in layers.items() if (made := kernel(each))}
    known = births_known(kernels)
    producers = {
        path: producer(layers[path], path, each, birth_is_known=known[path])
        for path, each in kernels.items()
    }
    owners = {id(each.owner): each.path for each in found}
    order = [path for path in seen.rectifiers if path in fed]
    by_path = {each.path: each for each in found}
    return Evidence(
        samples=int(keras.tree.flatten(few)[0].shape[0]),
        inputs=_inputs(model, few),
        rectifiers=tuple(
            _entry(by_path[path], fed[path], wiring, producers, seen, owners)
            for path in order
        ),
        training=training(model, {path: layer for path, (layer, _) in fed.items()}),
        problem=problem,
    )


def _entry(
    rectifier: LiveRectifier,
    fed: tuple[Any, Any],
    wiring: Wiring,
    producers: Mapping[str, Producer],
    seen: Calls,
    owners: Mapping[int, str],
) -> RectifierEvidence:
    layer, normalisation = fed
    units = seen.rectifiers[rectifier.path]
    made = None if layer is None else producers.get(wiring.path(layer))
    if made is not None and len(made.norm) == len(units.mean):
        made = dataclasses.replace(made, takes=seen.inputs.get(made.path))
    else:
        made = None
    before = wiring.upstream(rectifier)
    return RectifierEvidence(
        path=rectifier.path,
        mean=units.mean,
        std=units.std,
        maximum=units.maximum,
        std_over_samples=units.std_over_samples,
        producer=made,
        normalisation=_normalisation(normalisation, wiring, len(units.mean)),
        upstream=None
        if before is None
        else tuple(path for owner, path in owners.items() if owner in before),
    )


def _normalisation(layer: Any, wiring: Wiring, units: int) -> Normalisation | None:
    if layer is None:
        return None
    values: dict[str, npt.NDArray[np.float64]] = {}
    for name, default in (("gamma", np.ones(units)), ("beta", np.zeros(units))):
        variable = getattr(layer, name, None)
        value = default if variable is None else keras.ops.convert_to_numpy(variable)
        if value.shape != (units,):
            return None
        values[name] = np.asarray(value, np.float64)
    moving = getattr(layer, "moving_variance", None) is not None
    return Normalisation(
        wiring.path(layer), type(layer).__name__, **values, moving=moving
    )


def _first_samples(leaf: Any) -> Any:
    return leaf[:SAMPLES] if getattr(leaf, "shape", None) else leaf


def _inputs(model: Any, x: Any) -> tuple[ModelInput, ...]:
    leaves = keras.tree.flatten(x)
    names: Sequence[str] = [f"input {place}" for place in range(len(leaves))]
    if isinstance(x, Mapping):
        names = sorted(map(str, x))
    elif getattr(model, "inputs", None) and len(model.inputs) == len(leaves):
        names = [tensor.name for tensor in model.inputs]
    found = []
    for name, leaf in zip(names, leaves, strict=True):
        values = spread(leaf)
        if values is not None:
            dtype = keras.backend.standardize_dtype(leaf.dtype)
            found.append(ModelInput(name, dtype, values))
    return tuple(found)
