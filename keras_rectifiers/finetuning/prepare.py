"""Carry a prescription out: a model that is ready to train, and what it trains with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers.callbacks import AnnealSlope
from keras_rectifiers.callbacks import ReviveDeadUnits
from keras_rectifiers.conversion.verbs import plan
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.verdicts import DEAD
from keras_rectifiers.errors import SelectionError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning import optimizers
from keras_rectifiers.finetuning.findings import Findings
from keras_rectifiers.finetuning.inputs import normalized
from keras_rectifiers.finetuning.momentum import QuickStatistics
from keras_rectifiers.finetuning.prescriptions import CONVERT
from keras_rectifiers.finetuning.prescriptions import NORMS
from keras_rectifiers.finetuning.prescriptions import RESTART
from keras_rectifiers.finetuning.prescriptions import REVIVE
from keras_rectifiers.finetuning.prescriptions import SLOPES
from keras_rectifiers.finetuning.prescriptions import Prescription
from keras_rectifiers.graph.roles import OUTPUT
from keras_rectifiers.live import rectifiers
from keras_rectifiers.live.compiling import suit_backend
from keras_rectifiers.revival import reset_norms
from keras_rectifiers.revival import revive
from keras_rectifiers.revival import revive_outputs
from keras_rectifiers.revival.choose import dormant
from keras_rectifiers.revival.live_units import LiveWiring
from keras_rectifiers.revival.restart import restart
from keras_rectifiers.specs import PRELU
from keras_rectifiers.surgery.plan import Plan

#: Share of a run after which no unit is revived, and annealed slopes are 0: what is
#: new needs time to learn.
_TREATED = 0.6
#: Slope that dead units start with, where new weights cannot be given: He 2015.
_SLOPE = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Treated:
    """A treated copy of a model, compiled, before it is trained."""

    prescription: Prescription
    model: Any
    #: How it was converted, None where it was not.
    plan: Plan | None
    #: Callbacks that belong to the treatment.
    callbacks: tuple[Any, ...]
    #: What the run falls back to: weights of the copy before a restart.
    start: list[np.ndarray]
    #: What was done, for people: one line each.
    done: tuple[str, ...]
    #: The first epoch, from 1, whose weights may be kept.
    first_epoch: int = 1
    #: Paths of rectifiers that have a slope for training only.
    lent: tuple[str, ...] = ()

    @property
    def only_numbers(self) -> bool:
        """Whether the copy differs from the original in its variables alone."""
        return self.plan is None and not self.lent and not self.prescription.normalize

    @property
    def is_quick(self) -> bool:
        """Whether the momentum of moving statistics is baked into its training step."""
        return any(isinstance(each, QuickStatistics) for each in self.callbacks)

    def without_model(self) -> Treated:
        """The same, so that a model which nobody needs any more is freed."""
        return dataclasses.replace(self, model=None)


@dataclasses.dataclass(frozen=True, eq=False)
class Order:
    """What every treatment of one call has in common."""

    #: The model that was given.
    original: Any
    #: The same, or its copy with better moving statistics: this is treated.
    model: Any
    found: Findings
    #: Inputs on which units are watched.
    probe: Any
    #: Inputs and labels, in memory.
    sample: Data
    epochs: int
    seed: int
    #: Whether the result is to be folded back to plain ReLUs.
    fold: bool
    #: Of `convert`, with `to`; for `"convert"` and `"slopes"`.
    conversion: Mapping[str, Any]
    #: Of `optimizers.prepare`.
    compiling: Mapping[str, Any]
    #: Whether layers of this package become stock ones at the end.
    portable: bool = False

    @property
    def statistics_lagged(self) -> bool:
        """Whether moving statistics were estimated again, and would lag again."""
        return self.model is not self.original


def treat(order: Order, prescription: Prescription) -> Treated:
    """Treat a copy of a model as prescribed.

    Args:
        order: The model, and what to treat it with.
        prescription: The treatment.

    Raises:
        SelectionError: A conversion was asked for, and there is nothing to convert.
    """
    wanted = prescription.treatment
    made = _planned(order, wanted)
    done = [] if made is None else [made.summary]
    model = copied(order.model, made)
    if prescription.normalize:
        model, said = _normalized(model, order.sample)
        done.append(said)
    lent = tuple(order.found.dead_outputs) if prescription.outputs else ()
    if lent:
        model = _with_slopes(model, lent)
    optimizers.prepare(model, **order.compiling)
    done += filter(None, [suit_backend(model)])
    if prescription.fresh_optimizer:
        done.append(optimizers.renew(model, order.compiling.get("learning_rate")))
    keeps = wanted == CONVERT
    start = model.get_weights() if keeps else _without_slopes(model, made)
    callbacks = _changed(model, order, wanted, done, lent)
    if prescription.fresh_optimizer or order.statistics_lagged:
        callbacks.append(QuickStatistics())
    if lent:
        done += _outputs_revived(model, order)
    first = 1
    paths = list(lent)
    if made is not None and order.fold and wanted in (REVIVE, SLOPES):
        paths += [step.site.path for step in made.steps]
    if paths:
        first = max(1, round(_TREATED * order.epochs))
        callbacks.append(
            AnnealSlope(start=_SLOPE, warmup=0.0, epochs=first, layers=paths)
        )
    return Treated(
        prescription, model, made, tuple(callbacks), start, tuple(done), first, lent
    )


def _normalized(model: Any, sample: Data) -> tuple[Any, str]:
    """A copy that normalizes its input, where a layer can be put in front of it."""
    try:
        return normalized(model, sample)
    except UnsupportedModelError as error:
        return model, f"The inputs stay as they are, far from unit range: {error}"


def _changed(
    model: Any, order: Order, wanted: str, done: list[str], lent: tuple[str, ...]
) -> list[Any]:
    """Change weights as a treatment does; its callbacks.

    Args:
        model: The copy, changed in place.
        order: What to treat it with.
        wanted: The treatment.
        done: What was done is added here.
        lent: Paths of rectifiers with a slope for training only.
    """
    if wanted == REVIVE:
        wiring = LiveWiring(model)
        done += _revived(order, wiring)
        return _reviving(order, wiring)
    if wanted == NORMS:
        count = len(reset_norms(model))
        done.append(f"{count} batch normalizations were set back.")
    elif wanted == RESTART:
        done.append(_restarted(model, order.seed, lent))
    return []


def _with_slopes(model: Any, paths: tuple[str, ...]) -> Any:
    """A copy whose dead outputs have a slope, which is annealed in training."""
    made = plan(
        model, "prelu", include=paths, roles=(OUTPUT,), alpha=_SLOPE, trainable=False
    )
    return made.apply(model)


def _outputs_revived(model: Any, order: Order) -> list[str]:
    sample = order.sample
    units = order.found.dead_outputs
    done = ", ".join(
        map(repr, revive_outputs(model, units, sample.x, sample.y, order.seed))
    )
    return [f"Weights for the output {done} were fitted to the labels."] if done else []


def _planned(order: Order, wanted: str) -> Plan | None:
    """The conversion that belongs to a treatment."""
    if wanted == CONVERT:
        return plan(order.model, portable=order.portable, **order.conversion)
    if wanted == SLOPES:
        found = order.found.diagnosis
        if not found.layers or not found.count(DEAD):
            raise SelectionError(
                "treatment='slopes' needs dead units. Received: model "
                f"{order.model.name!r}, in which none is dead on the probe. Train it "
                "as it is with treatment='none'."
            )
        return _only_dead(order, order.found.diagnosis, **order.conversion)
    if wanted == REVIVE:
        return _where_revival_cannot(order)
    return None


def copied(model: Any, made: Plan | None = None) -> Any:
    """A copy of a model with its optimizer, converted where there is a plan."""
    return (made or Plan(model.name, "none", (), ())).apply(model)


def _only_dead(order: Order, diagnosis: Diagnosis, **options: Any) -> Plan:
    """Slopes for dead units: they learn, or are annealed where folding follows."""
    asked = {"alpha": _SLOPE, "trainable": not order.fold, **options}
    return plan(order.model, "prelu", where=diagnosis, **asked)


def _where_revival_cannot(order: Order) -> Plan | None:
    """Slopes for the dead units of rectifiers that revival has no safe answer for."""
    left = LiveWiring(order.model).left
    found = order.found.diagnosis
    layers = tuple(each for each in found.layers if each.layer in left and each.dead)
    if not layers:
        return None
    try:
        return _only_dead(order, dataclasses.replace(found, layers=layers))
    except SelectionError:
        return None  # gates, outputs and the like are what they have to be


def _revived(order: Order, wiring: LiveWiring) -> list[str]:
    """Give dead units new weights before the first step: the outputs stay."""
    units = {
        each.layer: dormant(each, None)
        for each in order.found.diagnosis.layers
        if each.layer in wiring.sites and wiring.sites[each.layer].units == each.units
    }
    done = revive(wiring.model, units, seed=order.seed, wiring=wiring)
    given = "1 unit was" if done.count == 1 else f"{done.count} units were"
    return [f"{given} given new weights."] if done.count else []


def _restarted(model: Any, seed: int, lent: tuple[str, ...]) -> str:
    made = restart(model, seed=seed)
    drawn = len(made.passed) + len(made.mirrored) + len(made.drawn)
    kept = [
        f"{path} ({why})"
        for path, why in made.kept.items()
        if not any(path == each or path.startswith(f"{each}/") for each in lent)
    ]
    return f"{drawn} layers have new weights" + (
        f"; kept: {', '.join(kept)}." if kept else "."
    )


def _reviving(order: Order, wiring: LiveWiring) -> list[Any]:
    """The callback that revives what dies, or goes on being dead, in training."""
    if not wiring.sites:
        return []
    last = max(1, round(_TREATED * order.epochs))
    return [
        ReviveDeadUnits(
            order.probe,
            last_epoch=last,
            lower_rate=None,  # the run has its own schedule
            seed=order.seed,
            batch_size=256,
            warn=False,
        )
    ]


def _without_slopes(model: Any, made: Plan | None) -> list[np.ndarray]:
    """Weights with which a treated model is the function that it was."""
    paths = () if made is None else {step.site.path for step in made.steps}
    added = {
        id(each.layer.weights[0])
        for each in rectifiers.find(model)
        if each.path in paths and each.function.kind == PRELU
    }
    pairs = zip(model.weights, model.get_weights(), strict=True)
    return [np.zeros_like(now) if id(each) in added else now for each, now in pairs]
