"""One eager forward pass: what rectifiers and the layers before them take."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis import widths
from keras_rectifiers.diagnosis.evidence.data import Spread
from keras_rectifiers.diagnosis.statistics import Values
from keras_rectifiers.live.rectifiers import LAYER
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.state import inference_mode
from keras_rectifiers.live.state import no_gradients
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.live.tap import tap

#: Errors of models that run compiled and not eagerly.
REFUSALS = (ValueError, TypeError, RuntimeError, AttributeError, NotImplementedError)


@dataclasses.dataclass(frozen=True, eq=False)
class UnitSpread:
    """Where the pre-activations of each unit lie; arrays of shape `(units,)`."""

    mean: Values
    std: Values
    maximum: Values
    std_over_samples: Values

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> UnitSpread:
        """Of an array of shape `(samples, positions, units)`."""
        wide = values.astype(np.float64)
        return cls(
            wide.mean(axis=(0, 1)),
            wide.std(axis=(0, 1)),
            wide.max(axis=(0, 1)),
            np.sqrt(wide.var(axis=0).mean(axis=0)),
        )

    def joined(self, other: UnitSpread) -> UnitSpread:
        """Of two calls on the same samples."""
        return UnitSpread(
            (self.mean + other.mean) / 2,
            np.sqrt((np.square(self.std) + np.square(other.std)) / 2),
            np.maximum(self.maximum, other.maximum),
            np.maximum(self.std_over_samples, other.std_over_samples),
        )


@dataclasses.dataclass(frozen=True)
class Observed:
    """What one pass showed."""

    #: Pre-activations by path and number of units, in the order of the first calls.
    found: dict[tuple[str, int], UnitSpread] = dataclasses.field(default_factory=dict)
    #: What each layer with a kernel takes, by its path.
    inputs: dict[str, Spread] = dataclasses.field(default_factory=dict)
    #: Paths of the rectifiers whose output is one of the model's.
    ends: set[str] = dataclasses.field(default_factory=set)

    @property
    def rectifiers(self) -> dict[str, UnitSpread]:
        """Pre-activations by the names of a diagnosis."""
        return widths.named(self.found)


def look(
    model: Any,
    rectifiers: Iterable[LiveRectifier],
    layers: Mapping[str, Any],
    x: Any,
) -> tuple[Observed, str]:
    """Run a batch through a model and keep what the tap shows.

    Args:
        model: A built Keras model; not changed.
        rectifiers: The rectifiers to look at.
        layers: Layers whose input is looked at, by path.
        x: The batch.

    Returns:
        What was seen, and why the pass was not finished (empty if it was).
    """
    calls = Observed()
    rectifiers = tuple(rectifiers)
    samples = int(keras.tree.flatten(x)[0].shape[0])
    inputs = [
        LiveRectifier(path, LAYER, layer, rectifiers[0].function)
        for path, layer in layers.items()
    ]

    def receive_input(layer: LiveRectifier, given: Any, _: Any) -> None:
        found = spread(given)
        if found is not None:
            calls.inputs.setdefault(layer.path, found)

    given: dict[str, Any] = {}

    def receive(rectifier: LiveRectifier, pre: Any, post: Any) -> None:
        found = unit_spread(rectifier, pre, samples)
        if found is None:
            return
        # A weak reference: the activations of a whole model are not kept.
        given[rectifier.path] = weakref.ref(post)
        place = rectifier.path, len(found.mean)
        before = calls.found.get(place)
        calls.found[place] = before.joined(found) if before else found

    try:
        with tap(inputs, receive_input), tap(rectifiers, receive), no_gradients():
            outputs = keras.tree.flatten(model(x, **inference_mode(model)))
    except REFUSALS as error:
        return calls, f"{type(error).__name__}: {error}"
    made = {id(output) for output in outputs}
    calls.ends.update(path for path, each in given.items() if id(each()) in made)
    return calls, ""


def unit_spread(rectifier: LiveRectifier, pre: Any, samples: int) -> UnitSpread | None:
    """Where the pre-activations of one call lie, counted from the threshold.

    Args:
        rectifier: Whose call it is.
        pre: The pre-activation.
        samples: Samples of the batch.

    Returns:
        None if it holds no numbers.
    """
    values = numbers(pre)
    if values is None:
        return None
    values = values - rectifier.function.threshold
    return UnitSpread.of(arranged(values, rectifier.channel_axis, samples))


def spread(tensor: Any) -> Spread | None:
    """Where the numbers of a tensor lie; None if it holds no numbers.

    Args:
        tensor: A tensor, samples in front.
    """
    values = numbers(tensor)
    if values is None or values.size == 0:
        return None
    finite = np.isfinite(values)
    share = 1 - float(finite.mean())
    if share == 1:
        nan = float("nan")
        return Spread(nan, nan, nan, nan, share)
    kept = np.where(finite, values, np.nan) if share else values
    wide = kept.astype(np.float64)
    return Spread(
        float(np.nanmean(wide)),
        float(np.nanstd(wide)),
        float(np.nanmin(wide)),
        float(np.nanmax(wide)),
        share,
        float(np.sqrt(np.mean(wide.var(axis=0)))) if not share else float("nan"),
    )


def numbers(tensor: Any) -> npt.NDArray[Any] | None:
    """A plain tensor as an array of floats; None for anything else.

    Args:
        tensor: A tensor.
    """
    if isinstance(tensor, keras.KerasTensor) or not hasattr(tensor, "dtype"):
        return None
    try:
        values = to_numpy(tensor)
    except REFUSALS:
        return None  # inside a loop of the graph, ragged, or strings
    if values.dtype.kind in "SUO" or values.ndim == 0:
        return None
    return values if values.dtype == np.float32 else values.astype(np.float32)


def arranged(
    values: npt.NDArray[Any], channel_axis: int, samples: int
) -> npt.NDArray[Any]:
    """An array as `(samples, positions, units)`; see `reduce.per_sample`.

    Args:
        values: Samples in front.
        channel_axis: Axis of the units.
        samples: Samples of the batch.
    """
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim > 2:  # noqa: PLR2004 - positions beside samples and units
        values = np.moveaxis(values, channel_axis, -1)
    rows = samples if len(values) % max(samples, 1) == 0 else len(values)
    return values.reshape(rows, -1, values.shape[-1])
