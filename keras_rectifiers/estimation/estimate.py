"""Estimate the units of a model from its weights alone: no data, and no Keras.

It makes two statements of different strength. A BatchNormalization right before a
rectifier shows how often each unit should fire. Intervals, propagated from the range of
the inputs, prove what a unit can never do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.conversion.given_functions import handed_over
from keras_rectifiers.conversion.opened import open_model
from keras_rectifiers.conversion.options import Options
from keras_rectifiers.conversion.registered import with_registered
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.estimation.bounds import Bounds
from keras_rectifiers.estimation.bounds import Shape
from keras_rectifiers.estimation.bounds import anything
from keras_rectifiers.estimation.bounds import interval
from keras_rectifiers.estimation.engine import Engine
from keras_rectifiers.estimation.engine import ReadWeights
from keras_rectifiers.estimation.engine import Seen
from keras_rectifiers.estimation.layer_estimate import LayerEstimate
from keras_rectifiers.estimation.moments import BATCH_NORM
from keras_rectifiers.estimation.moments import RECTIFIED
from keras_rectifiers.estimation.moments import SUM
from keras_rectifiers.estimation.result import Estimate
from keras_rectifiers.estimation.sources import LiveSource
from keras_rectifiers.estimation.sources import PlacedSource
from keras_rectifiers.files import remote
from keras_rectifiers.graph import traits
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey

__all__ = ["Estimate", "estimate"]

#: Fraction of positions below which a unit counts as unlikely to fire.
LEVEL = 1e-4
#: Most units that a model may have; NASNetLarge has about 100,000.
MAX_UNITS = 1 << 23


@remote.urls("model", "weights")
@with_registered
def estimate(
    model: Any,
    *,
    input_range: Any = None,
    level: float = LEVEL,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Estimate:
    """What the units of a model can do, from its weights alone.

    A file is read one layer at a time, without Keras, and nothing in it runs.

    Args:
        model: The path of a saved model, `.keras`, `.h5` or a SavedModel folder of
            any Keras, or a live Functional or Sequential `keras.Model`.
        input_range: `(lo, hi)`, for which the proofs hold: numbers, or arrays that
            broadcast to one sample. For several inputs a dict by name is also accepted;
            inputs that it omits have no range. Default None: no range, so that only
            what holds for every input is proven.
        level: Fraction of positions below which a unit counts as unlikely to fire,
            float in 0..1, default 1e-4.
        weights: File of the weights, where `model` is the JSON of an architecture.
        input_shape: The shape that a saved Sequential takes, with the batch axis,
            where it cannot be inferred from its file or its weights.
        custom_objects: As for `plan`: needed for a model whose layers are created in
            Python code.

    Returns:
        The estimate. A unit is `dead` or `linear` where that is proven for every input
        in the range, however the network rounds; `p_active` is the fraction of
        positions at which it should fire if its pre-activation has a normal
        distribution with the moving statistics of the BatchNormalization before it;
        after a sum, the branches are assumed to be independent (`basis`).

    Raises:
        ArchiveError: The file is missing, damaged, foreign, or inconsistent.
        UnsupportedModelError: The model's config does not list its layers.
        ValueError: The range or the level is invalid.

    Reference:
        Ioffe & Szegedy 2015 (arXiv:1502.03167), section 3: the mean and variance after
        a batch normalization. Moore, Kearfott & Cloud 2009, Introduction to
        Interval Analysis, chapter 5: inclusion of ranges by interval extension.

    Example:
        >>> import keras, keras_rectifiers
        >>> model = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(8, "relu", name="h")]
        ... )
        >>> model.layers[0].bias.assign([-100.0] * 8) is None
        False
        >>> keras_rectifiers.estimate(model, input_range=(0, 1)).count("dead")
        8
    """
    ranges = _Ranges(input_range)
    if not 0 <= level <= 1:
        raise ValueError(
            f"level must be between 0 and 1. Received: level={level!r}. Pass 1e-4 for "
            "units that fire at less than one position in 10,000."
        )
    if isinstance(model, str | os.PathLike):
        path, model = Path(model), None
        with (
            contextlib.suppress(HiddenLayersError),
            _opened(path, weights, input_shape, custom_objects) as (survey, source),
        ):
            made = _estimated(survey, source.read, ranges, level)
            return dataclasses.replace(made, broken=tuple(source.broken()))
        with Options(custom_objects=custom_objects).opened(path) as coded:
            model = getattr(coded, "model", None)
    from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415 (loads Keras)

    opened = LiveModel(model)
    from keras_rectifiers.diagnosis.finite import broken_weights  # noqa: PLC0415

    made = _estimated(opened.survey, LiveSource(opened).read, ranges, level)
    return dataclasses.replace(made, broken=broken_weights(model))


class _Ranges:
    """The stated ranges of a model's inputs."""

    def __init__(self, given: Any) -> None:
        self._named: dict[str, tuple[Any, Any]] | None = None
        self._every: tuple[Any, Any] | None = None
        self._asked: list[str] = []
        if isinstance(given, Mapping):
            self._named = {str(name): _ends(each) for name, each in given.items()}
        elif given is not None:
            self._every = _ends(given)

    def bounds(self, name: str, shape: Shape | None) -> Bounds:
        """Bounds of one input."""
        self._asked.append(name)
        ends = self._every if self._named is None else self._named.get(name)
        if ends is None:
            return anything(shape, f"the range of input {name!r}, which was not given")
        return interval(*ends, shape)

    def check(self) -> None:
        """Refuse ranges of inputs that the model does not have."""
        unknown = sorted(set(self._named or ()) - set(self._asked))
        if unknown:
            raise ValueError(
                "input_range must name the inputs of the model. Received: "
                f"{unknown}, where the inputs are {self._asked}."
            )

    def __str__(self) -> str:
        if self._named is not None:
            each = (f"{name} in {_words(ends)}" for name, ends in self._named.items())
            return ", ".join(each)
        return "" if self._every is None else f"inputs in {_words(self._every)}"


