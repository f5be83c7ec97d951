"""The weights of the layers before rectifiers: now, at birth, and on their way.

Keras keeps the seed of each initializer, and an initializer called again gives the
same values: so the kernel of a layer as it was made can be had from the live model,
without keeping a copy. After loading a file the seed is another one, unless it was
given; then only the distribution at birth is known.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.evidence.data import LayerChange
from keras_rectifiers.diagnosis.evidence.data import ProducerEvidence
from keras_rectifiers.diagnosis.statistics import Values
from keras_rectifiers.graph import traits
from keras_rectifiers.live.rectifiers import find
from keras_rectifiers.live.state import copy_of
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.live.upstream import Upstream
from keras_rectifiers.live.upstream import kernel_name

#: Kernels larger than this are not made again: an initializer costs time.
MOST_WEIGHTS_AT_BIRTH = 8_000_000
#: Correlation between the values at birth and now, in standard errors, from which on
#: the former are taken to be those that the layer began with.
_SURE = 4.5
#: Layers of fewer weights are judged by all layers together.
_FEW = 200

Columns = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """The kernel of a layer as a matrix, now and at birth."""

    now: Columns
    birth: Columns | None

    @property
    def agreement(self) -> tuple[float, float, int]:
        """Sum of products, root of the product of sums of squares, and weights."""
        if self.birth is None:
            return 0.0, 0.0, 0
        a, b = self.now - self.now.mean(), self.birth - self.birth.mean()
        together = float((a * b).sum(dtype=np.float64))
        alone = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
        return together, alone, a.size

    @property
    def is_the_same_at_birth(self) -> bool:
        """Whether some unit has the very weights it was born with."""
        return self.birth is not None and bool((self.now == self.birth).all(0).any())


def update_ratio(before: npt.ArrayLike, after: npt.ArrayLike) -> float:
    """Norm of the change over the norm before; the rule of thumb for a step is 1e-3.

    Args:
        before: Weights, any shape.
        after: The same weights later.

    Returns:
        Float >= 0; infinite where weights left 0, 0 where they stayed there.

    Reference:
        Karpathy, CS231n notes, "Neural Networks Part 3", "Ratio of weights:updates".
    """
    old = np.asarray(before, np.float64)
    change = float(np.linalg.norm(np.asarray(after, np.float64) - old))
    size = float(np.linalg.norm(old))
    if size == 0:
        return float("inf") if change else 0.0
    return change / size


class WeightWatch:
    """Measure how far the weights before each rectifier go while a model trains.

    It keeps one copy of the kernels and biases of the layers that feed rectifiers,
    as float32: as much memory, on the host, as they themselves take.

    Args:
        model: A built Keras model; not changed.
    """

    def __init__(self, model: Any) -> None:
        upstream = Upstream(model)
        fed = {each.path: upstream.feeding(each)[0] for each in find(model)}
        self._model = model
        self._layers = {
            path: layer for path, layer in fed.items() if kernel_name(layer)
        }
        self._before: dict[int, tuple[Columns, Columns]] = {}

    def measure(self) -> dict[str, LayerChange]:
        """The change since the last measurement, by the rectifier's path."""
        synchronize(self._model)
        now = {id(layer): _copied(layer) for layer in self._layers.values()}
        changes = {
            path: _change(self._before.get(id(layer), now[id(layer)]), now[id(layer)])
            for path, layer in self._layers.items()
        }
        self._before = now
        return changes


def kernel(layer: Any) -> Kernel | None:
    """The kernel of a layer, one column for each unit.

    Args:
        layer: A layer; None is nothing.

    Returns:
        None if the layer has no kernel of floats whose columns are units.
    """
    name = kernel_name(layer)
    if name is None or _does(layer).channels is traits.Channels.EINSUM:
        return None
    variable = getattr(layer, name)
    if "float" not in keras.backend.standardize_dtype(variable.dtype):
        return None  # quantized
    return Kernel(
        _columns(layer, name, to_numpy(variable, np.float32)),
        _at_birth(layer, name, variable),
    )


