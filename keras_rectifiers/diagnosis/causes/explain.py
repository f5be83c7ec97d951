"""Say what probably killed the units of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from keras_rectifiers.diagnosis import headlines
from keras_rectifiers.diagnosis.causes import outputs
from keras_rectifiers.diagnosis.causes.case import Case
from keras_rectifiers.diagnosis.causes.case import Setting
from keras_rectifiers.diagnosis.causes.explanation import Cause
from keras_rectifiers.diagnosis.causes.explanation import Explanation
from keras_rectifiers.diagnosis.causes.outputs import dead_output
from keras_rectifiers.diagnosis.causes.remedies import REFERENCES
from keras_rectifiers.diagnosis.causes.remedies import remedy
from keras_rectifiers.diagnosis.causes.rules import RULES
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import Values
from keras_rectifiers.shares import percent

#: Causes that explain less than this share are not named; a dead output always is.
LEAST_SCORE = 0.1
#: A unit counts as explained by a cause from this weight on.
_COUNTS = 0.4
#: Most sentences of evidence for one cause.
_SENTENCES = 3
#: Causes that act on the whole model, not on one layer.
_GLOBAL = ("lagging_statistics", "input_scale", "initialization", "learning_rate")

DEAD_OUTPUT = "dead_output"
UNKNOWN = "unknown"
COLLAPSED = "collapsed_upstream"
NOT_FINITE = "not_finite"


_ALL_SLEEP = "None of them fires with the batch's own statistics."


@np.errstate(over="ignore", invalid="ignore")  # weights that overflowed are evidence
def explain(diagnosis: Diagnosis) -> Explanation:
    """Likely causes of dead units, with the evidence and a remedy.

    Args:
        diagnosis: Of `keras_rectifiers.diagnose`, which looks up the evidence where
            there are silent units.

    Returns:
        The causes, the likeliest first. Units that nothing explains are said to be
        `"unknown"`.
    """
    silent = diagnosis.count("dead", "leaking")
    broken = diagnosis.count("not_finite")
    if not diagnosis.layers:
        return Explanation(
            diagnosis.model,
            f"Model {diagnosis.model!r} has no rectifier that can be watched.",
            tuple(_not_finite(diagnosis)),
        )
    if not silent and not diagnosis.not_finite:
        return Explanation(
            diagnosis.model,
            f"Model {diagnosis.model!r} is healthy: each of its {diagnosis.units} "
            "units fired on some sample.",
        )
    headline = " ".join(headlines.outputs(diagnosis))
    headline += " " if headline else ""
    headline += (
        f"Model {diagnosis.model!r}: {silent} of {diagnosis.units} units never fired"
        f"{f', {broken} were not finite' if broken else ''}."
    )
    if diagnosis.waking is not None and silent:
        headline += f" {headlines.waking(diagnosis) or _ALL_SLEEP}"
    causes = [*_not_finite(diagnosis)]
    if diagnosis.evidence is None and not silent:
        return Explanation(diagnosis.model, headline, tuple(causes))
    if diagnosis.evidence is None:
        missing = (
            "This diagnosis holds counts only: call keras_rectifiers.diagnose on the "
            "model itself, which looks up weights, inputs and the optimizer."
        )
        return Explanation(diagnosis.model, headline, tuple(causes), (missing,))
    setting = Setting.of(diagnosis, diagnosis.evidence)
    causes += _ranked(setting, silent)
    return Explanation(diagnosis.model, headline, tuple(causes), _missing(setting))


@dataclasses.dataclass(frozen=True, eq=False)
class _Share:
    """What one cause explains of one rectifier."""

    case: Case
    #: Weight of the cause for each silent unit, 0..1.
    weights: Values
    sentence: str


def _ranked(setting: Setting, silent: int) -> list[Cause]:
    shares: dict[str, list[_Share]] = {
        kind: [] for kind in (DEAD_OUTPUT, *RULES, UNKNOWN)
    }
    for case in setting.roots:
        for kind, share in _shares(case, setting):
            shares[kind].append(share)
    units = sum(int(case.silent.sum()) for case in setting.roots)
    causes = [_cause(kind, found, units, setting) for kind, found in shares.items()]
    named = [
        each
        for each in causes
        if each.units and (each.score >= LEAST_SCORE or each.kind == DEAD_OUTPUT)
    ]
    named.sort(key=lambda cause: -cause.score)
    collapsed = _collapsed(setting, silent)
    ends = [each for each in setting.roots if dead_output(each).all()]
    causes = [each for each in named if each.kind != DEAD_OUTPUT or not ends]
    whole = [each for each in named if each not in causes]
    first = [
        each
        for each in causes[:1]
        if _is_global(each, setting) and _explains(each.kind, ends, setting)
    ]
    return [*first, *whole, *collapsed, *causes[len(first) :]]


def _explains(kind: str, ends: list[Case], setting: Setting) -> bool:
    """Whether a cause explains dead outputs, too."""
    found = [RULES[kind](case, setting).scores.mean() for case in ends]
    return all(score >= _COUNTS for score in found)


def _shares(case: Case, setting: Setting) -> Iterator[tuple[str, _Share]]:
    """What each cause explains of the silent units of a rectifier."""
    silent = case.silent
    ends = dead_output(case)[silent].astype(np.float64)
    rest = np.ones(int(silent.sum()))
    findings = {kind: rule(case, setting) for kind, rule in RULES.items()}
    if ends.any():
        kinds = sorted(findings, key=lambda kind: -findings[kind].scores[silent].mean())
        strong = findings[kinds[0]]
        told = [outputs.sentence(case)]
        told += [strong.sentence] if strong.scores[silent].mean() >= _COUNTS else []
        yield DEAD_OUTPUT, _Share(case, ends, " ".join(told))
        rest = rest - ends
    for kind, finding in findings.items():
        weights = rest * finding.scores[silent]
        rest = rest - weights
        yield kind, _Share(case, weights, finding.sentence)
    yield UNKNOWN, _Share(case, rest, _unknown_sentence(case))


def _is_global(cause: Cause, setting: Setting) -> bool:
    """Whether a cause acts on the whole model: then a collapse follows from it."""
    if cause.kind == "bias_shift":
        born = [each.birth_bias for each in setting.producers]
        negative = [each for each in born if each is not None and each.mean() < 0]
        return len(cause.layers) > 1 or len(negative) > 1
    if cause.kind == "batch_norm":
        return len(cause.layers) > 1
    return cause.kind in _GLOBAL


def _cause(kind: str, shares: list[_Share], units: int, setting: Setting) -> Cause:
    made = remedy(kind, setting)
    total = sum(float(each.weights.sum()) for each in shares)
    strong = [each for each in shares if (each.weights >= _COUNTS).any()]
    telling = sorted(strong, key=lambda each: -float(each.weights.sum()))
    return Cause(
        kind=kind,
        layers=tuple(each.case.path for each in strong),
        units=sum(int((each.weights >= _COUNTS).sum()) for each in strong),
        score=total / max(units, 1),
        evidence=tuple(dict.fromkeys(each.sentence for each in telling))[:_SENTENCES],
        remedy=made.sentence,
        reference=REFERENCES.get(kind, ""),
        code=made.code,
        call=made.call,
    )


def _collapsed(setting: Setting, silent: int) -> list[Cause]:
    """One cause for each layer whose death made later ones constant."""
    causes = []
    for origin in dict.fromkeys(setting.origins.values()):
        later = [
            case for case in setting.cases if setting.origins.get(case.path) == origin
        ]
        (first,) = [case for case in setting.cases if case.path == origin]
        units = sum(int(case.silent.sum()) for case in later)
        sentence = (
            f"All {first.layer.units} units of {origin!r} never fired, so what follows "
            f"takes the same values from every sample: {units} silent units of "
            f"{len(later)} later rectifiers are its consequence."
        )
        made = remedy(COLLAPSED, setting, origin=origin)
        causes.append(
            Cause(
                kind=COLLAPSED,
                layers=(origin, *(case.path for case in later)),
                units=units,
                score=units / silent,
                evidence=(sentence,),
                remedy=made.sentence,
                code=made.code,
                call=made.call,
            )
        )
    return causes


def _not_finite(diagnosis: Diagnosis) -> list[Cause]:
    if not diagnosis.not_finite:
        return []
    broken = diagnosis.broken
    kind = "values"
    if broken:
        kind = "weights" if broken.weights else "data"
    layers = [layer for layer in diagnosis.layers if layer.not_finite]
    units = sum(layer.not_finite for layer in layers)
    named = [each.layer for each in broken.weights[:1]]
    named += [layer.layer for layer in layers if layer.layer not in named]
    sentences = [diagnosis.not_finite]
    sentences += [
        f"{percent(each.spread.not_finite)} of the input {each.name!r} is not finite."
        for each in getattr(diagnosis.evidence, "inputs", ())
        if each.spread.not_finite
    ]
    made = remedy(f"{NOT_FINITE}_{kind}")
    return [
        Cause(
            kind=NOT_FINITE,
            layers=tuple(named),
            units=units,
            score=units / diagnosis.units if units else 1.0,
            evidence=tuple(sentences),
            remedy=made.sentence,
            code=made.code,
            call=made.call,
        )
    ]


def _unknown_sentence(case: Case) -> str:
    known = case.known
    return (
        f"{case.path!r}: the greatest input of its silent units is "
        f"{np.median(known.maximum[case.silent]):.3g}, its mean "
        f"{np.median(known.mean[case.silent]):.3g}, its deviation "
        f"{np.median(known.std[case.silent]):.3g}, and nothing that is known says why."
    )


def _missing(setting: Setting) -> tuple[str, ...]:
    evidence = setting.evidence
    found = []
    if evidence.problem:
        found.append(f"The model could not be run to its end: {evidence.problem}")
    if evidence.samples == 1:
        found.append("One sample only was looked at: pass more in a batch.")
    blind = [case.path for case in setting.cases if case.producer is None]
    if blind:
        found.append(f"What feeds {', '.join(blind)} is not known.")
    if evidence.training is None:
        found.append("The model has no optimizer: what training did is not known.")
    return tuple(found)
