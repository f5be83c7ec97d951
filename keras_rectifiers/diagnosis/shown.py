"""A diagnosis for people: sentences and a table of layers, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_rectifiers.diagnosis import calls
from keras_rectifiers.diagnosis import headlines
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.criteria import NEVER_POSITIVE
from keras_rectifiers.shares import percent
from keras_rectifiers.shares import stated
from keras_rectifiers.tables import Mark
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.result import Diagnosis

#: Verdicts in the columns, after `layer` and `units`.
_VERDICTS = ("dead", "leaking", "dormant", "linear", "alive")
#: Share of dead units from which a layer stands out.
_MANY = 0.1


def parts(diagnosis: Diagnosis, *, command_line: bool) -> list[Part]:
    """What is found, one line for each layer, and what to do next.

    Args:
        diagnosis: The diagnosis.
        command_line: Whether it is read on the command line.
    """
    broken = [diagnosis.not_finite] if diagnosis.not_finite else []
    if not diagnosis.layers:
        found = f"{diagnosis.model}: no rectifier was found, so there are no verdicts."
        return [found, *broken]
    headline = (
        f"{diagnosis.model}: {diagnosis.count(verdicts.DEAD):,} of "
        f"{diagnosis.units:,} units are dead ({percent(diagnosis.dead_fraction)})."
    )
    step = headlines.next_step(diagnosis)
    told = (
        headlines.waking(diagnosis),
        calls.on_command_line(step) if command_line else step,
    )
    made: list[Part] = [
        *headlines.outputs(diagnosis),
        headline,
        *broken,
        _table(diagnosis),
        _bound(diagnosis),
        *filter(None, told),
    ]
    if diagnosis.unseen:
        made.append("Never called on these data: " + ", ".join(diagnosis.unseen))
    return made


def _table(diagnosis: Diagnosis) -> Table:
    layers = sorted(
        diagnosis.layers,
        key=lambda layer: (layer.not_finite, layer.dead_fraction, layer.leaking),
        reverse=True,
    )
    some = any(layer.not_finite for layer in layers)
    words = (*((verdicts.NOT_FINITE,) if some else ()), *_VERDICTS)
    head = ("layer", "units", *words, "dead share")
    rows = (
        (
            layer.layer,
            f"{layer.units:,}",
            *(f"{layer.count(word):,}" for word in words),
            _share(layer.dead_fraction),
        )
        for layer in layers
    )
    footer = (
        "all layers",
        f"{diagnosis.units:,}",
        *(f"{diagnosis.count(word):,}" for word in words),
        _share(diagnosis.dead_fraction),
    )
    return Table.of(head, rows, numbers=head[1:], footer=footer)


def _bound(diagnosis: Diagnosis) -> str:
    """What "never" means for the number of samples seen."""
    samples = min(layer.statistics.samples for layer in diagnosis.layers)
    confidence = diagnosis.layers[0].confidence
    never = float(verdicts.upper_bound(0, samples, confidence))
    criterion = diagnosis.layers[0].criterion
    if criterion.name == NEVER_POSITIVE.name:
        meaning = f"Dead: never positive on {samples:,} samples, and its slope is 0."
        learning = sum(each.dead for each in diagnosis.layers if each.learns)
        if learning:
            meaning += (
                f" The slopes of {learning:,} dead units are 0 now and learn: training "
                "can bring them back."
            )
    else:
        meaning = f"Dead by {criterion.name!r} ({criterion.reference})."
        flagged = [layer.layer for layer in diagnosis.layers if layer.flagged]
        meaning += f" Its authors flag: {', '.join(flagged)}." if flagged else ""
    return (
        f"{meaning} With this many samples, a unit that never fired fires on fewer "
        f"than {percent(never)} of inputs ({stated(confidence)} confidence)."
    )


def _share(fraction: float) -> str:
    text = percent(fraction)
    return Mark(text) if fraction >= _MANY else text
