"""Rare classes weigh more in the loss, for each output of a model."""

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.class_weights import balanced
from keras_rectifiers.finetuning.class_weights import in_loss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
SPARSE = "sparse_categorical_crossentropy"


def _model(outputs=1, loss=SPARSE):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(8, activation="relu", name="h")(inputs)
    ends = [
        keras.layers.Dense(3, activation="softmax", name=name)(x)
        for name in ("a", "b")[:outputs]
    ]
    model = keras.Model(inputs, ends if outputs > 1 else ends[0])
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def test_rare_classes_weigh_more():
    """Balanced weights make each class count alike in the loss."""
    labels = np.array([0] * 9 + [2] * 3)

    assert balanced(labels) == {0: pytest.approx(2 / 3), 2: 2.0}
    for form in (labels, labels[:, None], np.eye(3)[labels]):
        loss = SPARSE if form.shape[-1] != 3 else "categorical_crossentropy"
        weights = in_loss("balanced", Data(labels, form), _model(loss=loss))
        np.testing.assert_allclose(weights, [2 / 3] * 9 + [2.0] * 3)


def test_classes_without_a_weight_count_once():
    """As in Keras' own fit."""
    weights = in_loss({2: 3.5}, Data(Y, np.array([0, 1, 2])), _model())

    np.testing.assert_array_equal(weights, [1, 1, 3.5])


def test_each_output_has_weights_of_its_own():
    """By name or by place; outputs that are not named count as they did."""
    labels = np.array([0, 0, 0, 1])
    data = Data(X[:4], {"a": labels, "b": labels})
    wanted = {"a": [2 / 3] * 3 + [2.0], "b": [1.0] * 4}

    found = in_loss({"a": "balanced"}, data, _model(2))
    listed = in_loss(["balanced", None], Data(X[:4], [labels, labels]), _model(2))

    for name, place in (("a", 0), ("b", 1)):
        np.testing.assert_allclose(found[name], wanted[name])
        np.testing.assert_allclose(listed[place], wanted[name])


def test_weights_of_classes_and_of_samples_are_multiplied():
    """A single array of weights is that of every output."""
    labels = np.array([0, 1])
    weight = np.array([10.0, 100.0])
    given = Data(X[:2], {"a": labels, "b": labels}, sample_weight=weight)

    found = in_loss({"a": {1: 2.0}}, given, _model(2))

    np.testing.assert_array_equal(found["a"], [10, 200])
    np.testing.assert_array_equal(found["b"], [10, 100])


def test_classes_of_sequences_are_weighed_step_by_step():
    """Labels of shape (samples, steps) are no columns of classes."""
    labels = np.array([[0, 1], [1, 0]])

    found = in_loss({1: 3.0}, Data(X[:2], labels), _model())

    np.testing.assert_array_equal(found, [[1, 3], [3, 1]])


@pytest.mark.parametrize(
    ("given", "labels", "match"),
    [
        ("other", np.arange(3), "'other'"),
        ("balanced", np.array([0.5, 1.5]), r"between 0.5 and 1.5"),
        ({"c": {0: 1.0}}, {"a": Y, "b": Y}, r"\['c'\].*\['a', 'b'\]"),
        ({0: 1.0}, {"a": Y, "b": Y}, "Name the outputs"),
        ({0: "much"}, Y, "'much'"),
    ],
)
def test_weights_of_what_are_no_classes_are_refused(given, labels, match):
    """One sentence says what was given; as ever it is a ValueError."""
    with pytest.raises(ArgumentError, match=match):
        in_loss(given, Data(X, labels), _model(2))
    assert issubclass(ArgumentError, ValueError)


def test_several_classes_at_once_are_not_balanced():
    """Rows of a multi-label problem have no one class."""
    with pytest.raises(ArgumentError, match="do not add up to 1"):
        in_loss(
            "balanced", Data(X, np.ones((120, 3))), _model(loss="binary_crossentropy")
        )


def test_weighted_classes_reach_the_loss():
    """A class of weight 0 is not learnt: training on it alone changes nothing."""
    model = _model()
    zeros = np.zeros_like(Y)
    result = keras_rectifiers.finetune(
        model,
        (X, zeros),
        treatment="none",
        epochs=1,
        class_weight={0: 0.0, 1: 1.0},
        keep_best=False,
    )

    np.testing.assert_allclose(
        result.model.get_weights()[0], model.get_weights()[0], atol=1e-6
    )
