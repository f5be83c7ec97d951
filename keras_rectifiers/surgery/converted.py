"""A converted model or layer whose layers are made in Python code, and its file.

The config of such a class holds its own arguments, not its layers; from it comes the
model as it was before the conversion. So a converted one is stored in a file with what
was put where: it is made from its own config, and then converted again. Its class is a
subclass with the same name.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras
from keras.src.saving import object_registration
from keras.src.saving import serialization_lib

from keras_rectifiers import specs
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.exchange import Exchange
from keras_rectifiers.live.exchange import exchange
from keras_rectifiers.live.layers import ORIGINAL
from keras_rectifiers.live.layers import at_position
from keras_rectifiers.live.layers import class_of
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.shadow import shadowed
from keras_rectifiers.specs import CONVERTED_INNER
from keras_rectifiers.specs import CONVERTED_ROUNDS
from keras_rectifiers.surgery import constructors

#: On-disk format: never change these.
_ASIDE = "aside"
_COMPILED = "compile_config"

#: Method of KerasHub's classes that writes a folder which only they can open.
_PRESET = "save_to_preset"
#: Attribute of a converted object that holds its rounds, as JSON.
_KEPT = "_keras_rectifiers_rounds"
#: Attribute of an object that a layer was put into: its previous values, by name.
_BEFORE = "_keras_rectifiers_before"
#: Original class -> the one of converted objects.
_CLASSES: dict[type, type] = {}

#: What was put in one place: its position, attribute, operand and the layer's config.
Put = dict[str, Any]


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="Converted")
class Converted:
    """Makes a converted object from its config; it is never made itself."""

    __module__ = "keras_rectifiers.surgery.converted"

    def get_config(self) -> dict[str, Any]:
        """What `from_config` takes; of an object whose class is a converted one."""
        made = type(self)
        self.__class__ = class_of(self)
        try:
            with _as_before(self):
                inner = serialization_lib.serialize_keras_object(self)
            aside = constructors.set_aside(self, inner["config"])
        finally:
            self.__class__ = made
        inner.pop(_COMPILED, None)  # it is that of the converted one
        return {CONVERTED_INNER: inner, _ASIDE: aside, CONVERTED_ROUNDS: rounds(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The object of the user's class, converted.

        Args:
            config: `inner`, what Keras writes of the object before its conversion;
                `aside`, what of it the constructor does not take; and `rounds`, what
                each conversion put where.

        Raises:
            UnsupportedModelError: The class makes other layers than it did, or this
                is not what `get_config` gave.
        """
        _check(config)
        with constructors.policy(config[_ASIDE].get("dtype")):
            made = keras.saving.deserialize_keras_object(config[CONVERTED_INNER])
        constructors.give_back(made, config[_ASIDE])
        for puts in config[CONVERTED_ROUNDS]:
            apply(made, puts)
        mark(made, config[CONVERTED_ROUNDS])
        return made


def _check(config: dict[str, Any]) -> None:
    """Refuse a config that is not as `Converted.get_config` makes it.

    Raises:
        UnsupportedModelError: Says what is amiss.
    """
    kinds = {CONVERTED_INNER: dict, _ASIDE: dict, CONVERTED_ROUNDS: list}
    amiss = [
        key for key, kind in kinds.items() if not isinstance(config.get(key), kind)
    ]
    if not amiss:
        found = config[CONVERTED_ROUNDS]
        whole = found and all(isinstance(each, list) and each for each in found)
        if whole and all(_is_put(put) for each in found for put in each):
            return
        amiss = [CONVERTED_ROUNDS]
    raise UnsupportedModelError(
        "The config of a converted object must have the form that this package "
        f"writes. Received: a config with an invalid {amiss[0]!r}. The file is "
        "damaged, or was changed."
    )


def _is_put(put: Any) -> bool:
    """Whether a value says what was put in one place."""
    if not isinstance(put, dict) or not isinstance(put.get("position"), list):
        return False
    layer, numbers = put.get("layer"), [*put["position"], put.get("operand")]
    return (
        all(isinstance(each, int) and each >= 0 for each in numbers)
        and isinstance(put.get("attribute"), str)
        and isinstance(layer, dict)
        and isinstance(layer.get("class_name"), str)
        and isinstance(layer.get("config"), dict)
        and isinstance(layer["config"].get("name"), str)
    )


