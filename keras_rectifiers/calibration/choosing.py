"""The verb: choose the slope of each rectifier from data, and convert."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.calibration import objective
from keras_rectifiers.calibration.bench import Bench
from keras_rectifiers.calibration.planning import Chosen
from keras_rectifiers.calibration.result import Calibration
from keras_rectifiers.calibration.samples import held
from keras_rectifiers.calibration.trial import Trial
from keras_rectifiers.graph.roles import HIDDEN
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.surgery.selection import Names
from keras_rectifiers.surgery.selection import Selection

#: The slopes that are tried.
CANDIDATES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3)
#: How far the model may move.
MAX_CHANGE = 0.01
#: Samples on which the change is measured.
SAMPLES = 1024


def calibrate(
    model: Any,
    data: Any,
    *,
    to: str = specs.LEAKY_RELU,
    candidates: Sequence[float] = CANDIDATES,
    max_change: float = MAX_CHANGE,
    minimum: float = 0.0,
    measure: str | None = None,
    compensate: bool = True,
    samples: int = SAMPLES,
    batch_size: int = 64,
    include: Names = (),
    exclude: Names = (),
    where: Callable[[Site], bool] | None = None,
    roles: Names = (HIDDEN,),
) -> Calibration:
    """Give each ReLU the largest slope that the model tolerates, chosen from data.

    A slope lets a silent unit learn, but changes the model; slope 0 changes nothing. So
    this chooses the largest slopes with which the model as a whole changes by at most
    `max_change`: one slope for all at first, then a larger one for each site that
        tolerates it.
    The result is deterministic: the same model and data give the same slopes.

    Args:
        model: A Functional or Sequential `keras.Model`; not changed.
        data: Data as for `diagnose`; evenly spaced samples of arrays, the first batches
            of datasets.
        to: `"leaky_relu"` (default; sites whose slope is 0 are not changed) or
            `"prelu"`, where the slopes are the starting values of training.
        candidates: Slopes to choose from, finite numbers >= 0.
        max_change: The largest allowed change of the model, float >= 0, default 0.01,
            in terms of `measure`.
        minimum: The smallest slope, default 0. Every site gets it, even if the change
            is then too large; the result says whether it is.
        measure: `"loss"`, the increase of the model's mean loss in its own unit, or
            `"outputs"`, the mean squared change of the outputs as a share of their
            variance. Default None: the loss where the model is compiled with one
            and the data have labels, else the outputs.
        compensate: Whether biases and the moving statistics of BatchNormalization
            absorb the shift of the means that the slopes make. Default True.
        samples: Most samples to measure on, default 1024. They are kept in memory,
            together with their outputs.
        batch_size: Samples in a batch of arrays, default 64.
        include: Globs on paths, as for `plan`; this also applies to the next three.
        exclude: Globs; these sites are left as they are.
        where: A predicate on the `Site`: `lambda site: site.path in silent`.
        roles: Roles to give slopes.

    Returns:
        The slopes, what they change, and the converted model.

    Raises:
        DataError: No data, data with NaN, or data that do not match the model.
        SelectionError: The selection matches nothing.
        TypeError: The model is not a model, or cannot be converted.
        UnsupportedModelError: The model cannot be converted.
        ValueError: An argument is out of range.

    Example:
        >>> import keras, keras_rectifiers, numpy
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((4,)),
        ...         keras.layers.Dense(8, activation="relu", name="h"),
        ...         keras.layers.Dense(2),
        ...     ]
        ... )
        >>> x = numpy.linspace(-1, 1, 80).reshape(20, 4)
        >>> found = keras_rectifiers.calibrate(model, x, minimum=0.05)
        >>> found.slopes["h"] >= 0.05
        True
    """
    _check(
        to,
        candidates,
        {"max_change": max_change, "minimum": minimum},
        measure,
        {"samples": samples, "batch_size": batch_size},
    )
    selection = Selection((specs.RELU,), include, exclude, where, roles)
    trial = Trial(model, selection)
    taken = held(model, data, samples=samples, batch_size=batch_size)
    bench = Bench(trial, taken, measure, correcting=compensate)
    units = bench.units()
    found = bench.search(candidates, minimum=minimum, max_change=max_change)
    uncompensated = bench.changes()
    bench.compensate()
    plan = trial.planned(Chosen(to, chosen=found.slopes))
    changed = trial.opened.apply(plan)
    bench.give(changed)
    changes = bench.changes()
    return Calibration(
        model=changed,
        plan=plan,
        slopes=found.slopes,
        units={path: count for path, (count, _) in units.items()},
        silent={path: silent for path, (_, silent) in units.items()},
        measure=bench.measure,
        max_change=float(max_change),
        change=changes[bench.measure],
        change_uncompensated=uncompensated[bench.measure],
        change_of_outputs=changes[objective.OUTPUTS],
        before=bench.before,
        after=objective.metrics(changed, taken),
        **_compensation(bench, found.slopes, compensate=compensate),
        samples=taken.count,
        passes=found.passes,
    )


def _compensation(
    bench: Bench, slopes: Mapping[str, float], *, compensate: bool
) -> dict[str, dict[str, str]]:
    """For each site with a slope, what absorbs its shift, or why nothing does."""
    taken: dict[str, str] = {}
    left: dict[str, str] = {}
    for path, found in bench.absorption().items():
        if not slopes[path]:
            continue
        if not compensate:
            left[path] = "not asked for"
        elif found.stays:
            left[path] = found.stays
        else:
            taken[path] = ", ".join(found.absorbers)
    return {"compensated": taken, "uncompensated": left}


def _check(
    to: str,
    candidates: Sequence[float],
    numbers: Mapping[str, float],
    measure: str | None,
    counts: Mapping[str, int],
) -> None:
    """Refuse arguments that are out of range."""
    if to not in (specs.LEAKY_RELU, specs.PRELU):
        raise ValueError(
            f"to must be {specs.LEAKY_RELU!r} or {specs.PRELU!r}. Received: to={to!r}."
        )
    if not len(candidates) or not all(_is_slope(each) for each in candidates):
        raise ValueError(
            "candidates must be one or more finite numbers >= 0. Received: "
            f"candidates={candidates!r}. The default is {CANDIDATES}."
        )
    for name, value in numbers.items():
        if not _is_slope(value):
            raise ValueError(
                f"{name} must be a finite number >= 0. Received: {name}={value!r}."
            )
    if measure not in (None, *objective.MEASURES):
        raise ValueError(
            f"measure must be one of {', '.join(map(repr, objective.MEASURES))} or "
            f"None. Received: measure={measure!r}."
        )
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1. Received: {name}={count}.")


def _is_slope(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < math.inf
