"""The graph of objects that a checkpoint's values belong to.

Each object has children by the names of its attributes, and a variable has the
name of its value in the checkpoint. Objects may refer to each other in circles, so
that nothing here is recursive.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable

from keras_rectifiers.legacy.containers.savedmodel.wire import Bytes
from keras_rectifiers.legacy.containers.savedmodel.wire import Message

#: Name of the graph in a checkpoint.
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
#: What the value of a variable is called among what an object stores.
VALUE = "VARIABLE_VALUE"
#: What the name of a variable's value ends with.
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
#: Most objects of a graph; large models have some ten thousand.
_MAX_OBJECTS = 1_000_000
#: Most attributes that lead to an object. Models nest 64 deep at most.
MAX_STEPS = 256

#: Names of attributes from one object to another.
Steps = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Object:
    """One object of the graph.

    Attributes:
        children: Attribute -> number of the object there.
        values: What is stored for it: `"VARIABLE_VALUE"` -> name in the checkpoint.
        full_name: A variable's name in the model, such as `"dense/kernel"`.
        slots: For an optimizer: variable, name of the slot, the slot's variable.
    """

    children: dict[str, int]
    values: dict[str, str]
    full_name: str
    slots: tuple[tuple[int, str, int], ...]

    @property
    def key(self) -> str | None:
        """Name of a variable's value in the checkpoint; None for other objects."""
        return self.values.get(VALUE)

    @property
    def name(self) -> str:
        """The same without what all of them end with, for people."""
        return (self.key or "").removesuffix(_SUFFIX)


class ObjectGraph:
    """Objects by their numbers; the model is number 0.

    Args:
        data: A `TrackableObjectGraph` message.

    Raises:
        ValueError: It is malformed.
    """

    def __init__(self, data: Bytes) -> None:
        self.objects: list[Object] = []
        for message in Message(data).messages(1):
            if len(self.objects) >= _MAX_OBJECTS:
                msg = f"more than {_MAX_OBJECTS} objects"
                raise ValueError(msg)
            self.objects.append(_object(message))
        count = len(self.objects)
        if not count:
            msg = "no objects"
            raise ValueError(msg)
        for each in self.objects:
            numbers = [*each.children.values(), *(slot[0] for slot in each.slots)]
            numbers += [slot[2] for slot in each.slots]
            if any(not 0 <= number < count for number in numbers):
                msg = "an object that refers to a missing object"
                raise ValueError(msg)

    def __getitem__(self, number: int) -> Object:
        """The object of a number."""
        return self.objects[number]

    def follow(self, start: int, path: Iterable[str]) -> int | None:
        """The object at the end of a path of attributes; None if there is none."""
        at = start
        for name in path:
            number = self.objects[at].children.get(name)
            if number is None:
                return None
            at = number
        return at

    def listed(self, number: int) -> list[int]:
        """The members of a list, which are named by their positions."""
        found = self.objects[number].children.items()
        members = [(int(name), each) for name, each in found if name.isdecimal()]
        return [each for _, each in sorted(members)]

    def reached(
        self, starts: Iterable[int], passes: Callable[[str, int], bool] | None = None
    ) -> dict[int, Steps]:
        """Every object at or below some, with the attributes that lead there.

        Args:
            starts: Where to begin; the path of each is empty.
            passes: (attribute, number) -> whether to go there; default: always.
        """
        found: dict[int, Steps] = dict.fromkeys(starts, ())
        pending = list(found)
        for at in pending:
            for name, number in self.objects[at].children.items():
                if number in found or (passes and not passes(name, number)):
                    continue
                found[number] = (*found[at], name)
                if len(found[number]) > MAX_STEPS:
                    msg = f"an object more than {MAX_STEPS} steps away"
                    raise ValueError(msg)
                pending.append(number)
        return found


def _object(message: Message) -> Object:
    children = {each.text(2): each.number(1) for each in message.messages(1)}
    values = {}
    full_name = ""
    for each in message.messages(2):
        values[each.text(1)] = each.text(3)
        full_name = each.text(2)
    slots = tuple(
        (each.number(1), each.text(2), each.number(3)) for each in message.messages(3)
    )
    return Object(children, values, full_name, slots)
