"""A RandomCrop makes images of one size, also where the model does not train."""

import keras
import numpy as np

from keras_rectifiers.conversion.upgrade import upgrade_file
from tests.legacy.corpus import tf_keras


def test_a_random_crop_keeps_what_it_does_at_inference(tmp_path, rng):
    """Keras 3's own would hand on the whole image."""
    x = tf_keras.Input((20, 24, 3))
    old = tf_keras.Model(x, tf_keras.layers.RandomCrop(10, 8, seed=1, name="crop")(x))
    old.save(tmp_path / "old.h5")
    images = rng.normal(size=(2, 20, 24, 3)).astype("float32")

    record = upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras")

    before, after = old(images, training=False), new(images, training=False)
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=1e-6)
    assert isinstance(new.layers[1], keras.layers.Resizing)
    assert [(each.rule, each.layer) for each in record.cautions] == [
        ("random_crop", "crop")
    ]