def producer(
    layer: Any, path: str, columns: Kernel, *, birth_is_known: bool
) -> ProducerEvidence:
    """What the weights of a layer tell.

    Args:
        layer: The layer.
        path: Its path.
        columns: Its kernel.
        birth_is_known: Whether `columns.birth` is what the layer began with.
    """
    now, birth = columns.now, columns.birth
    norm = _norms(now)
    known: dict[str, Any] = {}
    if birth is not None:
        known = {"birth_norm": _norms(birth), "birth_mean": _means(birth)}
        if birth_is_known:
            size = np.maximum(known["birth_norm"], np.finfo(np.float32).tiny)
            known["moved"] = _norms(now - birth) / size
    name = str(kernel_name(layer))
    initializer = _initializer(layer, name)
    bias = getattr(layer, "bias", None)
    return ProducerEvidence(
        path=path,
        kind=type(layer).__name__,
        fan_in=len(now),
        norm=norm,
        mean=_means(now),
        bias=None if bias is None else to_numpy(bias, np.float64).reshape(-1),
        initializer=None if initializer is None else type(initializer).__name__,
        birth_bias=_bias_at_birth(layer, bias),
        **known,
    )


def births_known(kernels: dict[str, Kernel]) -> dict[str, bool]:
    """For which layers the values at birth are those that they began with.

    Args:
        kernels: Kernels by path.
    """
    everywhere = _are_related([each.agreement for each in kernels.values()])
    return {
        path: each.is_the_same_at_birth
        or (everywhere if each.now.size < _FEW else _are_related([each.agreement]))
        for path, each in kernels.items()
    }


def _are_related(agreements: list[tuple[float, float, int]]) -> bool:
    """Whether sums of products are larger than those of independent draws."""
    together = sum(each[0] for each in agreements)
    variance = sum(each[1] ** 2 / max(each[2], 1) for each in agreements)
    return bool(together > _SURE * np.sqrt(variance)) and variance > 0


def _copied(layer: Any) -> tuple[Columns, Columns]:
    name = str(kernel_name(layer))
    bias = getattr(layer, "bias", None)
    return (
        copy_of(getattr(layer, name), np.float32),
        np.zeros(1, np.float32) if bias is None else copy_of(bias, np.float32),
    )


def _change(
    before: tuple[Columns, Columns], after: tuple[Columns, Columns]
) -> LayerChange:
    return LayerChange(
        norm=float(np.linalg.norm(after[0])),
        ratio=update_ratio(before[0], after[0]),
        bias_norm=float(np.linalg.norm(after[1])),
        bias_change=float(np.linalg.norm(after[1] - before[1])),
    )


def _does(layer: Any) -> traits.Traits:
    return traits.of(type(layer).__name__)


def _columns(layer: Any, name: str, values: Columns) -> Columns:
    made = {weight.name: weight.axes for weight in _does(layer).makes}
    axes = made.get(name, (-1,))
    values = np.moveaxis(values, axes, range(-len(axes), 0))
    return values.reshape(-1, math.prod(values.shape[-len(axes) :]))


def _at_birth(layer: Any, name: str, variable: Any) -> Columns | None:
    initializer = _initializer(layer, name)
    if initializer is None or np.prod(variable.shape) > MOST_WEIGHTS_AT_BIRTH:
        return None
    made = initializer(tuple(variable.shape), dtype="float32")
    return _columns(layer, name, to_numpy(made, np.float32))


def _bias_at_birth(layer: Any, bias: Any) -> Values | None:
    initializer = _initializer(layer, "bias")
    if bias is None or initializer is None:
        return None
    made = initializer(tuple(bias.shape), dtype="float32")
    return to_numpy(made, np.float64).reshape(-1)


def _initializer(layer: Any, name: str) -> Any:
    """The initializer of a weight, if calling it again changes nothing."""
    found = getattr(layer, f"{name.removesuffix('_kernel')}_initializer", None)
    if found is None and name == "kernel":
        found = getattr(layer, "depthwise_initializer", None)
    if not isinstance(found, keras.initializers.Initializer):
        return None
    if isinstance(getattr(found, "seed", None), keras.random.SeedGenerator):
        return None
    return found


def _norms(columns: Columns) -> Values:
    return np.sqrt(np.square(columns).sum(axis=0, dtype=np.float64))


def _means(columns: Columns) -> Values:
    return columns.mean(axis=0, dtype=np.float64)
