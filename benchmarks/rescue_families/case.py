"""What a family gives: a dying model, its data, and the way to a healthy twin."""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

#: Between the seeds of two weights of one layer that have the same name.
_APART = 200


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """Arrays of one case; test arrays are only measured on, never trained on."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One dying model with all that an arm may use.

    The model belongs to the family and is used again for the next seed: take its
    state with `dying`, never keep the model.
    """

    #: Compiled; its weights are those of the dying state.
    model: Any
    #: What the healthy twin trains: the same model, or one of the same weights.
    twin: Any
    #: Weights of the dying state, as `get_weights` gives them.
    weights: list[np.ndarray]
    #: Optimizer variables of the dying state.
    optimizer: list[np.ndarray]
    data: Data
    #: Weights as the author of the dying model would draw them for another seed.
    draw: Callable[[int], list[np.ndarray]]
    #: Weights of a healthy start: a fault in the initialization is repaired.
    draw_healthy: Callable[[int], list[np.ndarray]]
    #: What the dying model was trained with.
    learning_rate: float
    #: What its healthy twin is trained with.
    healthy_rate: float
    #: Epochs that every arm may use.
    epochs: int
    batch_size: int
    #: Belongs to the family: what an arm has built, for the next seed.
    store: dict[Any, Any]

    def dying(self):
        """The model in its dying state, optimizer included."""
        load(self.model, self.weights, self.learning_rate, self.optimizer)
        return self.model


def load(model, weights, learning_rate, optimizer=None):
    """Put weights and optimizer state into a compiled model without a new trace.

    Args:
        model: A compiled model with a built optimizer.
        weights: As `get_weights` gives them.
        learning_rate: The optimizer's rate from now on.
        optimizer: Values of its variables; None for a fresh one.
    """
    model.set_weights(weights)
    for i, variable in enumerate(model.optimizer.variables):
        value = np.zeros(variable.shape) if optimizer is None else optimizer[i]
        variable.assign(value.astype(keras.backend.standardize_dtype(variable.dtype)))
    model.optimizer.learning_rate = learning_rate


def state_of(model):
    """Weights and optimizer variables of a model, as arrays."""
    variables = model.optimizer.variables
    return model.get_weights(), [
        keras.ops.convert_to_numpy(variable) for variable in variables
    ]


def drawer(model):
    """A function of a seed that draws weights by the initializers of the layers.

    Variables without an initializer of their own keep the values that they have
    now; those of a BatchNormalization, moving statistics too, have one.
    """
    now = dict(zip(map(id, model.weights), model.get_weights(), strict=True))

    def draw(seed):
        drawn = dict(now)
        for number, layer in enumerate(model.layers):
            met = collections.Counter()
            for variable in layer.weights:
                name = variable.name
                met[name] += 1  # attention has several kernels
                config = _initializer(layer, name)
                if config is None:
                    continue
                found = keras.initializers.get(config)
                if hasattr(found, "seed"):
                    found.seed = seed * 1000 + number + _APART * (met[name] - 1)
                drawn[id(variable)] = keras.ops.convert_to_numpy(found(variable.shape))
        return [drawn[id(variable)] for variable in model.weights]

    return draw


def _initializer(layer, name):
    """Config of a weight's initializer; None where its layer does not say it."""
    config = layer.get_config()
    if name == "recurrent_kernel":
        return config["recurrent_initializer"]
    if name == "kernel" and "depthwise_initializer" in config:
        return config["depthwise_initializer"]
    return config.get(f"{name}_initializer")


def fit(model, data, epochs, batch_size, seed, callbacks=(), done=0):
    """Train a compiled model in an order of samples that the seed fixes.

    With `done`, so many of the epochs have been trained before.
    """
    keras.utils.set_random_seed(seed)
    return model.fit(
        data.x,
        data.y,
        batch_size=batch_size,
        initial_epoch=done,
        epochs=epochs,
        verbose=0,
        callbacks=list(callbacks),
    ).history


def score(model, data):
    """Accuracy on the test arrays, or the negative MSE of a regression."""
    output = model.predict_on_batch(data.x_test)
    if data.y_test.dtype.kind == "f":
        return -float(np.mean((output - data.y_test) ** 2))
    return float(np.mean(np.argmax(output, axis=1) == data.y_test))


def dead_share(model, x):
    """Share of the rectifiers' units without gradient on `x`, 0..1."""
    from keras_rectifiers.diagnosis.diagnose import diagnose

    return diagnose(model, x[:1024], batch_size=1024).dead_fraction
