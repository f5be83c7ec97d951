"""The way back from the conversion of a live model."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from keras_rectifiers.surgery import remembered
from keras_rectifiers.surgery import way_back
from keras_rectifiers.surgery.borrowed import PREFIX
from keras_rectifiers.surgery.live import LiveModel
from keras_rectifiers.surgery.plan import Plan


def with_back(opened: LiveModel, plan: Plan) -> Plan:
    """A plan that says how its work on a live model is undone.

    What it puts into layers that Python code makes is not part of it: those keep in
    their own config what was put where.

    Args:
        opened: The model.
        plan: A plan for it.
    """
    rewritten, _ = opened.rewritten(plan)
    made = way_back.with_back(plan, opened._document, rewritten)  # noqa: SLF001
    if PREFIX in json.dumps(made.back):  # the original alone has it
        return dataclasses.replace(made, back=None)
    return made


def applied(opened: LiveModel, plan: Plan) -> Any:
    """Carry a plan out, and remember the way back from the new model.

    Args:
        opened: The model; it is not changed.
        plan: A plan for it.

    Returns:
        The new model.
    """
    made = opened.apply(plan)
    remembered.keep(made, (*remembered.plans(opened.model), with_back(opened, plan)))
    return made
