"""One rule for each cause: how strongly the evidence speaks for it, unit by unit.

Moving statistics come first: a unit that they alone silence is not dead in training.
The other rules stand in the order in which things happen: the data, the weights at
birth, training, and the parameters that are left. A unit that an earlier one explains
is not explained once more by what follows from it. A sentence has only the numbers
that speak for its cause. Thresholds without a reference were set
on planted causes (`benchmarks/explain.py`, seeds 0 to 59).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from keras_rectifiers.diagnosis.causes.case import Case
from keras_rectifiers.diagnosis.causes.case import Finding
from keras_rectifiers.diagnosis.causes.case import Flags
from keras_rectifiers.diagnosis.causes.case import Setting
from keras_rectifiers.diagnosis.causes.case import none
from keras_rectifiers.diagnosis.causes.case import ramp
from keras_rectifiers.diagnosis.causes.moving import lagging_statistics
from keras_rectifiers.diagnosis.evidence.data import NormalizationEvidence
from keras_rectifiers.diagnosis.evidence.data import ProducerEvidence
from keras_rectifiers.diagnosis.evidence.data import Spread
from keras_rectifiers.diagnosis.statistics import Values

#: Root mean square of what the first layer takes, where unit range has at most 1.
#: Networks still train on 8 (digits in 0..16) and fail on pixels in 0..255.
INPUT_RMS = (6.0, 25.0)
#: Mean of the input over its standard deviation; images in 0..1 have about 2.
INPUT_OFFSET = (3.0, 6.0)
#: Way from birth over the norm at birth, below which a unit was never trained.
UNMOVED = 0.02
#: Norm at birth over that of He et al. 2015; Glorot's and LeCun's lie in 0.3..1.
BIRTH_SCALE = (2.0, 4.0)
#: Mean of a layer's weights at birth over the random part of a unit's sum.
BIRTH_MEAN = (0.8, 1.5)
#: Way from birth over the norm at birth.
MOVED = (0.6, 1.2)
#: Norm over the norm at birth, where the way is not known.
GROWN = (1.3, 1.7)
#: The same for the tenth of all units that went or grew the farthest.
FAR = (1.5, 2.2)
#: Norm of one step over that of the weights; the rule of thumb is 1e-3.
STEP = (0.02, 0.1)
#: Learning rate over 1 - momentum, times the mean square norm of the input. Plain
#: gradient descent on a layer diverges from 2 over its curvature on, and that is at
#: most half the square norm under a softmax: from 4 on.
CURVATURE = (10.0, 30.0)
#: Bias below 0, in deviations of what it is added to.
BIAS = (0.2, 0.8)
#: beta / |gamma| below which a normal variable is positive once in 200 and in 10,000.
BETA = (2.6, 3.7)


Rule = Callable[[Case, Setting], Finding]


def input_scale(case: Case, setting: Setting) -> Finding:
    """The data are far from unit range, or far from 0 compared with their spread."""
    strengths = [(_input_strength(each), name, each) for name, each in setting.fed]
    strength, name, spread = max(strengths, key=lambda each: each[0], default=_NOTHING)
    far = ramp(spread.rms, *INPUT_RMS) >= ramp(_offset(spread), *INPUT_OFFSET)
    return Finding(
        np.full(case.layer.units, strength),
        f"{name!r} takes values in {spread.minimum:.3g}..{spread.maximum:.3g} (mean "
        f"{spread.mean:.3g}, standard deviation {spread.std:.3g}); weights are made "
        "for a mean near 0 and "
        + ("a deviation near 1." if far else "a deviation that is not far below it."),
    )


def _input_strength(spread: Spread) -> float:
    return float(
        max(ramp(spread.rms, *INPUT_RMS), ramp(_offset(spread), *INPUT_OFFSET))
    )


def _offset(spread: Spread) -> float:
    """The mean compared with the deviation."""
    return abs(spread.mean) / max(spread.std, 1e-30)


_NOTHING = (0.0, "", Spread(0.0, 0.0, 0.0, 0.0))


def initialization(case: Case, setting: Setting) -> Finding:
    """The units were born dead, or with weights of the wrong size or sign."""
    producer = case.producer
    if producer is None:
        return none(case)
    without_bias = case.known.maximum - case.known.shift
    born_dead = _unmoved(producer, setting) & (without_bias <= 0)
    scale, mean = _birth(producer)
    sign = 1.0 if producer.takes is None else np.sign(producer.takes.mean)
    too_large = float(ramp(scale, *BIRTH_SCALE))
    downwards = float(ramp(-mean * sign, *BIRTH_MEAN))
    zeros = float(scale == 0)
    clauses = []
    if too_large or zeros:
        clauses.append(f"weights at birth of {scale:.2f} times He's size")
    if downwards:
        clauses.append(
            f"weights at birth with a mean of {mean:+.2f} times the random part of a "
            "unit's sum"
        )
    count = int((born_dead & case.silent).sum())
    if count:
        clauses.append(
            f"{count} of {case.silent.sum()} silent units have the weights that they "
            "were born with"
        )
    return Finding(
        np.maximum(np.where(born_dead, 0.9, 0.0), max(too_large, downwards, zeros)),
        f"{producer.path!r} ({producer.initializer or 'unknown initializer'}): "
        f"{'; '.join(clauses)}.",
    )


def _unmoved(producer: ProducerEvidence, setting: Setting) -> np.ndarray:
    """Units whose weights are those at birth."""
    if producer.moved is not None:
        return producer.moved <= UNMOVED
    # The first gradient moves a bias; one that is exactly as born never got any.
    if producer.bias is not None and producer.birth_bias is not None:
        return producer.bias == producer.birth_bias
    training = setting.evidence.training
    untrained = training is not None and training.iterations == 0
    return np.full(len(producer.norm), untrained)


def _birth(producer: ProducerEvidence) -> tuple[float, float]:
    """Norm of a unit at birth over He's, and the weight of the mean in its sum."""
    norm, mean = producer.birth_norm, producer.birth_mean
    if norm is None or mean is None:
        return 1.0, 0.0
    square = float(np.mean(np.square(norm)))
    centre = float(np.mean(mean))
    random = max(square - producer.fan_in * centre**2, 0.0)
    weight = producer.fan_in * centre / np.sqrt(producer.fan_in)
    return np.sqrt(square) / producer.he_norm, weight / max(np.sqrt(random), 1e-12)


