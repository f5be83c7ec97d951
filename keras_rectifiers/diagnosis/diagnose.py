"""Run data through a model and say what its units do."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras

from keras_rectifiers.diagnosis import criteria
from keras_rectifiers.diagnosis import data as data_sets
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis import widths
from keras_rectifiers.diagnosis.broken import Broken
from keras_rectifiers.diagnosis.criteria import NEVER_POSITIVE
from keras_rectifiers.diagnosis.evidence import gather
from keras_rectifiers.diagnosis.finite import broken_samples
from keras_rectifiers.diagnosis.finite import broken_weights
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.probe import UNCOMPILED
from keras_rectifiers.diagnosis.probe import Probe
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.sample import Sample
from keras_rectifiers.diagnosis.statistics import UnitStatistics
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.graph.roles import OUTPUT
from keras_rectifiers.live import rectifiers as live
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.trace import seen
from keras_rectifiers.live.upstream import Upstream

__all__ = ["Diagnosis", "Diagnostician", "diagnose"]


def diagnose(
    model: Any,
    data: Any,
    *,
    batch_size: int = 32,
    steps: int | None = None,
    dormant_threshold: float = verdicts.DORMANT_THRESHOLD,
    confidence: float = 0.95,
    criterion: str = NEVER_POSITIVE.name,
    gradients: bool = False,
    unit_axes: tuple[int, ...] | None = None,
    explain: bool = True,
) -> Diagnosis:
    """Which units of a model are dead on some data.

    The model runs in inference mode and is not changed. Memory is that of one
    batch, however much data there is.

    Args:
        model: A Keras model: Functional, Sequential or subclassed.
        data: An array, a tuple `(x, y)`, a dict or list of arrays, a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, a torch `DataLoader`, or
            an iterator of batches. Labels are used for gradients only.
        batch_size: Samples in a batch of arrays, default 32; data sets have their
            own.
        steps: Most batches to use, default all.
        dormant_threshold: ReDo's tau, float >= 0, default 0.025.
        confidence: Of the upper bounds, float in (0, 1), default 0.95.
        criterion: What counts as dead: `"never_positive"` (default), `"redo"`,
            `"sagemaker"`, `"autotrainer"` (takes gradients) or `"apoz"`; the
            layers of the result name its reference.
        gradients: Whether to count the samples in which the loss has a gradient for
            each unit, too; the model must be compiled, and the data have labels.
            Default False.
        unit_axes: Axes of the activations that tell units apart, counted with the
            samples as axis 0, such as `(1, 2, 3)` for one unit at each place.
            Default None: channels.
        explain: Whether to look up what silenced units, where there are any, for
            `keras_rectifiers.explain`: a fixed cost, whatever the data. Default True.

    Returns:
        The diagnosis; for a model without rectifiers one without layers, which
        says so when printed.

    Raises:
        DataError: If there is no data, or it does not fit the model.
        TypeError: If the model or the data is something else.
        ValueError: If a number is out of its range.
    """
    observer = Diagnostician(
        model,
        batch_size=batch_size,
        steps=steps,
        dormant_threshold=dormant_threshold,
        confidence=confidence,
        criterion=criterion,
        gradients=gradients,
        unit_axes=unit_axes,
        explain=explain,
        uncompiled=0,
    )
    return observer.diagnose(data)


class Diagnostician:
    """`diagnose` for repeated use on one model: what it compiles, it keeps.

    Args:
        model: A Keras model; not changed. Its weights are read again each time.
        batch_size: See `diagnose`; so are the others.
        explain: Whether to look up what silenced units, where there are any: one
            more pass over a few samples, outside the compiled function.
        batch_statistics: Whether normalizations that are trained use the statistics
            of the batch, as in training.
        uncompiled: Batches that run before the model is compiled for a diagnosis, see
            `Probe`. Default 8.
    """

    def __init__(
        self,
        model: Any,
        *,
        batch_size: int = 32,
        steps: int | None = None,
        dormant_threshold: float = verdicts.DORMANT_THRESHOLD,
        confidence: float = 0.95,
        criterion: str = NEVER_POSITIVE.name,
        gradients: bool = False,
        unit_axes: tuple[int, ...] | None = None,
        explain: bool = True,
        batch_statistics: bool = False,
        uncompiled: int = UNCOMPILED,
    ) -> None:
        if not isinstance(model, keras.Model):
            raise TypeError(
                "model must be a keras.Model. "
                f"Received: {type(model).__name__}. Load a file with "
                "keras.saving.load_model first."
            )
        check_arguments(batch_size, steps, dormant_threshold, confidence)
        self.model = model
        self.batch_size = batch_size
        self.steps = steps
        self.dormant_threshold = dormant_threshold
        self.confidence = confidence
        self.criterion = criteria.criterion(criterion)
        self.gradients = gradients or self.criterion.needs_gradients
        self.unit_axes = unit_axes
        self.explain = explain
        self.batch_statistics = batch_statistics
        self.uncompiled = uncompiled
        if self.gradients and not model.compiled:
            raise ValueError(
                "Gradients are those of the model's loss. Received: model "
                f"{model.name!r}, which is not compiled. Call model.compile(loss=...)."
            )
        self._probe: Probe | None = None
        self._ends: frozenset[str] | None = None

    def diagnose(self, data: Any) -> Diagnosis:
        """The diagnosis of the model as it is now.

        Args:
            data: See `diagnose`.
        """
        batches = data_sets.batches(
            data, batch_size=self.batch_size, steps=self.steps, labels=self.gradients
        )
        first = next(batches, None)
        if first is None:
            raise DataError(
                "A diagnosis needs one batch at least. Received: data without "
                "samples. Check the path, the filter or the generator."
            )
        inputs = self._inputs(first)
        data_sets.check_fits(self.model, inputs)
        with _explained(self.model), self._labelled(first):
            probe = self._prepared(inputs)
            if not probe.rectifiers:
                broken = Broken(broken_weights(self.model))
                return Diagnosis(self.model.name, (), broken=broken)
            measured = probe.measure([first])
        bad = [broken_samples(inputs)]
        sample = Sample(gather.SAMPLES)
        self._sampled(sample, inputs)
        with self._labelled(first):
            measured = probe.measure(self._checked(batches, bad, sample), measured)
        found = dataclasses.replace(
            self.judge(probe.rectifiers, measured),
            broken=Broken(broken_weights(self.model), sum(bad)),
        )
        evidence = self._evidence(probe, found, sample.taken(inputs))
        return _with_ends(dataclasses.replace(found, evidence=evidence))

    def judge(
        self,
        rectifiers: Iterable[live.LiveRectifier],
        measured: Mapping[str, UnitStatistics],
    ) -> Diagnosis:
        """The diagnosis of what was measured, with the slopes of now.

        Args:
            rectifiers: All that were watched.
            measured: Statistics by path, or by path and width; of one that is
                absent nothing was seen.
        """
        layers: list[LayerDiagnosis] = []
        unseen = []
        rectifiers = tuple(rectifiers)
        if self._ends is None:
            self._ends = frozenset(Upstream(self.model).ends(rectifiers))
        for each in rectifiers:
            found = [
                self._layer(each, name, statistics)
                for name, statistics in measured.items()
                if widths.is_of(name, each.path, statistics.units)
            ]
            layers += sorted(found, key=lambda layer: layer.units)
            if not found:
                unseen.append(each.path)
        made = Diagnosis(self.model.name, tuple(layers), tuple(unseen))
        if not made.count(verdicts.NOT_FINITE):
            return made
        broken = Broken(broken_weights(self.model))
        return dataclasses.replace(made, broken=broken)

    def _evidence(
        self, probe: Probe, found: Diagnosis, x: Any
    ) -> gather.Evidence | None:
        """What speaks for each cause, where there is something to explain."""
        healthy = (verdicts.DORMANT, verdicts.LINEAR, verdicts.ALIVE)
        if not self.explain or found.count(*healthy) == found.units:
            return None
        return gather.collect(self.model, probe.rectifiers, x)

    def _prepared(self, first: Any) -> Probe:
        """The compiled probe, made when the model is first seen with data."""
        if self._probe is None:
            if not all(layer.built for layer in flat(self.model)):
                self.model(data_sets.first_samples(first, 1))
            self._probe = Probe(
                self.model,
                seen(self.model),
                unit_axes=self.unit_axes,
                gradients=self.gradients,
                batch_statistics=self.batch_statistics,
                uncompiled=self.uncompiled,
            )
        return self._probe

    @contextlib.contextmanager
    def _labelled(self, batch: Any) -> Iterator[None]:
        """Say of gradients that cannot be taken that it may be the labels."""
        try:
            yield
        except RectifierError:
            raise
        except Exception as error:
            if not self.gradients:
                raise
            shapes = [tuple(each.shape) for each in keras.tree.flatten(batch[1])]
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise DataError(
                "The labels must fit the model's loss, of which gradients are taken. "
                f"Received: labels of shape {', '.join(map(str, shapes)) or None} for "
                f"{self.model.name!r} ({lines[0]}). Give those that it trains on."
            ) from error

    def _inputs(self, batch: Any) -> Any:
        return batch[0] if self.gradients else batch

    def _checked(
        self, batches: Iterator[Any], bad: list[int], sample: Sample
    ) -> Iterator[Any]:
        """Batches that fit; how many of their samples are not finite is noted."""
        for batch in batches:
            inputs = self._inputs(batch)
            data_sets.check_fits(self.model, inputs)
            bad.append(broken_samples(inputs))
            self._sampled(sample, inputs)
            yield batch

    def _sampled(self, sample: Sample, inputs: Any) -> None:
        """Let a batch pass by, where something may have to be explained."""
        if self.explain:
            sample.add(inputs)

    def _layer(
        self, rectifier: live.LiveRectifier, name: str, statistics: UnitStatistics
    ) -> LayerDiagnosis:
        place = rectifier.path, statistics.units
        units = self._probe.shapes.get(place) if self._probe else None
        if units is None:
            slopes, keeps_gradient = rectifier.slopes(statistics.units)
        else:
            slopes, keeps_gradient = units.slopes(rectifier)
        return LayerDiagnosis(
            layer=name,
            statistics=statistics,
            slopes=slopes,
            keeps_gradient=keeps_gradient,
            learns=rectifier.learns,
            cap=rectifier.function.max_value,
            dormant_threshold=self.dormant_threshold,
            confidence=self.confidence,
            criterion=self.criterion,
            unit_shape=None if units is None else units.shape,
            role=OUTPUT if rectifier.path in (self._ends or ()) else None,
        )


def _with_ends(found: Diagnosis) -> Diagnosis:
    """The diagnosis with the outputs that only running the model shows."""
    ends = getattr(found.evidence, "ends", ())
    layers = tuple(
        dataclasses.replace(each, role=OUTPUT) if each.layer in ends else each
        for each in found.layers
    )
    return dataclasses.replace(found, layers=layers)


def check_arguments(
    batch_size: int, steps: int | None, dormant_threshold: float, confidence: float
) -> None:
    """Refuse numbers that are out of their range.

    Raises:
        ValueError: Names the argument, its range and what was received.
    """
    if batch_size < 1:
        raise ValueError(
            f"batch_size must be at least 1. Received: batch_size={batch_size}."
        )
    if steps is not None and steps < 1:
        raise ValueError(
            f"steps must be at least 1. Received: steps={steps}. "
            "Pass None for all the data."
        )
    if not dormant_threshold >= 0:
        raise ValueError(
            "dormant_threshold must be >= 0. "
            f"Received: dormant_threshold={dormant_threshold}."
        )
    if not 0 < confidence < 1:
        raise ValueError(
            "confidence must lie between 0 and 1. "
            f"Received: confidence={confidence}. Pass 0.95 for 95 %."
        )


@contextlib.contextmanager
def _explained(model: Any) -> Iterator[None]:
    """Say of a model that declares no inputs that it may be the data."""
    try:
        yield
    except (ValueError, TypeError, RuntimeError) as error:
        if getattr(model, "inputs", None):
            raise
        raise DataError(
            f"The model must be able to compute the data. Received: a batch that "
            f"{type(model).__name__} {model.name!r} does not accept: {error} "
            "Check the shape and the keys of the data."
        ) from error
