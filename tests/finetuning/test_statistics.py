"""Moving statistics that lag are put right before a unit is called dead."""

import keras
import numpy as np

import keras_rectifiers

RNG = np.random.default_rng(0)
X = (5 + 0.1 * RNG.normal(size=(200, 6))).astype("float32")
Y = (X[:, 0] > 5).astype("int32")


def _lagging(seed=0):
    """Trained well, and statistics that are still those of the start."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, use_bias=False, name="a"),
            keras.layers.BatchNormalization(momentum=0.999, name="n"),
            keras.layers.ReLU(name="r"),
            keras.layers.Dense(2, activation="softmax", name="y"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(X, Y, epochs=8, verbose=0)
    return model


def test_statistics_are_estimated_again():
    """Nothing is drawn anew; the result says what was done, and is as it trained."""
    model = _lagging()
    before = model.get_weights()
    result = keras_rectifiers.finetune(model, (X, Y), epochs=1)

    assert result.before["dead_fraction"] > 0.2
    assert result.treatment == "none"
    assert result.done[0].startswith("The moving statistics of 1 batch normalizations")
    assert result.notes[0] == result.done[0]
    assert result.rescued, result.outcome
    assert result.after["accuracy"] > result.before["accuracy"] + 0.2
    assert result.after["dead_fraction"] == 0
    for mine, theirs in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_statistics_keep_up_afterwards():
    """Weights that move far in few steps do not leave them behind a second time."""
    result = keras_rectifiers.finetune(
        _lagging(), (X, Y), epochs=4, learning_rate=0.05, keep_best=False
    )
    model = result.model
    taken = keras.Model(model.inputs, model.get_layer("a").output).predict(X, verbose=0)
    norm = model.get_layer("n")
    moving = keras.ops.convert_to_numpy(norm.moving_mean)
    last = np.sqrt(keras.ops.convert_to_numpy(norm.moving_variance))

    assert norm.momentum == 0.999
    assert np.abs(moving - taken.mean(0)).max() < last.max()


def test_statistics_alone_are_a_rescue():
    """Where no epoch is better than the new statistics, they are kept."""
    result = keras_rectifiers.finetune(
        _lagging(), (X, Y), epochs=1, learning_rate=1e-12, schedule="constant"
    )
    kernel = result.model.get_layer("a").get_weights()[0]

    assert result.rescued, result.outcome
    assert result.after["dead_fraction"] == 0
    np.testing.assert_allclose(
        kernel, _lagging().get_layer("a").get_weights()[0], atol=1e-6
    )