def learning_rate(case: Case, setting: Setting) -> Finding:
    """Steps were so long that weights were thrown far from where they began."""
    producer = case.producer
    training = setting.evidence.training
    if producer is None or (training is not None and not training.iterations):
        return none(case)
    own, everywhere = _thrown(producer), _thrown_everywhere(setting)
    step, curvature = _longest_step(setting), _curvature(setting)
    optimizer = max(float(ramp(step, *STEP)), float(ramp(curvature, *CURVATURE)))
    scores = np.maximum(
        np.minimum(np.maximum(own, 0.8 * everywhere), everywhere), optimizer
    )
    return Finding(scores, _learning_rate_sentence(producer, setting))


def _curvature(setting: Setting) -> float:
    """The learning rate of SGD times the mean square norm of the first input.

    0 where layers are normalized, which makes their scale, and with it the length of
    a step, their own affair.
    """
    training = setting.evidence.training
    if training is None or training.scale_free:
        return 0.0
    if any(case.known.normalization is not None for case in setting.cases):
        return 0.0
    squares = [
        each.fan_in * each.takes.rms**2
        for each in setting.producers
        if each.takes is not None and np.isfinite(each.takes.rms)
    ]
    return training.effective_rate * max(squares[:1], default=0.0)


def _thrown(producer: ProducerEvidence) -> Values:
    if producer.moved is not None:
        return ramp(producer.moved, *MOVED)
    return ramp(_grown(producer), *GROWN)


def _grown(producer: ProducerEvidence) -> Values:
    """Norm of each unit over what it is at birth, as far as that is known."""
    if producer.birth_norm is None:
        return producer.norm / producer.he_norm
    return producer.norm / _typical(producer.birth_norm)


def _thrown_everywhere(setting: Setting) -> float:
    """How far the model was thrown: most of its layers, or some of its units far."""
    layers = [float(np.median(_thrown(each))) for each in setting.producers]
    most = float(np.quantile(layers, 0.6, method="higher"))
    ways = [
        _grown(each) if each.moved is None else each.moved for each in setting.producers
    ]
    reached = np.concatenate(ways)
    reached = np.where(np.isnan(reached), np.inf, reached)  # it overflowed
    some = np.quantile(reached, 0.9, method="lower")
    return max(most, float(ramp(some, *FAR)))


def _longest_step(setting: Setting) -> float:
    """The longest step that is known, over the norm of the weights."""
    training = setting.evidence.training
    ratios: list[float] = []
    if training is not None:
        ratios += training.step_ratio.values()
        if training.scale_free:
            ratios += [
                training.learning_rate / _rms(each) for each in setting.producers
            ]
    finite = [each for each in ratios if np.isfinite(each)]
    now = float(np.median(finite)) if finite else 0.0
    return max(now, _longest_in_history(setting))


