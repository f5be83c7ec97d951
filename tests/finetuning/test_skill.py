"""What outputs say about labels, for losses and labels of every kind."""

import keras
import numpy as np
import pytest

from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.skill import skill
from keras_rectifiers.live.outputs import outputs_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _says(model, data):
    return skill(model, data, outputs_of(model, data.x), 0)


def _knowing(cls=keras.Model, outputs=1, loss=SPARSE, regularizer=None):
    """Logits that are right, or for two outputs the second of which is a constant."""
    inputs = keras.Input((3,))
    ends = [
        keras.layers.Dense(2, name=name, kernel_regularizer=regularizer)
        for name in ("a", "b")[:outputs]
    ]
    model = cls(
        inputs, [each(inputs) for each in ends] if outputs > 1 else ends[0](inputs)
    )
    ends[0].set_weights([np.array([[-5.0, 5], [0, 0], [0, 0]]), np.zeros(2)])
    model.compile("sgd", loss)
    return model


def test_several_outputs_are_judged_together():
    """By the sum of their losses, in any structure of labels."""
    model = _knowing(outputs=2)
    model.get_layer("b").set_weights([np.zeros((3, 2)), np.zeros(2)])

    listed = _says(model, Data(X, [Y, Y]))
    named = _says(model, Data(X, {"b": Y, "a": Y}))

    assert 0.5 < listed < 0.9
    assert named == pytest.approx(listed)


def test_only_samples_that_weigh_count():
    """What a weight of 0 takes out of the loss is taken out of the skill."""
    wrong = np.where(np.arange(120) < 60, Y, 1 - Y)
    weight = (np.arange(120) < 60).astype("float32")

    assert _says(_knowing(), Data(X, wrong)) < 0.3
    assert _says(_knowing(), Data(X, wrong, sample_weight=weight)) > 0.9


def test_labels_that_are_all_the_same_tell_nothing():
    """Then nobody knows what outputs are worth; nothing is thrown away for that."""
    assert _says(_knowing(), Data(X, 0 * Y)) is None


def test_a_regularizer_is_no_reason_to_start_anew():
    """A loss on the weights does not hide what the outputs say."""
    model = _knowing(regularizer=keras.regularizers.L2(100.0))

    assert _says(model, Data(X, Y)) > 0.9


class OwnLoss(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return keras.ops.mean(SPARSE(y, y_pred))


class NoLabels(keras.Model):
    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        return keras.ops.mean(keras.ops.square(y_pred))


def test_a_loss_of_the_models_own_is_asked():
    """Also one that takes no `training`; one that ignores labels says nothing."""
    assert _says(_knowing(OwnLoss, loss=None), Data(X, Y)) > 0.9
    assert _says(_knowing(NoLabels, loss=None), Data(X, Y)) is None
    assert _says(_knowing(NoLabels, loss=None), Data(X)) is None


class OwnStep(keras.Model):
    """Measures what its `compute_loss` does not know."""

    def test_step(self, *args):
        *state, data = args
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        if keras.config.backend() == "jax":
            trainable, fixed, *rest = state[0]
            y_pred, fixed = self.stateless_call(trainable, fixed, x)
            loss = SPARSE(y, y_pred)
            return {"loss": loss, "more": loss}, (trainable, fixed, *rest)
        loss = SPARSE(y, self(x, training=False))
        return {"loss": loss, "more": loss}


def test_a_test_step_of_the_models_own_is_asked():
    """By `evaluate`, with labels dealt out to the samples."""
    assert _says(_knowing(OwnStep, loss=None), Data(X, Y)) > 0.9


def test_padding_is_not_judged():
    """Steps that are masked tell nothing, whatever the model says there."""
    tokens = RNG.integers(1, 3, (60, 6))
    tokens[:, 2:] = 0
    inputs = keras.Input((6,))
    x = keras.layers.Embedding(3, 2, mask_zero=True, name="e")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="out")(x))
    model.get_layer("e").set_weights([np.array([[0.0, 9], [9, 0], [0, 9]])])
    model.get_layer("out").set_weights([np.eye(2), np.zeros(2)])
    model.compile("sgd", SPARSE)

    assert _says(model, Data(tokens, np.maximum(tokens - 1, 0))) > 0.9
