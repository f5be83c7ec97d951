"""What each optimizer of Keras 3 keeps, and in which order it is stored.

Keras stores `optimizer/vars/<i>` by number alone: counters first, then one block
after another, each with the slots of every trained variable in turn.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph import forms

#: A shape; an axis that is not known is None or a text.
Pattern = tuple[int | str | None, ...]
#: The slots that every variable has in one block, in turn.
Block = tuple[str, ...]

#: Represents the variable's own value, as the start of a slot.
OWN_VALUE = "own"
#: The moving average of the variable itself (`use_ema`).
AVERAGE = "average"
#: Its gradients since the last step (`gradient_accumulation_steps`).
ACCUMULATED = "gradient_accumulator"
#: Class that scales the loss for an optimizer inside it.
SCALER = "LossScaleOptimizer"
#: How many counters it stores before the variables of the one inside.
SCALER_COUNTERS = 4
#: The scale that it starts from.
INITIAL_SCALE = 2.0**15

#: What `compile` takes where nothing is named.
DEFAULT = "RMSprop"

_ADAM: tuple[tuple[Block, str], ...] = (
    (("momentum", "velocity"), ""),
    (("velocity_hat",), "amsgrad"),
)
#: Class -> its blocks, each with the argument that asks for it, or `""`.
_BLOCKS: dict[str, tuple[tuple[Block, str], ...]] = {
    "SGD": ((("momentum",), "momentum"),),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "RMSprop": (
        (("velocity",), ""),
        (("momentum",), "momentum"),
        (("average_gradient",), "centered"),
    ),
    "Adagrad": ((("accumulator",), ""),),
    "Adadelta": ((("accumulated_grad", "accumulated_delta_var"), ""),),
    "Adamax": ((("momentum", "norm"), ""),),
    "Nadam": ((("momentum", "velocity"), ""),),
    "Ftrl": ((("accumulator", "linear"), ""),),
    "Lion": ((("momentum",), ""),),
    "Lamb": ((("momentum", "velocity"), ""),),
    "Adafactor": ((("r", "c", "velocity"), ""),),
    "Muon": ((("momentum", "velocity"), ""),),
    "ScheduleFreeAdamW": ((("momentum", "velocity"), ""),),
}
_BY_LOWER = {name.lower(): name for name in _BLOCKS}
#: Keras finds these by name; Lamb it does not.
_NAMED = {lower: name for lower, name in _BY_LOWER.items() if name != "Lamb"}
#: Default learning rates that are not 0.001.
_RATES = {"SGD": 0.01, "ScheduleFreeAdamW": 0.0025}
_RATE = 0.001
#: What an accumulator starts from by default.
_ACCUMULATOR = 0.1
#: Largest number that is taken from a config: what float32 holds.
_LARGEST = 3e38
#: Where Keras has the optimizers by which torch alone trains.
_OF_TORCH = "keras.src.backend.torch.optimizers."
#: Muon trains variables with this many axes; Adam the rest.
_MUON_AXES = 2
_PLAIN = re.compile(r"[\w/]*")


@dataclasses.dataclass(frozen=True)
class Slot:
    """One array that an optimizer keeps for a variable.

    Attributes:
        name: Its name in Keras: `"momentum"`.
        shape: Its shape.
        start: What it holds before the first step: a number, or `OWN_VALUE`.
        dtype: Its type; Keras 3 stores the placeholders of Adafactor as integers.
    """

    name: str
    shape: Pattern
    start: float | str
    dtype: str = "float32"


@dataclasses.dataclass(frozen=True)
class Layout:
    """The arrays that an optimizer keeps.

    Attributes:
        class_name: Its class in Keras 3.
        config: Its config.
        blocks: The slots of each block, in the order in which they are stored.
    """

    class_name: str
    config: Mapping[str, Any]
    blocks: tuple[Block, ...]

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate is a schedule, and no variable."""
        return isinstance(self.config.get("learning_rate"), Mapping)

    @property
    def rate(self) -> float:
        """The learning rate that it starts with, unless it is a schedule."""
        return number(self.config.get("learning_rate"), default_rate(self.class_name))

    @property
    def counters(self) -> tuple[Slot, ...]:
        """What is stored before the blocks: steps and, without a schedule, the rate."""
        steps = Slot("iteration", (), 0, "int64")
        if self.scheduled:
            return (steps,)
        return steps, Slot("learning_rate", (), self.rate)

    @property
    def product(self) -> bool:
        """Whether a product of momenta follows the blocks, as Nadam has it."""
        return self.class_name == "Nadam"

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of all slots, in the order of the blocks."""
        return tuple(slot for block in self.blocks for slot in block)

    def slots_of(self, block: Block, path: str, shape: Pattern) -> Iterator[Slot]:
        """What Keras 3 stores of a block for one variable.

        Args:
            block: One of the blocks.
            path: The variable's path in Keras, such as `"block/conv/kernel"`.
            shape: Its shape.
        """
        for name in block:
            found = self.slot_shape(name, path, shape)
            if found is not None:
                yield Slot(name, found, self._start(name))
            elif self.class_name == "Adafactor":
                yield Slot(name, (), 0.0, "int32")  # Keras' placeholder

    def slot_shape(self, name: str, path: str, shape: Pattern) -> Pattern | None:
        """The shape of a variable's slot; None where that variable has none.

        Args:
            name: The slot.
            path: The variable's path in Keras.
            shape: The variable's shape.
        """
        if name in ("r", "c"):
            if len(shape) < 2:  # noqa: PLR2004 (vectors are not factored)
                return None
            return shape[:-1] if name == "r" else (*shape[:-2], shape[-1])
        if name == "velocity" and self.class_name == "Muon":
            return None if self._muon(path, shape) else shape
        return shape

    def _start(self, name: str) -> float | str:
        if name == AVERAGE or (
            name == "momentum" and self.class_name == "ScheduleFreeAdamW"
        ):
            return OWN_VALUE
        if name != "accumulator":
            return 0.0
        return number(self.config.get("initial_accumulator_value"), _ACCUMULATOR)

    def _muon(self, path: str, shape: Pattern) -> bool:
        """Whether Muon itself trains a variable, and not the Adam that it holds."""
        if len(shape) != _MUON_AXES:
            return False
        if self.config.get("exclude_embeddings", True) and "embedding" in path.lower():
            return False
        excluded = self.config.get("exclude_layers") or []
        return not any(part in path for part in excluded)


def scaler_counters(config: Mapping[str, Any]) -> tuple[Slot, ...]:
    """What an optimizer that scales the loss stores before the one inside it.

    Args:
        config: Its config.
    """
    scale = number(config.get("initial_scale"), INITIAL_SCALE)
    return (
        Slot("iteration", (), 0, "int64"),
        Slot("learning_rate", (), 0.0),
        Slot("step_counter", (), 0, "int64"),
        Slot("dynamic_scale", (), scale),
    )


def number(value: Any, default: float) -> float:
    """A number of a config, or the default where there is none.

    Args:
        value: Any value.
        default: For everything else.
    """
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and abs(value) <= _LARGEST else default


def default_rate(class_name: str) -> float:
    """The learning rate of an optimizer that was given none."""
    return _RATES.get(class_name, _RATE)


def layout_of(optimizer: Any) -> Layout | None:
    """What a serialized optimizer keeps; None where that is not known.

    Args:
        optimizer: The `optimizer` of a `compile_config` of Keras 3: an object, or a
            name. One that scales the loss represents the optimizer inside it.
    """
    class_name, config = class_and_config(optimizer)
    if class_name == SCALER:
        inner = config.get("inner_optimizer")
        return None if class_and_config(inner)[0] == SCALER else layout_of(inner)
    rows = _BLOCKS.get(class_name)
    if rows is None or not _is_plain(config.get("exclude_layers")):
        return None
    blocks = [block for block, flag in rows if not flag or config.get(flag)]
    if config.get("gradient_accumulation_steps"):
        blocks = [(ACCUMULATED,), *blocks]
    if config.get("use_ema"):
        blocks = [(AVERAGE,), *blocks]
    return Layout(class_name, config, tuple(blocks))


def inner_of(optimizer: Any) -> dict[str, Any] | None:
    """The optimizer inside a serialized one that scales the loss; None for others."""
    config = optimizer.get("config") if isinstance(optimizer, Mapping) else None
    inner = config.get("inner_optimizer") if isinstance(config, Mapping) else None
    return inner if isinstance(inner, dict) else None


def of_every_backend(optimizer: Any) -> Any:
    """A serialized optimizer as every backend can make it.

    Keras 3.15 on torch names its own class that replaces Adam and others, and no other
    backend can use it. From the common name, Keras creates that class.

    Args:
        optimizer: As for `layout_of`.

    Returns:
        The same object where nothing is to be changed.
    """
    inner = inner_of(optimizer)
    if inner is not None:
        new = of_every_backend(inner)
        if new is inner:
            return optimizer
        return {**optimizer, "config": {**optimizer["config"], "inner_optimizer": new}}
    if not isinstance(optimizer, Mapping):
        return optimizer
    if not str(optimizer.get("module")).startswith(_OF_TORCH):
        return optimizer
    return {**optimizer, "module": "keras.optimizers", "registered_name": None}


def _is_plain(patterns: Any) -> bool:
    """Whether the patterns of Muon are plain text: no other one in a file is run."""
    return patterns is None or (
        isinstance(patterns, list)
        and all(isinstance(each, str) and _PLAIN.fullmatch(each) for each in patterns)
    )


def class_and_config(optimizer: Any) -> tuple[str, Mapping[str, Any]]:
    """The class of a serialized optimizer and its config; `""` for no optimizer.

    Keras 3.0 to 3.3 write the name that `compile` was given. A name means the
    default arguments.

    Args:
        optimizer: As for `layout_of`.
    """
    if isinstance(optimizer, str):
        return _NAMED.get(optimizer.lower(), optimizer), {}
    if not isinstance(optimizer, Mapping):
        return "", {}
    name, config = optimizer.get("class_name"), optimizer.get("config")
    config = config if isinstance(config, Mapping) else {}
    name = name if isinstance(name, str) else ""
    registered, module = optimizer.get("registered_name"), optimizer.get("module")
    if registered not in (None, name):
        return str(registered), config  # of another package, whatever its name
    if not isinstance(module, str | None) or not forms.is_keras_module(module):
        return f"{module}.{name}", config
    return name, config
