"""One live model that the runs of a call use in turn, so that it is compiled once.

What a trial of a small network costs is mostly compiling it. Treatments that change
numbers alone leave the same network behind, so that one model can train them all: each
brings its variables when it is its turn, and takes them along when another one comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy.typing as npt

from keras_rectifiers.finetuning.prepare import Treated
from keras_rectifiers.live.compiling import suit_backend
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.live.placement import is_on_one_device
from keras_rectifiers.live.state import copy_of
from keras_rectifiers.live.state import synchronize

Values = list[npt.NDArray[Any]]


class Stage:
    """A model, and whose variables are in it.

    Args:
        model: A compiled model, changed from now on.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._seat: Seat | None = None
        #: Whether the momentum of the runs is baked into the training step.
        self._quick: bool | None = None

    def takes(self, treated: Treated) -> bool:
        """Whether this model with the variables of a treated one is the same model."""
        return (
            treated.only_numbers
            and self._quick in (None, treated.is_quick)
            and is_on_one_device(self.model)
            and _optimizer_of(self.model) == _optimizer_of(treated.model)
        )

    def seat(self, treated: Treated) -> Seat:
        """A seat for a run; that of the model's own variables is taken already."""
        self._quick = treated.is_quick
        if treated.model is not self.model:
            return Seat(self, values_of(treated.model))
        self._seat = Seat(self, [])
        return self._seat

    def enter(self, seat: Seat) -> None:
        """Put the variables of a seat into the model, and take out those in it."""
        if self._seat is seat:
            return
        if self._seat is not None:
            self._seat.values = values_of(self.model)
        for variable, value in zip(_all_of(self.model), seat.values, strict=True):
            variable.assign(value)
        self._seat, seat.values = seat, []


class Seat:
    """One run's turn on a stage.

    Args:
        stage: The stage.
        values: The run's variables.
    """

    def __init__(self, stage: Stage, values: Values) -> None:
        self._stage = stage
        #: Variables while another run is on the stage.
        self.values = values

    @property
    def model(self) -> Any:
        """The model with the variables of this run."""
        self._stage.enter(self)
        return self._stage.model


def seats(model: Any, treated: Iterable[Treated]) -> list[Seat]:
    """A seat for each treated model: all that can be are on one stage.

    Args:
        model: The compiled copy of the original that was looked at; changed.
        treated: The treated models; those that share a stage are not changed.
    """
    if suit_backend(model):  # what was compiled before would run as it did
        model.test_function = model.predict_function = None
    shared = Stage(model)
    return [
        (shared if shared.takes(each) else Stage(each.model)).seat(each)
        for each in treated
    ]


def values_of(model: Any) -> Values:
    """Copies of all variables of a compiled model and its optimizer."""
    synchronize(model)
    return [copy_of(each) for each in _all_of(model)]


def variables_of(model: Any) -> dict[str, list[Any]]:
    """All variables of a compiled model, and those of its optimizer.

    Args:
        model: The model; its optimizer is built where it is not.
    """
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return {"model": model.variables, "optimizer": optimizer.variables}


def _all_of(model: Any) -> list[Any]:
    return [each for part in variables_of(model).values() for each in part]


def _optimizer_of(model: Any) -> Any:
    """All of an optimizer that is not in its variables."""
    outer, inner = model.optimizer, inner_of(model.optimizer)
    configs = [each.get_config() for each in (outer, inner)]
    for config in configs:
        if isinstance(config.get("learning_rate"), float):
            config.pop("learning_rate")  # a variable
        config.pop("inner_optimizer", None)
        config.pop("name", None)
    return type(outer), type(inner), keras.saving.serialize_keras_object(configs)