def apply(made: Any, puts: Sequence[Put]) -> None:
    """Put layers where they were in the object that was saved.

    Args:
        made: An object of the user's class; it is changed.
        puts: What goes where.

    Raises:
        UnsupportedModelError: The class makes other layers than it did.
    """
    wanted = []
    for put in puts:
        old = at_position(made, put["position"])
        there = getattr(old, put["attribute"], None) if put["attribute"] else old
        if there is None:
            raise UnsupportedModelError(
                "A converted model must be opened with the code that it was converted "
                f"with. Received: {type(made).__name__}, which has no layer "
                f"{put['layer']['config']['name']!r}, unlike the file."
            )
        # Keras takes the config of a Functional model apart.
        layer = copy.deepcopy(put["layer"])
        new = keras.saving.deserialize_keras_object(layer)
        wanted.append(Exchange(old, new, put["attribute"], put["operand"]))
    replace(made, wanted)


def replace(made: Any, wanted: Sequence[Exchange]) -> None:
    """Put each new layer in its place, and keep what a config says in its place.

    A class that has a rectifier among its arguments writes into its config what it
    holds. From a layer there it would make its layers in another order.

    Args:
        made: The object; it is changed.
        wanted: As for `exchange`.
    """
    for each in wanted:
        if each.attribute:
            before = {each.attribute: getattr(each.old, each.attribute)}
            known = vars(each.old).get(_BEFORE, {})
            object.__setattr__(each.old, _BEFORE, {**before, **known})
    exchange(made, wanted)


@contextlib.contextmanager
def _as_before(made: Any) -> Iterator[None]:
    """Let an object and what it holds say in their configs what was there before."""
    with contextlib.ExitStack() as stack:
        for each in flat(made):
            stack.enter_context(shadowed(each, **vars(each).get(_BEFORE, {})))
        yield


def mark(made: Any, rounds: Sequence[Sequence[Put]]) -> None:
    """Let an object say in its config that it was converted.

    Args:
        made: The converted object; its class becomes a subclass.
        rounds: What each conversion of it put where.
    """
    made.__class__ = _converted_class(class_of(made))
    object.__setattr__(made, _KEPT, json.dumps(list(rounds)))


def rounds(made: Any) -> list[list[Put]]:
    """What conversions put into an object; empty where it was not converted."""
    kept: list[list[Put]] = json.loads(vars(made).get(_KEPT, "[]"))
    return kept


def _converted_class(cls: type) -> type:
    if cls not in _CLASSES:
        members: dict[str, Any] = {
            "__module__": Converted.__module__,
            "__qualname__": cls.__qualname__,
            "__doc__": cls.__doc__,
            ORIGINAL: cls,
            "get_config": Converted.get_config,
            "from_config": classmethod(_from_config),
            "__reduce__": _reduce,
        }
        if hasattr(cls, _PRESET):
            members[_PRESET] = _no_preset
        made = type(cls.__name__, (cls,), members)
        _CLASSES[cls] = made
        object_registration.GLOBAL_CUSTOM_NAMES[made] = specs.CONVERTED_REGISTERED
    return _CLASSES[cls]


def _reduce(self: Any) -> tuple[Any, ...]:
    """For `pickle`, which looks classes up by their names, and finds no such one."""
    cls: Any = class_of(self)
    _, content = cls.__reduce__(self)
    return keras.Model._unpickle_model, content


def _no_preset(self: Any, *args: Any, **kwargs: Any) -> None:
    """Presets of KerasHub name a registered class of KerasHub, and open no other."""
    del args, kwargs
    raise UnsupportedModelError(
        "A converted model must be saved as a .keras file. Received: save_to_preset "
        f"of {self.name!r}, which from_preset could not open. Call "
        "save('model.keras'), or save the preset of the original, and convert the "
        "result of from_preset."
    )


def _from_config(cls: Any, config: dict[str, Any]) -> Any:
    """An object of a converted class; `clone_model` looks both configs up under it."""
    if CONVERTED_ROUNDS in config:
        return Converted.from_config(config)
    return getattr(cls, ORIGINAL).from_config(config)
