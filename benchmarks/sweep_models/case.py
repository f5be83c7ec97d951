"""One model of the sweep, and the list of a family."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Made:
    """A built model and what the sweep gives it."""

    model: Any
    #: What `predict` takes; None where it can be made up.
    inputs: Any = None
    #: Called with a model, gives the models in it that predict, each with inputs;
    #: for a model that has no `call`. None for the model itself.
    parts: Callable[[Any], list[tuple[Any, Any]]] | None = None
    #: Called with a model, gives what it makes of a text or the like; None for none.
    used: Callable[[Any], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """One model by name."""

    name: str
    make: Callable[[], Made]
    #: Words of the sentence with which it must be refused; empty where it must not.
    refused: str = ""


class Family(dict[str, Case]):
    """The cases of a family by name; a decorator adds one."""

    def case(self, function: Any = None, *, refused: str = "") -> Any:
        """Add the function that makes a model, under its name."""
        if function is None:
            return lambda wrapped: self.case(wrapped, refused=refused)
        self[function.__name__] = Case(function.__name__, function, refused)
        return function


def normal(*shape: int) -> np.ndarray:
    """Normal numbers, the same each time."""
    return np.random.default_rng(11).normal(size=shape).astype("float32")


def indices(limit: int, *shape: int) -> np.ndarray:
    """Indices below a limit, the same each time."""
    return np.random.default_rng(11).integers(0, limit, shape).astype("int32")
