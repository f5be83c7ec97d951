"""Look up in a live model what may have silenced its units.

One or two more forward passes, outside any compiled function, over a few samples; the
model is not changed. `evidence.data` says what is found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.data import first_samples
from keras_rectifiers.diagnosis.evidence.data import Evidence
from keras_rectifiers.diagnosis.evidence.data import ModelInput
from keras_rectifiers.diagnosis.evidence.data import NormalizationEvidence
from keras_rectifiers.diagnosis.evidence.data import ProducerEvidence
from keras_rectifiers.diagnosis.evidence.data import RectifierEvidence
from keras_rectifiers.diagnosis.evidence.moving import OnBatch
from keras_rectifiers.diagnosis.evidence.moving import look_on_batch
from keras_rectifiers.diagnosis.evidence.optimizer import training
from keras_rectifiers.diagnosis.evidence.passes import Observed
from keras_rectifiers.diagnosis.evidence.passes import look
from keras_rectifiers.diagnosis.evidence.passes import spread
from keras_rectifiers.diagnosis.evidence.weights import WeightWatch
from keras_rectifiers.diagnosis.evidence.weights import births_known
from keras_rectifiers.diagnosis.evidence.weights import kernel
from keras_rectifiers.diagnosis.evidence.weights import producer
from keras_rectifiers.diagnosis.evidence.weights import update_ratio
from keras_rectifiers.graph import traits
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.live.upstream import Upstream

__all__ = ["Evidence", "WeightWatch", "collect", "update_ratio"]

#: Most samples of the batch that are looked at.
SAMPLES = 64


@np.errstate(over="ignore", invalid="ignore")  # weights that overflowed are evidence
def collect(model: Any, rectifiers: Iterable[LiveRectifier], x: Any) -> Evidence:
    """What speaks for each cause of silent units.

    It runs the model eagerly and in inference mode, on at most `SAMPLES` samples of
    the batch; one with BatchNormalization once more, with the statistics of the batch.
    What cannot be found out is left out: a model that is wired in Python, or that
    cannot run eagerly, has less evidence.

    Args:
        model: A built Keras model; not changed.
        rectifiers: The rectifiers to look at.
        x: One batch of input: a tensor or a structure of tensors.
    """
    found = tuple(rectifiers)
    synchronize(model)
    by_path = {each.path: each for each in found}
    upstream = Upstream(model)
    fed = {each.path: upstream.feeding(each) for each in found}
    layers = {
        upstream.path(layer): layer for layer, _ in fed.values() if layer is not None
    }
    few = first_samples(x, SAMPLES)
    seen, problem = look(model, found, layers, few)
    kernels = {path: made for path, each in layers.items() if (made := kernel(each))}
    known = births_known(kernels)
    producers = {
        path: producer(layers[path], path, each, birth_is_known=known[path])
        for path, each in kernels.items()
    }
    places = tuple(_places(found, seen))
    owners = {each.path: id(each.owner) for each, _ in places}
    on_batch = look_on_batch(model, found, upstream, few)
    return Evidence(
        samples=int(keras.tree.flatten(few)[0].shape[0]),
        inputs=_inputs(model, few),
        rectifiers=tuple(
            dataclasses.replace(
                _entry(each, upstream if wired else None, producers, seen, owners),
                batch_maximum=on_batch.maximum.get(each.path),
                norms=_norms_before(each, upstream if wired else None, on_batch),
            )
            for each, wired in places
        ),
        norms=tuple(on_batch.norms.values()),
        ends=tuple(path for path in by_path if path in seen.ends),
        training=training(model, {path: layer for path, (layer, _) in fed.items()}),
        problem=problem,
    )


def _places(
    found: Iterable[LiveRectifier], seen: Observed
) -> Iterator[tuple[LiveRectifier, bool]]:
    """What was seen, by the names of a diagnosis, and whether its wiring is known.

    The wiring of a layer that is called at several places is that of its first call.
    """
    by_path = {each.path: each for each in found}
    told: set[str] = set()
    for (path, _), name in zip(seen.found, seen.rectifiers, strict=True):
        yield dataclasses.replace(by_path[path], path=name), path not in told
        told.add(path)


def _entry(
    rectifier: LiveRectifier,
    upstream: Upstream | None,
    producers: Mapping[str, ProducerEvidence],
    seen: Observed,
    owners: Mapping[str, int],
) -> RectifierEvidence:
    units = seen.rectifiers[rectifier.path]
    count = len(units.mean)
    made, normalized, before = None, None, None
    if upstream is not None:
        layer, normalization = upstream.feeding(rectifier)
        normalized = _normalization(normalization, upstream, count)
        made = None if layer is None else producers.get(upstream.path(layer))
        before = upstream.all_before(rectifier)
    if made is not None and len(made.norm) == count:
        made = dataclasses.replace(made, takes=seen.inputs.get(made.path))
    else:
        made = None
    return RectifierEvidence(
        path=rectifier.path,
        mean=units.mean,
        std=units.std,
        maximum=units.maximum,
        std_over_samples=units.std_over_samples,
        producer=made,
        normalization=normalized,
        upstream=None
        if before is None
        else tuple(path for path, owner in owners.items() if owner in before),
    )


def _norms_before(
    rectifier: LiveRectifier, upstream: Upstream | None, on_batch: OnBatch
) -> tuple[str, ...] | None:
    """Paths of the BatchNormalization layers before a rectifier."""
    before = None if upstream is None else upstream.all_before(rectifier)
    if before is None:
        return None
    return tuple(each.path for key, each in on_batch.norms.items() if key in before)


def _normalization(
    layer: Any, upstream: Upstream, units: int
) -> NormalizationEvidence | None:
    if layer is None:
        return None
    values: dict[str, npt.NDArray[np.float64]] = {}
    factor = traits.of(type(layer).__name__).per_unit[0]
    for name, attribute, default in (
        ("gamma", factor, np.ones(units)),
        ("beta", "beta", np.zeros(units)),
    ):
        variable = getattr(layer, attribute, None)
        value = default if variable is None else to_numpy(variable)
        if value.shape != (units,):
            return None
        values[name] = np.asarray(value, np.float64)
    moving = getattr(layer, "moving_variance", None) is not None
    return NormalizationEvidence(
        upstream.path(layer), type(layer).__name__, **values, moving=moving
    )


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
