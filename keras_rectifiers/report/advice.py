"""What to do about a diagnosis: from its causes where they are known, else from the
verdicts alone."""  # noqa: D205, D209 - one sentence

from __future__ import annotations

import dataclasses
import glob
import shlex
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.diagnosis import calls
from keras_rectifiers.diagnosis import headlines
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.result import Diagnosis

#: More layers are not named each in a command: then it takes all of them.
_NAMED = 6
#: Share of linear units from which they are worth a word.
_MANY = 0.2


@dataclasses.dataclass(frozen=True)
class Advice:
    """One finding, and what to do about it."""

    #: What it is, in a few words.
    title: str
    #: Paths of the rectifiers that it is about.
    layers: tuple[str, ...]
    #: Sentences that say why.
    evidence: tuple[str, ...]
    #: What to do.
    remedy: str
    #: A command line, or lines of Python, that do it; or "".
    command: str = ""
    #: Where the remedy comes from, or "".
    reference: str = ""
    #: How well it explains the findings, 0..1; None if unknown.
    score: float | None = None


def advice(diagnosis: Diagnosis, explanation: Any = None) -> list[Advice]:
    """What to do, the most urgent first.

    Args:
        diagnosis: The diagnosis.
        explanation: An object whose `causes` each have `kind`, `layers`, `score`,
            `evidence` (sentences), `remedy`, `code` and `reference`; or None.
    """
    if explanation is not None:
        return [_from_cause(cause) for cause in explanation.causes]
    return [
        *_not_finite(diagnosis),
        *_outputs(diagnosis),
        *_waking(diagnosis),
        *_dead(diagnosis),
        *_leaking(diagnosis),
        *_dormant(diagnosis),
        *_linear(diagnosis),
    ]


def _from_cause(cause: Any) -> Advice:
    evidence = cause.evidence
    return Advice(
        title=_words(str(cause.kind)),
        layers=tuple(map(str, cause.layers)),
        evidence=(evidence,) if isinstance(evidence, str) else tuple(evidence),
        remedy=str(cause.remedy),
        command=str(getattr(cause, "code", "")),
        reference=str(cause.reference),
        score=None if cause.score is None else float(cause.score),
    )


def _words(kind: str) -> str:
    text = kind.replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]


def _not_finite(diagnosis: Diagnosis) -> list[Advice]:
    if not diagnosis.not_finite:
        return []
    return [
        Advice(
            "Values that are NaN or infinite",
            _with(diagnosis, verdicts.NOT_FINITE),
            (diagnosis.not_finite,),
            "Load earlier weights, or fix the data; then lower the learning rate, or "
            "clip the gradient. Other verdicts are not reliable until this is fixed.",
        )
    ]


def _dead(diagnosis: Diagnosis) -> list[Advice]:
    layers = _with(diagnosis, verdicts.DEAD)
    if not layers:
        return []
    evidence = [
        f"{layer.dead:,} of {layer.units:,} units of {layer.layer} are dead on "
        f"{layer.statistics.samples:,} samples."
        for layer in sorted(diagnosis.layers, key=lambda each: -each.dead)[:3]
        if layer.dead
    ]
    whole = [each.layer for each in diagnosis.layers if each.dead == each.units]
    if whole:
        evidence.append(
            f"Nothing passes {', '.join(whole[:3])}: later layers get the same values "
            "for every sample."
        )
    return [
        Advice(
            "Dead units",
            layers,
            tuple(evidence),
            "No gradient reaches them, so further training alone does not help: "
            "`finetune` revives them and trains. Without training, "
            f"`{_command(layers if len(layers) < len(diagnosis.layers) else ())}` "
            "only gives them a slope (the function stays the same, bit for bit).",
            calls.on_command_line(calls.FINETUNE),
        )
    ]


def _outputs(diagnosis: Diagnosis) -> list[Advice]:
    if not diagnosis.dead_outputs:
        return []
    return [
        Advice(
            "Dead output",
            diagnosis.dead_outputs,
            tuple(headlines.outputs(diagnosis)),
            "`finetune` reinitializes the output and trains it. If labels can be "
            "negative, the output must not be a rectifier: use a linear layer.",
            calls.on_command_line(calls.FINETUNE),
        )
    ]


def _waking(diagnosis: Diagnosis) -> list[Advice]:
    sentence = headlines.waking(diagnosis)
    if not sentence:
        return []
    return [
        Advice(
            "Moving statistics that lag behind",
            _with(diagnosis, verdicts.DEAD) or _with(diagnosis, verdicts.LEAKING),
            (sentence,),
            "Estimate the moving statistics of BatchNormalization again from training "
            "data, and diagnose again.",
            calls.REFRESH,
        )
    ]


def _leaking(diagnosis: Diagnosis) -> list[Advice]:
    layers = _with(diagnosis, verdicts.LEAKING)
    if not layers:
        return []
    count = diagnosis.count(verdicts.LEAKING)
    return [
        Advice(
            "Silent units with a slope",
            layers,
            (f"{count:,} units never fired, but their slope lets the gradient pass.",),
            "Continue training, and check with `callbacks.DeadUnitMonitor` that "
            "`silent_fraction` falls.",
        )
    ]


def _dormant(diagnosis: Diagnosis) -> list[Advice]:
    layers = _with(diagnosis, verdicts.DORMANT)
    if not layers:
        return []
    count = diagnosis.count(verdicts.DORMANT)
    return [
        Advice(
            "Dormant units",
            layers,
            (f"{count:,} units fire, but with very small outputs for their layer.",),
            "They learn slowly. If training has stalled, reset them (ReDo); if it is "
            "finished, prune them.",
        )
    ]


def _linear(diagnosis: Diagnosis) -> list[Advice]:
    count = diagnosis.count(verdicts.LINEAR)
    if count < _MANY * max(diagnosis.units, 1):
        return []
    return [
        Advice(
            "Units that are never cut off",
            _with(diagnosis, verdicts.LINEAR),
            (f"{count:,} units were positive everywhere: nothing is rectified.",),
            "This is not an error, but check that the input is centered and that the "
            "biases are not large.",
        )
    ]


def _with(diagnosis: Diagnosis, verdict: str) -> tuple[str, ...]:
    return tuple(each.layer for each in diagnosis.layers if each.count(verdict))


def _command(layers: Sequence[str]) -> str:
    """A conversion of these layers, of all where none or many are named."""
    include = "" if len(layers) > _NAMED else "".join(map(_include, layers))
    return (
        "keras-rectifiers convert MODEL.keras CONVERTED.keras --to prelu "
        f"--verify{include}"
    )


def _include(layer: str) -> str:
    return f" --include {shlex.quote(glob.escape(layer))}"