def _ends(given: Any) -> tuple[Any, Any]:
    try:
        lo, hi = (np.asarray(each, np.float64) for each in given)
        fits = bool((lo <= hi).all())
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            "input_range must be (lo, hi) with lo <= hi. Received: "
            f"{given!r}. For images pass (0, 255), or (0, 1) once they are scaled."
        )
    return lo, hi


def _words(ends: tuple[Any, Any]) -> str:
    lo, hi = ends
    return f"[{lo.min():g}, {hi.max():g}]"


@contextlib.contextmanager
def _opened(
    path: Path,
    weights: str | os.PathLike[str] | None,
    input_shape: Sequence[int | None] | None,
    custom_objects: Mapping[str, Any] | None,
) -> Iterator[tuple[Survey, PlacedSource]]:
    """The document of a saved model, and its weights."""
    with open_model(
        path, weights, input_shape=input_shape, functions=handed_over(custom_objects)
    ) as opened:
        source = PlacedSource(opened.placed, opened.document)
        with wellformed.reading(path, "the weights"):
            yield opened.survey, source


def _estimated(
    survey: Survey, read: ReadWeights, ranges: _Ranges, level: float
) -> Estimate:
    engine = Engine(survey, read, ranges.bounds)
    engine.run()
    ranges.check()
    layers, units = [], 0
    for found in engine.found:
        units += _units(engine, found)
        if units > MAX_UNITS:
            raise ValueError(f"more than {MAX_UNITS} units, at {found.site.path!r}")
        layers.append(_layer(engine, found, level))
    return Estimate(name_of(survey.document), tuple(layers), str(ranges))


def _seen(engine: Engine, found: Found) -> list[Seen]:
    """What each call brings to a rectifier."""
    # One that was never reached is in a wrapper.
    member = engine.calls.view.member(found.places[0])
    inside = f"{member.entry['class_name']} {member.names[-1]!r}"
    nothing = [Seen(anything(None, inside), -1)]
    return engine.seen.get(found.places[0].identity, nothing)


def _units(engine: Engine, found: Found) -> int:
    lengths = [
        len(end)
        for each in _seen(engine, found)
        for end in each.before.along(each.axis)
    ]
    return max([found.site.channels or 1, *lengths])


def _layer(engine: Engine, found: Found, level: float) -> LayerEstimate:
    site, units = found.site, _units(engine, found)
    seen = _seen(engine, found)
    ends = [each.before.along(each.axis) for each in seen]
    lower, upper = (
        which([_each_unit(pair[index], units) for pair in ends], axis=0)
        for index, which in ((0, np.min), (1, np.max))
    )
    slopes, keeps = _slopes(engine, found, units)
    chances, basis = _chances(seen, site.threshold, units)
    return LayerEstimate(
        site.path,
        lower,
        upper,
        chances,
        slopes,
        keeps,
        site.threshold,
        site.max_value,
        level,
        next(filter(None, (_reason(each.before) for each in seen)), ""),
        basis,
    )


def _reason(before: Bounds) -> str:
    finite = np.isfinite(before.lo).all() and np.isfinite(before.hi).all()
    return "" if finite else before.reason or "numbers that may overflow"


def _each_unit(values: Any, units: int) -> Any:
    return np.broadcast_to(values, (units,))


def _slopes(engine: Engine, found: Found, units: int) -> tuple[Any, Any]:
    """Slope of each unit, and whether any of its positions has one."""
    slopes = np.atleast_1d(np.asarray(engine.slopes(found), np.float64))
    axis = traits.slope_axis(found.site.channel_axis, slopes.ndim)
    moved = np.moveaxis(slopes, axis, -1).reshape(-1, slopes.shape[axis])
    mean, any_slope = moved.mean(axis=0), (moved != 0).any(axis=0)
    return _each_unit(mean, units), _each_unit(any_slope, units)


def _chances(seen: list[Seen], threshold: float, units: int) -> tuple[Any, str]:
    """Expected share of positions at which each unit fires, and what it rests on."""
    if len({each.before.shape for each in seen}) != 1:
        return None, ""
    chances, basis = [], BATCH_NORM
    for each in seen:
        moments = each.before.moments
        if moments is None or moments.mean.size != units or moments.basis == RECTIFIED:
            return None, ""
        basis = SUM if moments.basis == SUM else basis
        chances.append(moments.chance(threshold).ravel())
    return np.mean(chances, axis=0), basis
