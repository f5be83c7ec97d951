"""What the zoo holds: small models of any Keras 3, declared by name."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

#: Name -> case, in the order of the table.
CASES: dict[str, "Case"] = {}


def untouched(model, inputs, rng):
    """What is done to most models once they are built: nothing."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A model of the zoo.

    Attributes:
        name: Of its files.
        build: (generator) -> (model, inputs).
        since: Release with which it came.
        random: Whether its weights are replaced by random ones.
        after: (model, inputs, generator): what is done to it then.
        forms: Whether it is written in the other forms too.
        opening: Arguments with which Keras opens it.
    """

    name: str
    build: Callable[[np.random.Generator], Any]
    since: tuple[int, ...] = (3, 0)
    random: bool = True
    after: Callable[[Any, Any, np.random.Generator], None] = untouched
    forms: bool = True
    opening: dict[str, Any] = dataclasses.field(default_factory=dict)


def case(**arguments):
    """Declare a case by its builder, whose name it takes."""

    def register(build):
        name = build.__name__
        assert name not in CASES, name
        CASES[name] = Case(name, build, **arguments)
        return build

    return register


def floats(rng, *shape):
    """Random inputs."""
    return rng.normal(size=shape).astype("float32")


def backbone(*, listed=False, name="backbone", norm=True):
    """A small model as one would take it from elsewhere."""
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, use_bias=False, name="stem")(x)
    if norm:
        y = keras.layers.BatchNormalization(name="stem_bn")(y)
    y = keras.layers.ReLU(name="stem_relu")(y)
    y = keras.layers.Conv2D(5, 3, activation="relu", name="top")(y)
    return keras.Model([x] if listed else x, [y] if listed else y, name=name)


@keras.saving.register_keras_serializable("zoo", name="double")
def double(x):
    """A function that a Lambda takes."""
    return x * 2.0


@keras.saving.register_keras_serializable("zoo", name="squash")
def squash(x):
    """An activation."""
    return x / (1.0 + keras.ops.abs(x))


@keras.saving.register_keras_serializable("zoo", name="Scale")
class Scale(keras.layers.Layer):
    """A layer with a weight of its own."""

    def build(self, input_shape):
        """Make the weight."""
        self.factor = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", name="factor"
        )
        self.built = True

    def call(self, x):
        """Scale."""
        return x * self.factor

    def compute_output_shape(self, input_shape):
        """As the input's."""
        return input_shape


@keras.saving.register_keras_serializable("zoo", name="Block")
class Block(keras.layers.Layer):
    """A layer with layers inside."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first = keras.layers.Dense(units, activation="relu")
        self.second = keras.layers.Dense(units)

    def build(self, input_shape):
        """Build the layers inside."""
        self.first.build(input_shape)
        self.second.build((*input_shape[:-1], self.units))
        self.built = True

    def call(self, x):
        """One after the other."""
        return self.second(self.first(x))

    def compute_output_shape(self, input_shape):
        """With as many channels as units."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The units."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("zoo", name="OwnModel")
class OwnModel(keras.Model):
    """A subclass that is made like a Functional model."""


# The modules below declare the cases.
from tests.legacy.zoo import cases_layers  # noqa: E402,F401
from tests.legacy.zoo import cases_training  # noqa: E402,F401
from tests.legacy.zoo import cases_wiring  # noqa: E402,F401
