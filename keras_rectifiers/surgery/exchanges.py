"""Replace rectifiers in the copy of a model, where no config lists them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.graph.sites import FUSED
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.live import rectifiers
from keras_rectifiers.live.exchange import Exchange
from keras_rectifiers.live.layers import at_position
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.layers import is_keras
from keras_rectifiers.live.layers import is_layer
from keras_rectifiers.live.layers import walk
from keras_rectifiers.surgery import converted
from keras_rectifiers.surgery import slope_precision
from keras_rectifiers.surgery.converted import Put
from keras_rectifiers.surgery.in_python import Held
from keras_rectifiers.surgery.live_document import lists_its_layers
from keras_rectifiers.surgery.plan import Step
from keras_rectifiers.surgery.rewrite import layer_entry


class Exchanges:
    """Steps of a plan that are made in the layers themselves.

    Args:
        model: The original.
        found: Its rectifiers.
        steps: The steps.

    Raises:
        PlanMismatchError: A step is not for this model.
    """

    def __init__(
        self,
        model: keras.Model,
        found: Iterable[Found | Held],
        steps: Sequence[Step],
    ) -> None:
        self._model = model
        known = {each.site.path: each for each in found}
        self._steps = [(step, _checked(step, known)) for step in steps]

    def make(self, new: keras.Model, twins: Mapping[int, Any]) -> None:
        """Replace the rectifiers in the copy.

        Args:
            new: The copy, with the weights and the names of the original; or the
                original itself.
            twins: The layers of the copy by the ids of those of the original.
        """
        if not self._steps:
            return
        inside = list(walk(self._model))
        places = {"": self._model, **{each.path: each.member for each in inside}}
        at = {id(each.member): each for each in inside}
        puts: list[tuple[Exchange, Put]] = []
        for step, found in self._steps:
            owner, attribute = _target(found, places)
            old = twins.get(id(owner))
            if old is None:  # an operation
                where = at[id(owner)]
                parent = twins[id(where.parent)]
                old = at_position(parent, where.position[-1:])
            puts.append(_put(step, found, old, attribute))
        _mark(new, puts)
        converted.replace(new, [each for each, _ in puts])


def _checked(step: Step, known: dict[str, Found | Held]) -> Found | Held:
    found = known.get(step.site.path)
    if found is None or found.site.form != step.site.form:
        there = "no rectifier" if found is None else found.site.spelling
        raise PlanMismatchError(
            f"A plan must be applied to the model that it was made for. "
            f"Received: {step.site.spelling} at {step.site.path!r} in the plan, "
            f"{there} in the model. Make the plan again from this model."
        )
    slope_precision.checked(step.replacement, "", found.site, said=True)
    return found


def _target(found: Found | Held, places: dict[str, Any]) -> tuple[Any, str]:
    """The owner of a rectifier in the original, and the attribute that holds it."""
    if isinstance(found, Held):
        owner, fused = found.rectifier.owner, found.rectifier.form == rectifiers.FUSED
        return owner, found.rectifier.attribute if fused else ""
    return places[found.site.path], (
        found.attribute if found.site.form == FUSED else ""
    )


def _put(
    step: Step, found: Found | Held, old: Any, attribute: str
) -> tuple[Exchange, Put]:
    before = getattr(old, attribute) if attribute else old
    held = is_layer(before)
    entry = layer_entry(
        step.replacement,
        before.name if held or not attribute else attribute,
        found.site.dtype,
        trainable=old.trainable if is_layer(old) else True,
        regularizer=_regularizer(before) if held else None,
    )
    # Keras takes the config of a Functional model apart.
    new = keras.saving.deserialize_keras_object(copy.deepcopy(entry))
    if held:
        new.autocast = before.autocast
    operand = found.operand if isinstance(found, Found) else found.rectifier.operand
    put = {"attribute": attribute, "operand": operand, "layer": entry}
    return Exchange(old, new, attribute, operand), put


def _regularizer(layer: Any) -> Any:
    given = layer.activity_regularizer
    return None if given is None else keras.regularizers.serialize(given)


def _mark(new: keras.Model, puts: Sequence[tuple[Exchange, Put]]) -> None:
    """Note in each object that hides its layers what is put where inside it."""
    noted = []
    for holder in flat(new):
        if not _hides(holder):
            continue
        here = list(_inside(holder, puts))
        if here:
            noted.append((holder, [*converted.rounds(holder), here]))
    for holder, rounds in noted:
        converted.mark(holder, rounds)


def _hides(holder: Any) -> bool:
    return not is_keras(holder) and not lists_its_layers(holder)


def _inside(holder: Any, puts: Sequence[tuple[Exchange, Put]]) -> Iterator[Put]:
    positions: dict[int, tuple[int, ...]] = {id(holder): ()}
    positions |= {id(member): position for _, member, _, position in walk(holder)}
    for each, put in puts:
        position = positions.get(id(each.old))
        if position is not None:
            yield {"position": list(position), **put}
