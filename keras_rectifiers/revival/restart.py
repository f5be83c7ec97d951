"""Redraw all weights of a model, so that the signal passes from the first step.

For a network at chance, most of whose units are dead: nothing in it is worth keeping,
and its own initializers may give dead units again. The first layer gets its units in
pairs `w` and `-w`; their outputs are never negative, so each further layer can pass
them on unchanged. The network starts shallow and grows deep.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

import keras
import numpy as np

from keras_rectifiers.live.layers import listed
from keras_rectifiers.live.layers import own_variables
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.results import Result
from keras_rectifiers.revival import restart_kernels as kernels
from keras_rectifiers.revival.restart_kernels import Values
from keras_rectifiers.revival.restart_own import own
from keras_rectifiers.revival.restart_roles import MIRRORED
from keras_rectifiers.revival.restart_roles import OUTPUT
from keras_rectifiers.revival.restart_roles import OWN
from keras_rectifiers.revival.restart_roles import PASSED
from keras_rectifiers.revival.restart_roles import UNITS
from keras_rectifiers.revival.restart_roles import roles
from keras_rectifiers.surgery.live import LiveModel
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

#: Times He's weights: what an output layer starts with, so that it says little.
_OUTPUT = 0.05
#: What a normalization starts with.
_NORM = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}


@dataclasses.dataclass(frozen=True, repr=False)
class Restarted(Result):
    """What a new start did, by the paths of the layers."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("layer", "became", "why")

    #: Hand on what they take, with some noise.
    passed: tuple[str, ...]
    #: Make their units in pairs `w` and `-w`.
    mirrored: tuple[str, ...]
    #: Redrawn otherwise: outputs small, the others by their own initializers.
    drawn: tuple[str, ...]
    #: Why a layer keeps its weights, or some of them.
    kept: Mapping[str, str]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each layer.

        `became` is `"passed"`, `"mirrored"`, `"drawn"` or `"kept"`, and `why` says
        why it was kept.
        """
        drawn = (
            self._row(path, became, "")
            for became in ("passed", "mirrored", "drawn")
            for path in getattr(self, became)
        )
        kept = (self._row(path, "kept", why) for path, why in self.kept.items())
        return [*drawn, *kept]

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        count = len(self.passed) + len(self.mirrored) + len(self.drawn)
        said = (
            f"Redrew the weights of {count} layers, and kept those of {len(self.kept)}."
        )
        rows = (row.values() for row in self.rows)
        return [said, *([Table.of(self.COLUMNS, rows)] if self.rows else [])]


def restart(model: keras.Model, seed: int = 0, noise: float = 0.3) -> Restarted:
    """Redraw all weights of a model, so that the signal passes through it.

    - A Dense or Conv layer that is followed by a rectifier and takes the outputs of
      rectified units passes them on: it becomes the identity, plus `noise` times He
      weights, minus their mean in each unit. A strided window takes the mean over its
      stride.
    - One that takes anything else (the input, flat images, embeddings) gets its units
      in pairs `w1, -w1, w2, -w2, ...`, of which one always fires.
    - One that computes an output of the model gets a twentieth of He weights.
    - The biases of all these become 0.
    - BatchNormalization starts with gamma 1, beta 0, mean 0 and variance 1.
    - Every other layer is redrawn by its own initializers: layers in branches that the
      signal can bypass (residual blocks, gates, attention), layers with a normalization
      before the rectifier, and all other classes. Where a rectifier follows, the biases
      become 0, and a kernel that its initializer would fill with one value gets He
      weights.

    Frozen weights, quantized layers, layers with LoRA weights, layers that are not
    trained (the statistics of `Normalization`, vocabularies), and the states of random
    generators are kept. A shared layer is drawn once. The optimizer
    is not changed: compile the model with a new one.

    Args:
        model: A built Functional or Sequential model; changed in place.
        seed: Of the draw, an int of 0 or more; the same on every backend, except for
            initializers that are not part of Keras. Default 0.
        noise: Factor of the He weights that are added to the identity; 0 or more. With
            0, layers of the same width pass on exactly what they take. Default 0.3.

    Returns:
        What became of each layer that has weights.

    Raises:
        TypeError: If the model is not a `keras.Model`.
        ValueError: If the model is not built, or `seed` or `noise` is negative.
        UnsupportedModelError: If the model's config does not list its layers.

    Example:
        >>> import keras
        >>> from keras_rectifiers.revival import restart
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((4,)),
        ...         keras.layers.Dense(8, activation="relu", name="a"),
        ...         keras.layers.Dense(8, activation="relu", name="b"),
        ...         keras.layers.Dense(1, name="y"),
        ...     ]
        ... )
        >>> done = restart(model, seed=1)
        >>> done.mirrored, done.passed, done.drawn
        (('a',), ('b',), ('y',))

    Reference:
        He et al. 2015 (arXiv:1502.01852) for the variance; Shang et al. 2016
        (arXiv:1603.05201) for units in pairs; Zagoruyko and Komodakis 2017
        (arXiv:1706.00388) for layers that start as the identity. Their union for
        rectified networks is ours.
    """
    _check(seed, noise)
    survey = LiveModel(model).survey
    if not model.built:
        raise ValueError(
            f"A model must be built. Received: {model.name!r}, which has no weights. "
            "Call it once, or give it an Input."
        )
    synchronize(model)
    draw = _Draw(roles(survey), seed, noise)
    for number, (path, layer) in enumerate(listed(model)):
        draw.layer(number, path, layer)
    return draw.result()


class _Draw:
    """Draws layer after layer, and notes what it did."""

    def __init__(self, roles: Mapping[str, str], seed: int, noise: float) -> None:
        self._roles = roles
        self._seed = seed
        self._noise = noise
        self._seen: set[int] = set()
        self._done: dict[str, list[str]] = {PASSED: [], MIRRORED: [], OWN: []}
        self._kept: dict[str, str] = {}

    def result(self) -> Restarted:
        return Restarted(
            tuple(self._done[PASSED]),
            tuple(self._done[MIRRORED]),
            tuple(self._done[OWN]),
            types.MappingProxyType(dict(self._kept)),
        )

    def layer(self, number: int, path: str, layer: Any) -> None:
        """Draw the weights that a layer has itself."""
        variables = [
            each for each in own_variables(layer) if id(each) not in self._seen
        ]
        self._seen.update(map(id, variables))
        if not variables:
            return
        reason = _kept_whole(layer)
        if reason:
            self._kept[path] = reason
            return
        role = self._roles.get(path, OWN)
        if not _plain(layer):
            role = OWN
        rng = np.random.default_rng([self._seed, number])
        left, changed = [], False
        for variable in variables:
            values = self._values(layer, variable, role, rng)
            if values is None:
                left.append(variable.name)
                continue
            if _is_frozen(variable):
                left.append(variable.name)
                continue
            variable.assign(values.astype("float32"))
            changed = True
        if left:
            names = ", ".join(left)
            self._kept[path] = f"frozen, or without its own initializer: {names}"
        if changed:
            self._done[role if role in self._done else OWN].append(path)

    def _values(
        self, layer: Any, variable: Any, role: str, rng: np.random.Generator
    ) -> Values | None:
        shape = tuple(variable.shape)
        if isinstance(layer, keras.layers.BatchNormalization):
            value = _NORM.get(variable.name)
            return None if value is None else np.full(shape, value)
        if role == OWN:
            return own(layer, variable, rng)
        if variable.name == "bias":  # the author's may be what killed
            return np.zeros(shape)
        if role == UNITS:
            values = own(layer, variable, rng)
            same = values is not None and values.size > 1 and np.ptp(values) == 0
            return kernels.he(shape, rng) if same else values
        groups = int(getattr(layer, "groups", 1))
        if role == MIRRORED:
            return kernels.mirrored(shape, rng, groups)
        if role == OUTPUT:
            return _OUTPUT * kernels.he(shape, rng)
        strides = tuple(getattr(layer, "strides", ()))
        causal = getattr(layer, "padding", None) == "causal"
        passing = kernels.identity(shape, groups, strides, causal=causal)
        return passing + self._noise * kernels.balanced(shape, rng)


def _kept_whole(layer: Any) -> str:
    """Why a layer keeps all its weights; empty if it does not."""
    if not layer.trainable:
        return "it is frozen"
    if getattr(layer, "quantization_mode", None):
        return "it is quantized"
    if getattr(layer, "lora_enabled", False):
        return "it has LoRA weights"
    norm = isinstance(layer, keras.layers.BatchNormalization)
    if not norm and not layer._trainable_variables:  # noqa: SLF001 - as above
        return "nothing trains what it has"
    return ""


def _is_frozen(variable: Any) -> bool:
    moving = variable.name in ("moving_mean", "moving_variance")
    return not moving and not variable.trainable


def _plain(layer: Any) -> bool:
    """Whether a layer's weights may be anything: none of it is constrained."""
    return (
        getattr(layer, "kernel_constraint", None) is None
        and getattr(layer, "bias_constraint", None) is None
    )


def _check(seed: int, noise: float) -> None:
    if isinstance(seed, bool) or seed < 0:
        raise ValueError(
            f"seed must be an int of 0 or more. Received: seed={seed!r}. Pass an int "
            "such as 0."
        )
    if not 0 <= noise < float("inf"):
        raise ValueError(
            f"noise must be a finite number of 0 or more. Received: noise={noise!r}. "
            "The default is 0.3."
        )
