"""Data in every form that `keras.Model.fit` takes, from end to end."""

import re

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import DataError
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


def _plain(*ends, loss, inputs=(4,)):
    """A Sequential; without inputs it is not built."""
    first = [] if inputs is None else [keras.Input(inputs)]
    model = keras.Sequential([*first, _dead(8, "h"), *ends])
    model.compile("adam", loss)
    return model


class OwnLoss(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, y_pred))


def _own_loss():
    plain = _single()
    model = OwnLoss(plain.inputs, plain.outputs[0])
    model.compile("adam")
    return model


def _tokens():
    inputs = keras.Input((6,))
    x = keras.layers.Embedding(10, 4, mask_zero=True)(inputs)
    hidden = keras.layers.TimeDistributed(_dead(8, "h"), name="h")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    model.compile("adam", SPARSE)
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


LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
TOKENS = RNG.integers(1, 10, (48, 6))
TOKENS[::2, 3:] = 0
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
    "an unbuilt Sequential": (
        lambda: _plain(keras.layers.Dense(1), loss="mse", inputs=None),
        lambda: _Batches(A, Q),
        {},
    ),
    "regression": (
        lambda: _plain(keras.layers.Dense(1), loss="mse"),
        lambda: (A, Q[:, 0]),
        {},
    ),
    "several labels at once": (
        lambda: _plain(keras.layers.Dense(3, "sigmoid"), loss="binary_crossentropy"),
        lambda: (A, (B > 0).astype("float32")),
        {},
    ),
    "logits": (
        lambda: _plain(keras.layers.Dense(2), loss=LOGITS),
        lambda: (A, Y),
        {"class_weight": "balanced"},
    ),
    "sequences with masks": (
        _tokens,
        lambda: (TOKENS, TOKENS % 3),
        {"class_weight": "balanced"},
    ),
    "a loss of the model's own": (_own_loss, lambda: _Batches(A, Y), {}),
    "constant labels": (lambda: _outputs("list"), lambda: (A, [0 * Y, 0 * Q]), {}),
}


#: One of each kind; the others are slow sweeps.
FEW = (
    "weights for each output",
    "tf.data of several outputs",
    "generator",
    "test arrays beside a stream",
)


@pytest.fixture
def untraced():
    """Let TensorFlow trace nothing: that takes seconds for each model."""
    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _check(form, epochs):
    make, data, options = FORMS[form]
    keras.utils.set_random_seed(0)
    model = make()
    result = finetune(model, data(), epochs=epochs, batch_size=16, **options)

    assert result.before["dead_fraction"] == 1 / 8
    assert np.isfinite(result.after["loss"])
    assert len(result.history) == epochs
    assert not model.built or model.get_layer("h").get_weights()[1][0] == -50


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("form", FEW)
def test_forms_are_trained_on(form):
    """Looked at, treated, trained and measured, and the original stays."""
    _check(form, 1)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_trained_on(form):
    """The same for every form, as users run it."""
    _check(form, 2)


#: What finetune is given -> a part of the one sentence that answers.
REFUSED = {
    "an endless tf.data": (lambda: _tf(A, Y, repeat=True), {}, "that never ends"),
    "a generator": (lambda: _generator(A, Y), {}, "pass steps_per_epoch="),
    "an endless PyDataset": (
        lambda: _Batches(A, Y, endless=True),
        {},
        "steps_per_epoch= must say",
    ),
    "balanced classes of tf.data": (
        lambda: _tf(A, Y),
        {"class_weight": "balanced"},
        "a data set object (tf.data.Dataset)",
    ),
    "class weights of a DataLoader": (
        lambda: _torch(A, Y),
        {"class_weight": {0: 1.0}},
        "for a DataLoader",
    ),
    "two weights": (
        lambda: _Batches(A, Y, W),
        {"class_weight": {0: 1.0}},
        "with weights",
    ),
    "class weights of outputs of a stream": (
        lambda: _Batches(A, TWO),
        {"class_weight": {"label": "balanced"}},
        "with several outputs",
    ),
    "labels beside a stream": (lambda: (_Batches(A), Y), {}, "Batches with y"),
    "weights beside a stream": (
        lambda: _Batches(A, Y),
        {"sample_weight": W},
        "Batches with sample_weight",
    ),
    "weights twice": (lambda: (A, Y, W), {"sample_weight": W}, "given once"),
    "a tuple of four": (lambda: (A, Y, W, W), {}, "a tuple with 4 elements"),
    "weights of another length": (lambda: (A, Y, W[:5]), {}, "sample_weight 5"),
    "weights that are NaN": (lambda: (A, Y, W * np.nan), {}, "sample_weight of 'data'"),
    "NaN in one of several": (
        lambda: ({"a": A, "b": np.where(B > 1, np.nan, B)}, Y),
        {},
        "b of 'data'",
    ),
    "an object": (object, {}, "Received: object"),
    "an empty stream": (lambda: _tf(A, Y).take(0), {}, "an empty tf.data.Dataset"),
    "endless validation data": (
        lambda: (A, Y),
        {"validation_data": _Batches(A, Y, endless=True)},
        "validation_data must end",
    ),
    "a generator to validate on": (
        lambda: (A, Y),
        {"validation_data": _generator(A, Y)},
        "measured several times",
    ),
    "NaN to validate on": (
        lambda: (A, Y),
        {"validation_data": (A * np.nan, Y)},
        "validation_x of 'validation_data'",
    ),
    "validation data without labels": (
        lambda: (A, Y),
        {"validation_data": (A,)},
        "'validation_data' has none",
    ),
    "validation labels out of range": (
        lambda: (A, Y),
        {"validation_data": (A, Y + 9)},
        "9 to 10 in 'validation_data'",
    ),
    "a stream without labels": (lambda: _Batches(A), {}, "'data' has none"),
    "a stream of another shape": (lambda: _Batches(B, Y), {}, "shape"),
    "no steps": (lambda: (A, Y), {"steps_per_epoch": 0}, "steps_per_epoch=0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_on_is_one_sentence(case):
    """It names the argument and what was received, before any training."""
    data, options, part = REFUSED[case]

    with pytest.raises((DataError, ValueError), match=re.escape(part)) as caught:
        finetune(_single(), data(), epochs=1, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(
    ("data", "part"),
    [
        ((A, Y), "structure of the model's outputs"),
        ((A, {"label": Y + 5, "size": Q}), "5 to 6 in 'data' for 'label'"),
        ((A, {"label": Y, "other": Q}), "other of shape"),
    ],
)
def test_labels_of_several_outputs_must_fit(data, part):
    """The output is named, or how labels are given."""
    with pytest.raises(DataError, match=re.escape(part)):
        finetune(_outputs("dict"), data, epochs=1, validation_split=0)


@pytest.mark.usefixtures("untraced")
def test_a_generator_that_ends_is_named():
    """It cannot be read again; that is no fault of the labels."""
    batches = _Batches(A, Y)

    with pytest.raises(DataError, match=r"ended after 3 batches"):
        finetune(_single(), (batches[i] for i in range(3)), epochs=1, steps_per_epoch=3)
