"""Thresholds on dead units: does a diagnosis pass, and why.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_rectifiers.shares import apart
from keras_rectifiers.shares import stated

#: What may come of a diagnosis: the thresholds hold, or one does not; none was given;
#: or there is no diagnosis, since the model or the data cannot be used.
PASSED, FAILED, NONE, ERROR = "passed", "failed", "none", "error"


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What a gate says of one diagnosis."""

    #: `"passed"`, `"failed"` or `"none"`.
    outcome: str
    #: Why, in one sentence for each threshold; empty for `"none"`.
    reasons: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Gate:
    """Thresholds on the shares of dead units, 0..1; None for no threshold."""

    #: Greatest share of all units that may be dead.
    fail_above: float | None = None
    #: Greatest share of the units of any one layer that may be dead.
    fail_layer_above: float | None = None

    def judge(self, diagnosis: Any) -> Judgement:
        """Hold a diagnosis against the thresholds.

        Weights, data or units that are NaN or infinite fail whatever the shares.

        Args:
            diagnosis: The `Diagnosis`.
        """
        given = [
            threshold(limit, diagnosis)
            for threshold, limit in (
                (_all_units, self.fail_above),
                (_each_layer, self.fail_layer_above),
            )
            if limit is not None
        ]
        if not given:
            return Judgement(NONE)
        if diagnosis.not_finite:
            found = f"NaN or infinity was found: {diagnosis.not_finite}"
            given.append((False, found))
        wrong = tuple(sentence for holds, sentence in given if not holds)
        if wrong:
            return Judgement(FAILED, wrong)
        return Judgement(PASSED, tuple(sentence for _, sentence in given))


def _all_units(limit: float, diagnosis: Any) -> tuple[bool, str]:
    """Whether few enough of all units are dead, and the sentence."""
    share = diagnosis.dead_fraction
    told = "more than" if share > limit else "not more than"
    shares = f"{apart(share, limit)} of the units are dead, {told} {stated(limit)}"
    return share <= limit, f"{shares} (--fail-above)."


def _each_layer(limit: float, diagnosis: Any) -> tuple[bool, str]:
    """Whether few enough units of each layer are dead, and the sentence."""
    layers = sorted(diagnosis.layers, key=lambda each: -each.dead_fraction)
    above = [each for each in layers if each.dead_fraction > limit]
    what = f"more than {stated(limit)} of its units dead (--fail-layer-above)"
    if not above:
        return True, f"No layer has {what}."
    shown = ", ".join(f"{e.layer!r} ({apart(e.dead_fraction, limit)})" for e in above)
    if len(above) == 1:
        return False, f"1 layer has {what}: {shown}."
    what = what.replace("its units", "their units")
    return False, f"{len(above)} layers have {what}: {shown}."
