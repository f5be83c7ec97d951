"""One compiled pass: outputs, loss, and the moments of what can absorb a shift.

A correcting pass gives each absorber's output the mean that the original had on the
same batch, inside the graph. So one pass shows what a model does whose biases
absorb every shift, and one compiled function serves all slopes.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers.calibration.absorbers import Absorber
from keras_rectifiers.calibration.absorbers import Values
from keras_rectifiers.diagnosis.collect import Collector
from keras_rectifiers.diagnosis.probe import Probe
from keras_rectifiers.live.shadow import shadowed
from keras_rectifiers.live.state import to_numpy

#: What one batch leaves: outputs, loss, and by path the rows mean and variance.
Raw = dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class PassResult:
    """What one pass over samples gave."""

    #: Outputs of each batch, flattened structures.
    outputs: tuple[tuple[np.ndarray, ...], ...]
    #: Mean loss; None where none was measured.
    loss: float | None
    #: By path and for each batch, mean and variance of the absorber's output before
    #: any correction, `(2, channels)`.
    moments: dict[str, tuple[Values, ...]]
    #: Samples of each batch.
    sizes: tuple[int, ...]

    def pooled(self, path: str) -> tuple[Values, Values]:
        """Mean and variance of an absorber's output over all batches."""
        weights = np.asarray(self.sizes, np.float64) / sum(self.sizes)
        means = np.stack([each[0] for each in self.moments[path]])
        variances = np.stack([each[1] for each in self.moments[path]])
        mean = weights @ means
        return mean, weights @ (variances + (means - mean) ** 2)


class CalibrationPass(Probe):
    """Passes of a model with its absorbers in view.

    Args:
        model: The model; not changed.
        absorbers: Its absorbers.
        correct: Whether each absorber's output is given the moments of a reference.
        loss: Whether to compute the loss.
    """

    def __init__(
        self, model: Any, absorbers: Iterable[Absorber], *, correct: bool, loss: bool
    ) -> None:
        self._absorbers = tuple(absorbers)
        self._correct = correct
        self._loss = loss
        super().__init__(model, ())

    def run(
        self, batches: Sequence[Any], reference: PassResult | None = None
    ) -> PassResult:
        """One pass.

        Args:
            batches: `(x, y, sample_weight)` each, where the last two may be None.
            reference: The pass of the original on the same batches; needed by a
                correcting one.
        """
        outputs, losses, sizes = [], [], []
        moments: dict[str, list[Values]] = {}
        for number, (x, y, weight) in enumerate(batches):
            given = {"x": x, "wanted": _wanted(reference, number)}
            if self._loss:
                given["y"] = y
                if weight is not None:
                    given["weight"] = weight
            found: Any = self._step(given)
            outputs.append(
                tuple(ops.convert_to_numpy(each) for each in found["outputs"])
            )
            sizes.append(len(outputs[-1][0]))
            losses.append(float(ops.convert_to_numpy(found["loss"])))
            for path, rows in found["moments"].items():
                moments.setdefault(path, []).append(to_numpy(rows, np.float64))
        loss = float(np.average(losses, weights=sizes)) if self._loss else None
        by_path = {path: tuple(each) for path, each in moments.items()}
        return PassResult(tuple(outputs), loss, by_path, tuple(sizes))

    def reductions(
        self, forward: Any, loss: Any, batch: Any, *, on_host: bool = False
    ) -> Raw:
        """Run a forward pass, correct and reduce on the way; see `Probe`."""
        del on_host  # each pass is compiled
        x = batch["x"]
        sees = Collector(x).sees
        moments: dict[str, list[Any]] = {}

        def see(absorber: Absorber, output: Any) -> Any:
            if isinstance(output, keras.KerasTensor) or not sees(output):
                return output
            mean, variance = _moments(output, absorber.channel_axis)
            moments.setdefault(absorber.path, []).append(ops.stack([mean, variance]))
            wanted = batch["wanted"].get(absorber.path) if self._correct else None
            if wanted is None:
                return output
            return _corrected(absorber, output, mean, variance, wanted)

        with contextlib.ExitStack() as stack:
            for absorber in self._absorbers:
                stack.enter_context(_seen(absorber, see))
            output = forward(x)
        value = ops.zeros(())
        if self._loss:
            value = loss(x, batch["y"], output, batch.get("weight"))
        return {
            "outputs": list(keras.tree.flatten(output)),
            "loss": value,
            # Several calls of a shared layer count alike.
            "moments": {path: _pooled(calls) for path, calls in moments.items()},
        }


def _seen(
    absorber: Absorber, see: Callable[[Absorber, Any], Any]
) -> AbstractContextManager[None]:
    """Pass the output of an absorber, before its activation, through a function."""
    original = getattr(absorber.layer, absorber.attribute)

    def call(*args: Any, **kwargs: Any) -> Any:
        if absorber.normalizes:
            return see(absorber, original(*args, **kwargs))
        return original(see(absorber, args[0]), *args[1:], **kwargs)

    return shadowed(absorber.layer, **{absorber.attribute: call})


def _wanted(reference: PassResult | None, number: int) -> dict[str, Any]:
    if reference is None:
        return {}
    return {
        path: ops.convert_to_tensor(batches[number].astype("float32"))
        for path, batches in reference.moments.items()
    }


def _moments(output: Any, channel_axis: int) -> tuple[Any, Any]:
    output = ops.cast(output, "float32")
    rank = len(output.shape)
    axes = tuple(axis for axis in range(rank) if axis != channel_axis % rank)
    mean = ops.mean(output, axis=axes, keepdims=True)
    variance = ops.mean(ops.square(output - mean), axis=axes)
    return ops.reshape(mean, (-1,)), variance


def _pooled(calls: Sequence[Any]) -> Any:
    means = ops.stack([each[0] for each in calls])
    variances = ops.stack([each[1] for each in calls])
    mean = ops.mean(means, axis=0)
    spread = ops.mean(variances + ops.square(means - mean), axis=0)
    return ops.stack([mean, spread])


def _corrected(
    absorber: Absorber, output: Any, mean: Any, variance: Any, wanted: Any
) -> Any:
    """The output with the mean (and spread) that is wanted."""
    shape = [1] * len(output.shape)
    shape[absorber.channel_axis] = -1

    def spread(values: Any) -> Any:
        return ops.cast(ops.reshape(values, shape), output.dtype)

    if not absorber.normalizes:
        return output + spread(wanted[0] - mean)
    root = ops.sqrt(absorber.ratio(variance, wanted[1], ops))
    return (output - spread(mean)) / spread(root) + spread(wanted[0])
