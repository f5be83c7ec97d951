"""Data in every form that `keras.Model.fit` takes, from end to end."""

import keras
import numpy as np
import pytest

from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.finetune import finetune

RNG = np.random.default_rng(0)
A = RNG.normal(size=(48, 4)).astype("float32")
B = RNG.normal(size=(48, 3)).astype("float32")
Y = (A[:, 0] > 0).astype("int32")
Q = A[:, :1] * 2
W = np.linspace(0.5, 1.5, 48).astype("float32")
SPARSE = "sparse_categorical_crossentropy"


def _dead(units, name):
    """A layer of which three quarters of the units are dead."""
    bias = keras.initializers.Constant([-50.0, *[0.5] * (units - 1)])
    return keras.layers.Dense(
        units, activation="relu", name=name, bias_initializer=bias
    )


def _single():
    layers = [_dead(8, "h"), keras.layers.Dense(2, activation="softmax")]
    model = keras.Sequential([keras.Input((4,), name="a"), *layers])
    model.compile("adam", SPARSE, metrics=["accuracy"])
    return model


def _inputs(form):
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    x = _dead(8, "h")(keras.layers.Concatenate()([a, b]))
    given = {"list": [a, b], "dict": {"a": a, "b": b}}[form]
    model = keras.Model(given, keras.layers.Dense(2, activation="softmax")(x))
    model.compile("adam", SPARSE, metrics=["accuracy"])
    return model


def _outputs(form):
    a = keras.Input((4,), name="a")
    x = _dead(8, "h")(a)
    label = keras.layers.Dense(2, activation="softmax", name="label")(x)
    size = keras.layers.Dense(1, name="size")(x)
    given = {"list": [label, size], "dict": {"label": label, "size": size}}[form]
    model = keras.Model(a, given)
    losses = {"label": SPARSE, "size": "mse"}
    losses = losses if form == "dict" else list(losses.values())
    model.compile("adam", losses)
    return model


class _Batches(keras.utils.PyDataset):
    def __init__(self, *parts, endless=False):
        super().__init__()
        self._parts = parts
        self._endless = endless

    @property
    def num_batches(self):
        return None if self._endless else 3

    def __getitem__(self, index):
        piece = slice(16 * (index % 3), 16 * (index % 3) + 16)
        return keras.tree.map_structure(lambda part: part[piece], self._parts)


def _tf(*parts, repeat=False, uncounted=False):
    tf = pytest.importorskip("tensorflow")
    made = tf.data.Dataset.from_tensor_slices(parts).batch(16)
    made = made.repeat() if repeat else made
    return made.filter(lambda *_: True) if uncounted else made


def _torch(*parts):
    data = pytest.importorskip("torch.utils.data")

    class Rows(data.Dataset):
        def __len__(self):
            return 48

        def __getitem__(self, index):
            return keras.tree.map_structure(lambda part: part[index], parts)

    return data.DataLoader(Rows(), batch_size=16)


def _generator(*parts):
    index = 0
    batches = _Batches(*parts, endless=True)
    while True:
        yield batches[index]
        index += 1


TWO = {"label": Y, "size": Q}
#: Name -> model, data, options.
FORMS = {
    "arrays": (_single, lambda: (A, Y), {}),
    "lists of numbers": (_single, lambda: (A.tolist(), Y.tolist()), {}),
    "weights in the tuple": (_single, lambda: (A, Y, W), {}),
    "weights apart": (_single, lambda: (A, Y), {"sample_weight": W}),
    "weights of classes and samples": (
        _single,
        lambda: (A, Y, W),
        {"class_weight": "balanced"},
    ),
    "inputs in a list": (lambda: _inputs("list"), lambda: ([A, B], Y), {}),
    "inputs in a tuple": (lambda: _inputs("list"), lambda: ((A, B), Y), {}),
    "inputs in a dict": (lambda: _inputs("dict"), lambda: ({"a": A, "b": B}, Y), {}),
    "inputs by name": (lambda: _inputs("list"), lambda: ({"a": A, "b": B}, Y), {}),
    "outputs in a list": (lambda: _outputs("list"), lambda: (A, [Y, Q]), {}),
    "outputs in a tuple": (lambda: _outputs("list"), lambda: (A, (Y, Q)), {}),
    "outputs in a dict": (lambda: _outputs("dict"), lambda: (A, TWO), {}),
    "outputs by name": (lambda: _outputs("list"), lambda: (A, TWO), {}),
    "weights for each output": (
        lambda: _outputs("dict"),
        lambda: (A, TWO, {"label": W, "size": W}),
        {"class_weight": {"label": "balanced"}},
    ),
    "one weight for all outputs": (
        lambda: _outputs("list"),
        lambda: (A, [Y, Q], W),
        {},
    ),
    "tf.data": (_single, lambda: _tf(A, Y), {}),
    "tf.data with weights": (_single, lambda: _tf(A, Y, W), {}),
    "tf.data of several inputs": (
        lambda: _inputs("list"),
        lambda: _tf((A, B), Y),
        {},
    ),
    "tf.data of several outputs": (lambda: _outputs("dict"), lambda: _tf(A, TWO), {}),
    "tf.data that is not counted": (_single, lambda: _tf(A, Y, uncounted=True), {}),
    "tf.data that never ends": (
        _single,
        lambda: _tf(A, Y, repeat=True),
        {"steps_per_epoch": 3},
    ),
    "tf.data with weights of classes": (
        _single,
        lambda: _tf(A, Y),
        {"class_weight": {0: 1.0, 1: 2.0}},
    ),
    "PyDataset": (_single, lambda: _Batches(A, Y), {}),
    "PyDataset of several inputs and outputs": (
        lambda: _outputs("dict"),
        lambda: _Batches(A, TWO, {"label": W, "size": W}),
        {},
    ),
    "PyDataset that never ends": (
        _single,
        lambda: _Batches(A, Y, endless=True),
        {"steps_per_epoch": 3},
    ),
    "DataLoader": (_single, lambda: _torch(A, Y), {}),
    "DataLoader with weights": (_single, lambda: _torch(A, Y, W), {}),
    "generator": (_single, lambda: _generator(A, Y), {"steps_per_epoch": 3}),
    "test arrays beside a stream": (
        _single,
        lambda: Data(_Batches(A, Y), x_test=A[:20], y_test=Y[:20]),
        {},
    ),
    "a test stream beside arrays": (
        _single,
        lambda: Data(A, Y, x_test=_Batches(A, Y)),
        {},
    ),
    "validation arrays": (
        _single,
        lambda: (A, Y),
        {"validation_data": (A[:20], Y[:20], W[:20])},
    ),
    "a validation stream": (
        _single,
        lambda: _Batches(A, Y),
        {"validation_data": _Batches(A, Y)},
    ),
    "fewer samples than a batch": (_single, lambda: (A[:5], Y[:5]), {}),
    "one class": (_single, lambda: (A, 0 * Y), {"class_weight": "balanced"}),
    "constant labels": (lambda: _outputs("list"), lambda: (A, [0 * Y, 0 * Q]), {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_trained_on(form):
    """Dead units come back, and the metrics are those that Keras gives."""
    make, data, options = FORMS[form]
    keras.utils.set_random_seed(0)
    model = make()
    result = finetune(model, data(), epochs=2, batch_size=16, **options)

    assert result.before["dead_fraction"] == 1 / 8
    assert np.isfinite(result.after["loss"])
    assert len(result.history) == 2
    assert model.get_layer("h").bias[0] == -50
