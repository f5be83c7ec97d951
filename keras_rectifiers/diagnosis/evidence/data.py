"""What speaks for or against each cause of dead units, as plain data.

Taken while a model is at hand (`evidence.collect`), so that an explanation needs the
diagnosis only. Arrays are numpy, one value for each unit; what could not be found out
is None. Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from keras_rectifiers.diagnosis.statistics import Values


@dataclasses.dataclass(frozen=True)
class Spread:
    """Where the numbers of an array lie; those that are not finite are left out."""

    #: Mean of the finite numbers, NaN without any.
    mean: float
    #: Their standard deviation.
    std: float
    #: Least of them.
    minimum: float
    #: Greatest of them.
    maximum: float
    #: Share of the numbers that are NaN or infinite, 0..1.
    not_finite: float = 0.0
    #: Root of the mean variance over samples, each feature by itself; 0 where all
    #: samples are the same.
    std_over_samples: float = float("nan")

    @property
    def rms(self) -> float:
        """Root of the mean square."""
        return float(np.hypot(self.mean, self.std))


@dataclasses.dataclass(frozen=True)
class ModelInput:
    """One input of the model, as it was given."""

    #: Name of the input, or its place.
    name: str
    #: Such as `"uint8"` or `"float32"`.
    dtype: str
    #: Its numbers.
    spread: Spread


@dataclasses.dataclass(frozen=True, eq=False)
class ProducerEvidence:
    """The layer whose kernel makes the pre-activations of a rectifier."""

    #: Path of the layer in the model.
    path: str
    #: Its class, such as `"Dense"`.
    kind: str
    #: Weights that go into one unit.
    fan_in: int
    #: Norm of each unit's weights, shape `(units,)`.
    norm: Values
    #: Mean of each unit's weights.
    mean: Values
    #: Bias of each unit; None without.
    bias: Values | None
    #: Class of the kernel's initializer; None where it is not one of Keras.
    initializer: str | None = None
    #: Norm of each unit's weights as the initializer makes them.
    birth_norm: Values | None = None
    #: Mean of each unit's weights as the initializer makes them.
    birth_mean: Values | None = None
    #: Bias of each unit as its initializer makes it.
    birth_bias: Values | None = None
    #: Norm of the way from birth to now over `birth_norm`. None where the values at
    #: birth cannot be made again, as after loading a file whose seed is not in it.
    moved: Values | None = None
    #: What the layer takes.
    takes: Spread | None = None

    @property
    def he_norm(self) -> float:
        """Norm of a unit's weights after He's initialization: sqrt(2).

        He et al. 2015 (arXiv:1502.01852), equation 10: the variance of each of
        `fan_in` weights is `2 / fan_in`.
        """
        return float(np.sqrt(2.0))

    @property
    def rms(self) -> float:
        """Root of the mean square of the kernel."""
        return float(np.sqrt(np.mean(np.square(self.norm)) / self.fan_in))


@dataclasses.dataclass(frozen=True, eq=False)
class NormalizationEvidence:
    """The normalization between a producer and its rectifier."""

    #: Path of the layer in the model.
    path: str
    #: Its class, such as `"BatchNormalization"`.
    kind: str
    #: Factor of each unit; ones where the layer has none.
    gamma: Values
    #: Shift of each unit; zeros where the layer has none.
    beta: Values
    #: Whether it works with moving statistics, as BatchNormalization does.
    moving: bool


@dataclasses.dataclass(frozen=True, eq=False)
class MovingEvidence:
    """The moving statistics of a BatchNormalization, and what its batch has.

    Looked at while every BatchNormalization normalizes with the statistics of the
    batch, as in training: what a layer takes is what it took there. Arrays have one
    value for each channel.
    """

    #: Path of the layer in the model.
    path: str
    #: Its moving mean.
    mean: Values
    #: Its moving variance.
    variance: Values
    #: Mean of what it takes, over samples and positions.
    batch_mean: Values
    #: Variance of what it takes.
    batch_variance: Values
    #: Standard error of `batch_mean`, samples taken as independent.
    mean_error: Values
    #: Standard error of `batch_variance`.
    variance_error: Values
    #: What the layer adds to a variance.
    epsilon: float
    #: Share of the old moving statistics that a step of training keeps.
    momentum: float
    #: Whether it is frozen: then training uses the moving statistics, too.
    frozen: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class RectifierEvidence:
    """What is known of one rectifier; pre-activations over samples and positions."""

    #: Path of the rectifier, as in the diagnosis.
    path: str
    #: Mean pre-activation of each unit.
    mean: Values
    #: Its standard deviation.
    std: Values
    #: Its greatest value.
    maximum: Values
    #: Root of its mean variance over samples, each position by itself: 0 where the
    #: unit takes the same values from every sample.
    std_over_samples: Values
    #: Whose kernel makes them; None where that is not known.
    producer: ProducerEvidence | None = None
    #: What normalizes them; None without.
    normalization: NormalizationEvidence | None = None
    #: Paths of the rectifiers before it; None where the wiring cannot be read.
    upstream: tuple[str, ...] | None = None
    #: Greatest value of each unit where every BatchNormalization normalizes with the
    #: statistics of the batch; None where that was not looked at.
    batch_maximum: Values | None = None
    #: Paths of the BatchNormalization layers before it; None where the wiring cannot
    #: be read.
    norms: tuple[str, ...] | None = None

    @property
    def shift(self) -> Values:
        """What is added to each unit last: beta, the bias, or 0."""
        if self.normalization is not None:
            return self.normalization.beta
        if self.producer is not None and self.producer.bias is not None:
            return self.producer.bias
        return np.zeros_like(self.mean)


@dataclasses.dataclass(frozen=True)
class LayerChange:
    """How far the weights of one layer went between two measurements."""

    #: Norm of the kernel now.
    norm: float
    #: Norm of the kernel's change over its norm before; 0 at the first measurement.
    ratio: float
    #: Norm of the bias now; 0 without.
    bias_norm: float
    #: Norm of the bias' change.
    bias_change: float


@dataclasses.dataclass(frozen=True)
class Training:
    """What the model's optimizer tells."""

    #: Class of the optimizer.
    optimizer: str
    #: Its learning rate at its present step.
    learning_rate: float
    #: Steps taken; 0 for a model that was never trained.
    iterations: int
    #: Whether a step moves each weight by about the learning rate, however small
    #: the gradient: Adam and its kin, RMSprop, Lion, not SGD.
    scale_free: bool
    #: Of SGD, 0 without: a lasting gradient takes 1 / (1 - momentum) times as long
    #: steps.
    momentum: float = 0.0
    #: Norm of the next step over that of the kernel, by rectifier, as the moments of
    #: the optimizer have it; the gradient of a dead unit is 0, and they forget.
    step_ratio: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def effective_rate(self) -> float:
        """The learning rate that a lasting gradient meets."""
        return self.learning_rate / max(1 - self.momentum, 1e-6)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What was looked up in a model in addition to the counts of a diagnosis."""

    #: Samples that were looked at, drawn from all data.
    samples: int
    #: The inputs of the model.
    inputs: tuple[ModelInput, ...] = ()
    #: One entry for each rectifier that was called, in the order of the calls.
    rectifiers: tuple[RectifierEvidence, ...] = ()
    #: The BatchNormalization layers that were called.
    norms: tuple[MovingEvidence, ...] = ()
    #: Paths of rectifiers that make an output of the model, as the pass showed.
    ends: tuple[str, ...] = ()
    #: None for a model without optimizer.
    training: Training | None = None
    #: `(step, {rectifier: change})` for each measurement in a training run.
    history: tuple[tuple[int, Mapping[str, LayerChange]], ...] = ()
    #: Why the batch could not be looked at; empty if it could.
    problem: str = ""

    def rectifier(self, path: str) -> RectifierEvidence | None:
        """What is known of a rectifier; None if nothing is.

        Args:
            path: Its path.
        """
        return next((each for each in self.rectifiers if each.path == path), None)

    def norm(self, path: str) -> MovingEvidence | None:
        """What is known of a BatchNormalization; None if nothing is.

        Args:
            path: Its path.
        """
        return next((each for each in self.norms if each.path == path), None)
