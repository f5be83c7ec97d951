"""The plan of a conversion in which each site has a slope of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.surgery import live
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import Skip
from keras_rectifiers.surgery.plan import Step
from keras_rectifiers.surgery.plan import make_plan
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.selection import Selection

_NO_SLOPE = ("slope", "no slope above 0 fits the budget")


def plan_with(
    model: Any, to: str, slopes: Mapping[str, float], selection: Selection
) -> Plan:
    """Plan a conversion with one slope for each site.

    Args:
        model: A live model; not changed.
        to: `"leaky_relu"`, where a site of slope 0 is left as it is, or `"prelu"`,
            where it becomes a PReLU that starts at 0.
        slopes: Slope by path; sites that are absent are left as they are.
        selection: The selection that the sites came from.
    """
    survey = Survey(live.document_of(model))
    plans = {
        slope: make_plan(survey, _target(to, slope), selection, live.alphas(model))
        for slope in sorted({0.0, *slopes.values()})
    }
    steps = {
        (slope, step.site.path): step
        for slope, made in plans.items()
        for step in made.steps
    }
    chosen: list[Step] = []
    skips = list(plans[0.0].skips)
    for step in plans[0.0].steps:
        slope = slopes.get(step.site.path, 0.0)
        if slope == 0 and to == specs.LEAKY_RELU:
            skips.append(Skip(step.site, *_NO_SLOPE))
        else:
            chosen.append(steps[slope, step.site.path])
    return dataclasses.replace(plans[0.0], steps=tuple(chosen), skips=tuple(skips))


def _target(to: str, slope: float) -> Target:
    if to == specs.LEAKY_RELU:
        return Target(to, negative_slope=slope)
    return Target(to, alpha=slope)
