"""A layer that stands in several models, and Lambdas with defaults."""

import keras
import numpy as np

from keras_rectifiers.saved.upgrade import upgrade
from tests.saved import corpus
from tests.saved import corpus_habits  # noqa: F401 (declares the model)
from tests.saved.corpus import tf_keras


def test_a_layer_of_several_models_becomes_one_for_each(tmp_path):
    """Keras 3 could not open it; the record says that weights are no longer shared."""
    old, inputs = corpus.built("shared_across_models")
    old.save(tmp_path / "old.h5")

    record = upgrade(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras")

    assert [each.rule for each in record.cautions] == ["shared"]
    kernels = [
        model.get_layer("everywhere").kernel
        for model in (new, new.get_layer("left"), new.get_layer("right"))
    ]
    assert len({id(kernel) for kernel in kernels}) == 3
    for kernel in kernels:
        np.testing.assert_array_equal(kernel, old.get_layer("everywhere").kernel)
    assert corpus.difference(corpus.run(old, inputs), corpus.run(new, inputs)) == 0


def test_a_layer_that_one_model_calls_twice_stays_one(tmp_path):
    """Sharing within one model is what Keras 3 can open."""
    layer = tf_keras.layers.Dense(4, name="twice")
    x = tf_keras.Input((4,))
    tf_keras.Model(x, layer(layer(x))).save(tmp_path / "old.h5")

    record = upgrade(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras")

    assert "shared" not in {each.rule for each in record.repairs}
    assert len(new.weights) == 2


def test_a_lambda_keeps_the_defaults_of_its_arguments(tmp_path):
    """Keras 3 wants a tuple of them, and reads none from a file of its own."""
    x = tf_keras.Input((4,))
    y = tf_keras.layers.Lambda(lambda t, by=3: t * by)(x)
    tf_keras.Model(x, y).save(tmp_path / "old.h5")

    upgrade(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras", safe_mode=False)

    np.testing.assert_array_equal(new(np.ones((1, 4))), 3 * np.ones((1, 4)))
