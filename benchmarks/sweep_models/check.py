"""What the sweep asks of each model, and what comes of it."""

import dataclasses
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_rectifiers
from benchmarks.sweep_models.case import Case
from benchmarks.sweep_models.case import Made
from keras_rectifiers.errors import RectifierError

#: Outcomes.
EQUAL, REFUSED, NONE, FAILED = "equal", "refused", "none to replace", "failed"
#: Targets, as `plan` takes them.
TARGETS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("prelu", {"alpha": 0.0}),
    ("leaky_relu", {"negative_slope": 0.0}),
)


@dataclasses.dataclass
class Outcome:
    """What came of one model."""

    outcome: str
    #: The sentence of a refusal, or what failed.
    said: str = ""
    #: Rectifiers that became PReLU, and those that became Leaky ReLU.
    replaced: tuple[int, ...] = ()
    #: Reasons of those that were left.
    left: tuple[str, ...] = ()
    #: Whether its file opens again; not asked where that of the original does not.
    opens: bool = True


def outcome(case: Case, custom_objects: Mapping[str, Any]) -> Outcome:
    """Build, convert, verify, save and open one model.

    Args:
        case: The model.
        custom_objects: Classes of the user.
    """
    try:
        made = case.make()
    except Exception as error:  # noqa: BLE001 - the table tells it
        return Outcome(FAILED, f"not built: {_first(error)}")
    found = Outcome(EQUAL)
    try:
        for to, options in TARGETS:
            plan = keras_rectifiers.plan(made.model, to, **options)
            _add(found, made, plan, custom_objects)
    except RectifierError as error:
        right = bool(case.refused) and case.refused in str(error)
        found.outcome = REFUSED if right or not case.refused else FAILED
        found.said = str(error)
    except Exception as error:  # noqa: BLE001 - the table tells it
        found.outcome, found.said = FAILED, _first(error)
    else:
        if case.refused:
            found.outcome, found.said = FAILED, "it must be refused, and was not"
        elif not any(found.replaced) and not found.said:
            found.outcome = NONE
    return found


def _add(found: Outcome, made: Made, plan: Any, objects: Mapping[str, Any]) -> None:
    """Carry out one plan, and note what comes of it."""
    found.replaced = (*found.replaced, len(plan.steps))
    found.left = tuple(sorted({*found.left, *(skip.reason for skip in plan.skips)}))
    if not plan.steps or found.outcome == FAILED:
        return
    converted = plan.apply(made.model)
    fault = _differs(made, converted)
    if not fault and found.opens:
        fault = _file_fault(made, converted, objects)
        if fault and _file_fault(made, made.model, objects):
            found.opens, fault = False, ""  # nor does Keras open the original's
    if fault:
        found.outcome, found.said = FAILED, f"{plan.to}: {fault}"


def _file_fault(made: Made, converted: Any, custom_objects: Mapping[str, Any]) -> str:
    """What is wrong with the file of a model; empty where nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        converted.save(path)
        try:
            opened = keras.saving.load_model(path, custom_objects=dict(custom_objects))
        except Exception as error:  # noqa: BLE001 - the table tells it
            return f"its file does not open: {_first(error)}"
    if not isinstance(opened, type(made.model)):
        return f"its file opens as a {type(opened).__name__}"
    for (one, inputs), (other, _) in zip(
        _parts(made, converted), _parts(made, opened), strict=True
    ):
        verified = keras_rectifiers.verify(one, other, inputs)
        if not verified.bit_equal:
            return f"its file gives something else: {verified}"
        if len(one.variables) != len(other.variables):
            return f"its file has {len(other.variables)}, not {len(one.variables)}"
    return ""


def _differs(made: Made, converted: Any) -> str:
    """What is wrong with a converted model; empty where nothing is."""
    if not isinstance(converted, type(made.model)):
        return f"it is a {type(converted).__name__}"
    for (one, inputs), (other, _) in zip(
        _parts(made, made.model), _parts(made, converted), strict=True
    ):
        verified = keras_rectifiers.verify(one, other, inputs)
        if not verified.holds:
            return str(verified)
        if not verified.replaced and made.parts is None:
            return "nothing was replaced"
    if made.used is not None:
        one, other = made.used(made.model), made.used(converted)
        if not np.array_equal(np.asarray(one), np.asarray(other)):
            return f"it makes {other!r}, not {one!r}"
    return ""


def _parts(made: Made, model: Any) -> list[tuple[Any, Any]]:
    return [(model, made.inputs)] if made.parts is None else made.parts(model)


def _first(error: Exception) -> str:
    """The kind of an error, where it was raised, and what it says."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:300]
    return (
        f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {text}"
    )