def _longest_in_history(setting: Setting) -> float:
    """The longest mean step between two measurements of the training run.

    A lower bound: steps that go back and forth add up to less.
    """
    history = setting.evidence.history
    found = [0.0]
    for (before, _), (after, layers) in itertools.pairwise(history):
        ratios = [each.ratio for each in layers.values() if np.isfinite(each.ratio)]
        if ratios and after > before:
            found.append(float(np.median(ratios)) / (after - before))
    return max(found)


def _rms(producer: ProducerEvidence) -> float:
    norm = producer.norm if producer.birth_norm is None else producer.birth_norm
    return max(float(np.sqrt(np.mean(np.square(norm)) / producer.fan_in)), 1e-30)


def _learning_rate_sentence(producer: ProducerEvidence, setting: Setting) -> str:
    clauses = [_way(producer)] if (_thrown(producer) > 0).any() else []
    if not clauses and _thrown_everywhere(setting) > 0:
        farthest = max(setting.producers, key=lambda each: _thrown(each).mean())
        clauses.append(f"in {farthest.path!r} {_way(farthest)}")
    step, curvature = _longest_step(setting), _curvature(setting)
    if step > STEP[0]:
        clauses.append(f"a step is about {step:.2g} of the weights (usual is 0.001)")
    if curvature > CURVATURE[0]:
        clauses.append(
            "the rate over 1 - momentum, times the mean square norm of the input, is "
            f"{curvature:.3g} (plain descent diverges from about 4 on)"
        )
    training = setting.evidence.training
    if training is not None:
        rate = (
            f"{training.optimizer} has the learning rate {training.learning_rate:.3g} "
            f"after {training.iterations} steps"
        )
        if step <= STEP[0] and curvature <= CURVATURE[0]:
            rate += ", which is not high by itself: it may have been higher before"
        clauses.append(rate)
    return f"{producer.path!r}: {'; '.join(clauses)}."


def _way(producer: ProducerEvidence) -> str:
    """How far the weights of the units that went far went, or how large they are."""
    far = _thrown(producer) > 0
    if producer.moved is not None:
        moved = np.median(producer.moved[far])
        return f"weights moved by {moved:.2g}x their initial norm"
    size = np.median(_grown(producer)[far])
    made = "its initializer makes them"
    return (
        f"weights are {size:.2g} times as large as "
        f"{made if producer.birth_norm is not None else 'He initialization makes them'}"
    )


def batch_norm(case: Case, _: Setting) -> Finding:
    """The normalization itself shifts the units below 0."""
    found = case.known.normalization
    if found is None:
        return none(case)
    gamma = np.maximum(np.abs(found.gamma), 1e-30)
    scores = ramp(-found.beta / gamma, *BETA)
    return Finding(scores, _batch_norm_sentence(case, found, gamma, scores > 0))


def _batch_norm_sentence(
    case: Case, found: NormalizationEvidence, gamma: Values, shifted: Flags
) -> str:
    shifted = shifted & case.silent
    if not shifted.any():
        return ""
    ratio = float(np.median((found.beta / gamma)[shifted]))
    return (
        f"{found.path!r} ({found.kind}): beta/|gamma| of {int(shifted.sum())} of "
        f"{case.silent.sum()} silent units is {ratio:.3g} (median), |gamma| "
        f"{np.median(gamma[shifted]):.3g}."
    )


def bias_shift(case: Case, _: Setting) -> Finding:
    """The bias alone keeps the units below 0."""
    producer = case.producer
    if (
        producer is None
        or producer.bias is None
        or case.known.normalization is not None
    ):
        return none(case)
    without = case.known.maximum - producer.bias
    deviation = np.maximum(case.known.std, 1e-12)
    scores = np.where(without > 0, ramp(-producer.bias / deviation, *BIAS), 0.0)
    held = (scores > 0) & case.silent
    if not held.any():
        return Finding(scores)
    return Finding(
        scores,
        f"{producer.path!r}: {held.sum()} of {case.silent.sum()} silent units would "
        f"fire without their bias (median {np.median(producer.bias[held]):.3g}; "
        f"deviation of their input {np.median(case.known.std[held]):.3g}).",
    )


def _typical(values: Values) -> float:
    return max(float(np.sqrt(np.mean(np.square(values)))), 1e-30)


#: In the order of what comes first.
RULES: dict[str, Rule] = {
    "lagging_statistics": lagging_statistics,
    "input_scale": input_scale,
    "initialization": initialization,
    "learning_rate": learning_rate,
    "batch_norm": batch_norm,
    "bias_shift": bias_shift,
}
