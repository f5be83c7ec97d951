"""Which treatments a model gets, by what was found: plain rules on plain figures."""

from __future__ import annotations

import dataclasses

from keras_rectifiers.diagnosis.verdicts import DEAD
from keras_rectifiers.finetuning.findings import Findings

AUTO = "auto"
NONE = "none"
CONVERT = "convert"
SLOPES = "slopes"
REVIVE = "revive"
NORMS = "norms"
RESTART = "restart"
#: What `treatment=` takes.
TREATMENTS = (AUTO, REVIVE, SLOPES, NORMS, RESTART, CONVERT, NONE)

#: The cause that a normalization of the inputs treats.
INPUT_SCALE = "input_scale"
#: Those that may change weights before the first step.
_GIVES_WEIGHTS = (REVIVE, NORMS, RESTART)

#: Share of dead units from which a model is more dead than alive: a new start is
#: tried, too, and the optimizer's state is not worth keeping.
MANY = 0.3
#: Share of dead units from which a new start is tried for a model of low skill.
SOME = 0.1
#: Skill below which a model is not much good.
LOW = 0.5
#: Skill up to which the outputs say next to nothing about the labels.
CHANCE = 0.1
#: Highest rate of a schedule, in rates of the optimizer. A new start takes a higher
#: one than what is trained already: of 1, 2, 3 and 5 times the last had the best worst
#: seed in four of five families of `docs/evidence.md`, on validation data.
_PEAKS = {RESTART: 5.0, NORMS: 3.0}
#: The same where whole layers are revived: at the optimizer's own rate they do not
#: learn enough in the time that is left for them. Of 3 and 5 times, on validation data,
#: 5 was better in 14 of 22 seeds of three families, and worse in 3.
_PEAK_OF_LAYERS = 5.0
#: The same where moving statistics lagged: such a model has been trained for few steps.
_PEAK_OF_LAGGING = 3.0


@dataclasses.dataclass(frozen=True)
class Prescription:
    """One treatment, and why."""

    #: One of `TREATMENTS`, `"auto"` excepted.
    treatment: str
    #: One sentence.
    why: str
    #: Whether the optimizer starts anew: state cleared, rate no higher than the
    #: default of its class.
    fresh_optimizer: bool = False
    #: Whether many units are dead, whole layers of them among these, which have to
    #: learn everything again.
    whole_layers: bool = False
    #: Whether dead outputs get new weights, by what the labels look like.
    outputs: bool = False
    #: Whether the model gets a normalization of its inputs.
    normalize: bool = False
    #: Whether its moving statistics lagged, and were estimated again.
    lagged: bool = False

    @property
    def discards(self) -> bool:
        """Whether what was learned is thrown away."""
        return self.treatment == RESTART

    @property
    def peak(self) -> float:
        """The highest rate of a schedule, in rates of the optimizer."""
        peaks = [_PEAKS.get(self.treatment, 1.0)]
        if self.treatment == REVIVE and self.whole_layers:
            peaks.append(_PEAK_OF_LAYERS)
        if self.lagged:
            peaks.append(_PEAK_OF_LAGGING)
        return max(peaks)


def prescribe(
    treatment: str, found: Findings, *, normalize: bool = True, lagged: bool = False
) -> tuple[Prescription, ...]:
    """The treatments to try; the one that is further after a trial goes on.

    Args:
        treatment: What was asked for; `"auto"` chooses.
        found: What was found in the model.
        normalize: Whether a model may get a normalization of its inputs.
        lagged: Whether its moving statistics lagged, and were estimated again.
    """
    chosen = _chosen(found) if treatment == AUTO else (_asked(treatment, found),)
    unscaled = normalize and found.has_cause(INPUT_SCALE)
    aided = (_aided(each, found, unscaled=unscaled) for each in chosen)
    return tuple(dataclasses.replace(each, lagged=lagged) for each in aided)


def _aided(each: Prescription, found: Findings, *, unscaled: bool) -> Prescription:
    """A treatment with what goes with it."""
    if found.dead_outputs and each.treatment in _GIVES_WEIGHTS:
        each = dataclasses.replace(each, outputs=True, fresh_optimizer=True)
    if unscaled and each.treatment == RESTART:
        why = f"{each.why}; the inputs are far from unit range"
        each = dataclasses.replace(each, normalize=True, why=why)
    return each


def _asked(treatment: str, found: Findings) -> Prescription:
    many = found.dead_fraction >= MANY
    fresh = treatment == RESTART or (treatment in (REVIVE, NORMS) and many)
    return Prescription(treatment, "as asked for", fresh, many and found.has_dead_layer)


def _chosen(found: Findings) -> tuple[Prescription, ...]:
    many = found.dead_fraction >= MANY
    dead = found.diagnosis.count(DEAD) if found.diagnosis.layers else 0
    if not dead:
        return (Prescription(NONE, "no unit is dead"),)
    verb = "is" if dead == 1 else "are"
    why = f"{dead} of {found.diagnosis.units} units {verb} dead"
    # Where the skill is not known, nothing is given up unless a trial says so.
    unknown = found.skill is None
    skill = 1.0 if found.skill is None else found.skill
    if found.dead_outputs:
        why += f", the output {', '.join(map(repr, found.dead_outputs))} among them"
    elif found.has_cause(INPUT_SCALE) and skill <= CHANCE:
        return (Prescription(RESTART, why, fresh_optimizer=True),)
    elif found.dead_fraction < SOME or (not many and skill >= LOW):
        return (Prescription(REVIVE, why),)
    if not many:
        if not found.dead_outputs:
            why += ", and the outputs say little about the labels"
        return (Prescription(REVIVE, why), Prescription(RESTART, why, True))
    says = skill > CHANCE
    why += ", though" if says and not unknown else ", and"
    what = "something" if says else "nothing"
    why += (
        " whether the outputs say anything about the labels is not known"
        if unknown
        else f" the outputs say {what} about the labels"
    )
    if found.norms:
        # What died of its normalizations may still have its kernels.
        tried: tuple[str, ...] = (NORMS, RESTART)
    elif says or found.is_cut:
        tried = (REVIVE, RESTART)
    else:
        tried = (RESTART,)
    whole = found.has_dead_layer
    return tuple(Prescription(each, why, True, whole) for each in tried)
