"""The rule for moving statistics that are not those of the data."""

from __future__ import annotations

import numpy as np

from keras_rectifiers.diagnosis.causes.case import Case
from keras_rectifiers.diagnosis.causes.case import Finding
from keras_rectifiers.diagnosis.causes.case import Setting
from keras_rectifiers.diagnosis.causes.case import none
from keras_rectifiers.diagnosis.causes.case import ramp
from keras_rectifiers.diagnosis.evidence.data import MovingEvidence
from keras_rectifiers.diagnosis.evidence.lag import RATIO
from keras_rectifiers.diagnosis.evidence.lag import SHIFT
from keras_rectifiers.diagnosis.evidence.lag import lag
from keras_rectifiers.diagnosis.evidence.lag import log_ratio
from keras_rectifiers.diagnosis.evidence.lag import shift_of
from keras_rectifiers.shares import percent

#: Share of the channels of a layer that are off, from which later layers are, too.
SHARE = (0.1, 0.4)
#: Share of the values at the start from which on they are worth a word.
_LEFT = 0.05


def lagging_statistics(case: Case, setting: Setting) -> Finding:
    """The units fire with the statistics of the batch, not with the moving ones."""
    if not case.waking.any():
        return none(case)
    norms = before(case, setting)
    shares = [float(ramp(float(lag(each).mean()), *SHARE)) for each in norms]
    scores = np.full(case.layer.units, max(shares, default=0.0))
    own = own_norm(case, setting)
    if own is not None:
        scores = np.maximum(scores, lag(own))
    scores = np.where(case.waking, scores, 0.0)
    if own is not None and lag(own).any():
        norms = [own]
    told = max(norms, key=lambda each: lag(each).mean(), default=None)
    return Finding(scores, _sentence(case, setting, told))


def own_norm(case: Case, setting: Setting) -> MovingEvidence | None:
    """The moving statistics just before a rectifier, one channel for each unit.

    Args:
        case: The rectifier.
        setting: The model around it.
    """
    own = case.known.normalization
    found = None if own is None else setting.evidence.norm(own.path)
    return found if found and len(found.mean) == case.layer.units else None


def before(case: Case, setting: Setting) -> list[MovingEvidence]:
    """The normalizations before a rectifier; all where the wiring cannot be read.

    Args:
        case: The rectifier.
        setting: The model around it.
    """
    paths = case.known.norms
    return [
        each for each in setting.evidence.norms if paths is None or each.path in paths
    ]


def _sentence(case: Case, setting: Setting, norm: MovingEvidence | None) -> str:
    count, silent = int(case.waking.sum()), int(case.silent.sum())
    text = (
        f"{count} of {silent} silent units of {case.path!r} fire with the batch's own "
        "statistics"
    )
    if norm is None:
        return f"{text}."
    off = lag(norm) > 0
    clauses = []
    if off.any() and (shift := float(np.median(shift_of(norm)[off]))) > SHIFT[0]:
        clauses.append(
            f"the moving mean is {shift:.2g} standard deviations from the batch's"
        )
    if off.any() and abs(ratio := float(np.median(log_ratio(norm)[off]))) > RATIO[0]:
        clauses.append(f"the moving variance is {np.exp(ratio):.2g} times the batch's")
    if clauses:
        text += (
            f"; in {norm.path!r} {' and '.join(clauses)} (median of "
            f"{int(off.sum())} of {len(off)} channels)"
        )
    return f"{text}{_left(setting, norm)}."


def _left(setting: Setting, norm: MovingEvidence) -> str:
    """How much of the values at the start the moving average still holds."""
    training = setting.evidence.training
    if training is None or norm.frozen:
        return ""
    left = norm.momentum**training.iterations
    if left < _LEFT:
        return ""
    return (
        f"; after {training.iterations} steps with momentum {norm.momentum:g}, "
        f"{percent(left)} of its initial values is left"
    )
