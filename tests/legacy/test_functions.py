"""Python functions in saved models: handed over, kept as text, or refused."""

# ruff: noqa: PLW0108 (a lambda is what is tested)

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.conversion.modern import is_modern
from keras_rectifiers.errors import UnsupportedModelError

tf_keras = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")
kl = tf_keras.layers


@keras.saving.register_keras_serializable("functions")
def twice(x):
    return 2 * x


@keras.saving.register_keras_serializable("functions")
def ones(shape, dtype=None, **_):
    return keras.ops.ones(shape, dtype)


@keras.saving.register_keras_serializable("functions")
def penalty(w):
    return 0.1 * keras.ops.sum(keras.ops.abs(w))


@keras.saving.register_keras_serializable("functions")
def same(w):
    return w


@keras.saving.register_keras_serializable("functions")
def absolute(x):
    return keras.ops.abs(x)


def unregistered(x):
    return 2 * x


#: Argument -> a lambda for it, the function that takes its place, and its layer.
LAMBDAS = {
    "activation": (lambda x: 2 * x, twice, kl.Dense),
    "kernel_initializer": (lambda shape, dtype=None: tf.ones(shape), ones, kl.Dense),
    "kernel_regularizer": (lambda w: tf.reduce_sum(w), penalty, kl.Dense),
    "activity_regularizer": (lambda w: tf.reduce_sum(w), penalty, kl.Dense),
    "bias_constraint": (lambda w: w, same, kl.Dense),
    "recurrent_activation": (lambda x: 2 * x, twice, kl.LSTM),
}


def _with(argument, function, layer):
    shape = (3, 2) if layer is kl.LSTM else (4,)
    tf_keras.utils.set_random_seed(1)
    return tf_keras.Sequential(
        [kl.Input(shape), layer(3, name="odd", **{argument: function})]
    )


def _edited(path, argument, value):
    """Put what other versions of Keras 2 wrote into an `.h5`."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"][argument] = value
        file.attrs["model_config"] = json.dumps(config)


_FUNCTION = {"class_name": "function", "config": "<lambda>", "module": "builtins"}


@pytest.mark.parametrize("argument", LAMBDAS)
def test_a_lambda_is_refused_until_it_is_handed_over(tmp_path, argument):
    """Keras has no way to read it back; a registered function opens in safe mode."""
    function, instead, layer = LAMBDAS[argument]
    old, new = tmp_path / "old.h5", tmp_path / "new.keras"
    _with(argument, function, layer).save(old)

    for spelling in (None, "<lambda>", _FUNCTION):
        if spelling is not None:
            _edited(old, argument, spelling)
        with pytest.raises(UnsupportedModelError, match="--import MODULE") as caught:
            keras_rectifiers.upgrade_file(old, new)
        assert f"a Python function as {argument}" in str(caught.value)
        assert "at 'odd'" in str(caught.value)
        assert list(tmp_path.iterdir()) == [old]

        made = keras_rectifiers.upgrade_file(old, new, custom_objects={"odd": instead})
        assert not made.cautions
        opened = keras.saving.load_model(new).get_layer("odd")
        assert getattr(opened, argument) is instead
        new.unlink()


def test_every_container_of_keras_2_is_looked_through(tmp_path):
    """`.keras` and SavedModel as well as `.h5`; and the outputs are the same."""
    model = _with("activation", lambda x: 2 * x, kl.Dense)
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    model.save(tmp_path / "old.keras")
    model.save(tmp_path / "old", save_format="tf")

    for name in ("old.keras", "old"):
        with pytest.raises(UnsupportedModelError, match="Python function"):
            keras_rectifiers.plan(tmp_path / name)
        new = keras_rectifiers.load_model(
            tmp_path / name, custom_objects={"odd": unregistered}
        )
        np.testing.assert_array_equal(new(x), model(x))


def test_what_keras_3_cannot_open_itself_is_refused_too(tmp_path):
    """It writes lambdas of activations in a form that it does not read."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, activation=lambda x: 2 * x, name="odd"),
            layers.Dense(2, activation="relu"),
            layers.ReLU(),
        ]
    )
    old, new = tmp_path / "old.keras", tmp_path / "new.keras"
    model.save(old)
    with pytest.raises((TypeError, ValueError)):
        keras.saving.load_model(old, safe_mode=False)

    with pytest.raises(UnsupportedModelError, match="Python function as activation"):
        keras_rectifiers.convert_file(old, new)

    keras_rectifiers.convert_file(old, new, custom_objects={"odd": twice})
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.testing.assert_array_equal(keras_rectifiers.load_model(new)(x), model(x))


def test_two_lambdas_of_one_layer_are_told_apart(tmp_path):
    """The layer's name alone would not say which."""
    old = tmp_path / "old.h5"
    layer = kl.LSTM(3, name="odd", activation=tf.abs, recurrent_activation=tf.abs)
    tf_keras.Sequential([kl.Input((3, 2)), layer]).save(old)
    _edited(old, "activation", "<lambda>")
    _edited(old, "recurrent_activation", "<lambda>")

    with pytest.raises(UnsupportedModelError, match=r"'odd\.activation'"):
        keras_rectifiers.upgrade_file(
            old, tmp_path / "x.keras", custom_objects={"odd": abs}
        )

    given = {"odd.activation": twice, "odd.recurrent_activation": absolute}
    keras_rectifiers.upgrade_file(old, tmp_path / "new.keras", custom_objects=given)
    opened = keras.saving.load_model(tmp_path / "new.keras").get_layer("odd")
    assert (opened.activation, opened.recurrent_activation) == (twice, absolute)


def test_a_named_function_is_carried_over_with_a_caution(tmp_path):
    """Keras opens it where it is given; handed over, where its module is imported."""
    old, new = tmp_path / "old.h5", tmp_path / "new.keras"
    _with("activation", unregistered, kl.Dense).save(old)

    made = keras_rectifiers.upgrade_file(old, new)
    assert "unregistered is not part of Keras" in made.cautions[0].text
    given = {"unregistered": unregistered}
    keras.saving.load_model(new, custom_objects=given)

    made = keras_rectifiers.upgrade_file(
        old, new, custom_objects={"unregistered": twice}, overwrite=True
    )
    assert not made.cautions
    assert keras.saving.load_model(new).get_layer("odd").activation is twice


def test_a_function_that_is_not_registered_is_told(tmp_path):
    """The new file opens with the same custom objects."""
    old, new = tmp_path / "old.h5", tmp_path / "new.keras"
    _with("activation", lambda x: 2 * x, kl.Dense).save(old)
    given = {"odd": unregistered}

    made = keras_rectifiers.upgrade_file(old, new, custom_objects=given)

    assert "not registered" in made.cautions[0].text
    opened = keras.saving.load_model(new, custom_objects=given)
    assert opened.get_layer("odd").activation is unregistered


def test_names_that_keras_knows_are_never_replaced(tmp_path):
    """A module of the user's may import `relu`, and a layer may be called so."""
    old, new = tmp_path / "old.h5", tmp_path / "new.keras"
    _with("activation", "relu", kl.Dense).save(old)
    given = {"relu": twice, "odd": twice, "glorot_uniform": ones, "zeros": ones}

    keras_rectifiers.upgrade_file(old, new, custom_objects=given)

    opened = keras.saving.load_model(new).get_layer("odd")
    assert opened.activation is keras.activations.relu


def _around(function, **options):
    """A Lambda between two layers, and its outputs for some inputs."""
    tf_keras.utils.set_random_seed(1)
    model = tf_keras.Sequential(
        [
            kl.Input((4,)),
            kl.Dense(8, activation="relu"),
            kl.Lambda(function, name="odd", **options),
            kl.Dense(3),
        ]
    )
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    return model, x, model(x)


@pytest.mark.parametrize("name", ["old.h5", "old.keras", "old"])
def test_a_lambda_that_runs_alone_opens_without_safe_mode(tmp_path, name):
    """Its code is kept as text; safe mode refuses it, as Keras says."""
    model, x, y = _around(lambda t: t * 2.0 + 1.0)
    model.save(tmp_path / name, save_format="tf" if name == "old" else None)

    made = keras_rectifiers.upgrade_file(tmp_path / name, tmp_path / "new.keras")

    assert "safe_mode=False" in made.cautions[0].text
    with pytest.raises(ValueError, match="Python lambda"):
        keras.saving.load_model(tmp_path / "new.keras")
    opened = keras.saving.load_model(tmp_path / "new.keras", safe_mode=False)
    np.testing.assert_array_equal(opened(x), y)


@pytest.mark.parametrize("name", ["old.h5", "old.keras"])
def test_a_lambda_that_needs_its_module_opens_by_its_shape(tmp_path, name):
    """Keras cannot run it to work the shape out: later layers tell it."""
    model, x, y = _around(lambda t: tf.abs(t))
    old, new = tmp_path / name, tmp_path / "new.keras"
    model.save(old)

    made = keras_rectifiers.upgrade_file(old, new)

    assert any("output shape → (None, 8)" in each.text for each in made.repairs)
    opened = keras.saving.load_model(new, safe_mode=False)
    for mine, theirs in zip(opened.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)

    given = {"odd": absolute}
    keras_rectifiers.convert_file(old, new, custom_objects=given, overwrite=True)
    safe = keras_rectifiers.load_model(new)
    np.testing.assert_array_equal(safe(x), y)


def test_lambdas_in_a_row_are_told_from_the_last_one_on(tmp_path):
    """The one before it Keras works out itself, since it runs alone."""
    model = tf_keras.Sequential(
        [
            *(kl.Input((4,)), kl.Dense(8, activation="relu")),
            *(kl.Lambda(lambda t: 2.0 * t), kl.Lambda(lambda t: tf.exp(t))),
            kl.Dense(3),
        ]
    )
    model.save(tmp_path / "old.h5")

    keras_rectifiers.upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")

    opened = keras.saving.load_model(tmp_path / "new.keras", safe_mode=False)
    assert opened.output_shape == (None, 3)


def test_a_shape_that_no_later_layer_tells_is_not_guessed(tmp_path):
    """Keras works it out where it can; the list of repairs says so."""
    model = tf_keras.Sequential(
        [kl.Input((5, 4)), kl.Dense(8), kl.Lambda(lambda t: t[:, -1]), kl.Dense(3)]
    )
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    model.save(tmp_path / "old.h5")

    made = keras_rectifiers.upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")

    assert "output shape is unknown" in made.cautions[-1].text
    opened = keras.saving.load_model(tmp_path / "new.keras", safe_mode=False)
    assert opened.output_shape == (None, 3)
    np.testing.assert_array_equal(opened(x), model(x))


def test_a_graph_states_the_shape_and_its_rectifiers_are_converted(tmp_path):
    """A bare ReLU behind a Lambda has its channels once the shape is known."""
    inputs = kl.Input((8, 8, 1))
    x = kl.Lambda(lambda t: tf.abs(t), name="odd")(kl.Conv2D(4, 3)(inputs))
    x = kl.Flatten()(kl.Conv2D(2, 3)(kl.ReLU()(x)))
    tf_keras.Model(inputs, kl.Dense(2)(x)).save(tmp_path / "old.h5")

    made = keras_rectifiers.convert_file(tmp_path / "old.h5", tmp_path / "new.keras")

    assert [step.site.channels for step in made.steps] == [4]
    assert any("(None, 6, 6, 4)" in each.text for each in made.repairs)
    opened = keras.saving.load_model(tmp_path / "new.keras", safe_mode=False)
    assert opened.get_layer("odd").output.shape == (None, 6, 6, 4)


def test_the_shape_of_a_lambda_may_be_code_itself(tmp_path):
    """With the function handed over, Keras works it out, and no code is left."""
    model, x, y = _around(lambda t: abs(t), output_shape=lambda shape: shape)
    model.save(tmp_path / "old.h5")

    keras_rectifiers.upgrade_file(
        tmp_path / "old.h5", tmp_path / "new.keras", custom_objects={"odd": absolute}
    )

    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        assert b"__lambda__" not in archive.read("config.json")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "new.keras")(x), y)


def test_a_lambda_of_keras_3_takes_a_function_too(tmp_path):
    """Without one its file is modern, and its bytes are copied."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, activation="relu"),
            layers.Lambda(lambda t: abs(t), name="odd"),
            layers.Dense(2),
        ]
    )
    old, new = tmp_path / "old.keras", tmp_path / "new.keras"
    model.save(old)

    assert is_modern(old)
    keras_rectifiers.convert_file(old, new, custom_objects={"odd": absolute})

    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.testing.assert_array_equal(keras_rectifiers.load_model(new)(x), model(x))


def test_a_mask_that_is_a_function_is_refused(tmp_path):
    """Keras 3 would keep its text for the mask."""
    model, _, _ = _around(lambda t: t, mask=lambda t, mask: mask)
    model.save(tmp_path / "old.h5")

    with pytest.raises(UnsupportedModelError, match="mask"):
        keras_rectifiers.upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")


def test_vectorization_of_text_by_a_function(tmp_path):
    """Code for it opens without safe mode; its bare name never does."""
    model = tf_keras.Sequential(
        [
            kl.Input((1,), dtype="string"),
            kl.TextVectorization(
                standardize=lambda t: t, vocabulary=["a", "b"], name="odd"
            ),
        ]
    )
    model.save(tmp_path / "old.keras")
    model.save(tmp_path / "old.h5")

    made = keras_rectifiers.upgrade_file(tmp_path / "old.keras", tmp_path / "new.keras")
    assert any("standardize is Python code" in each.text for each in made.cautions)
    keras.saving.load_model(tmp_path / "new.keras", safe_mode=False)
    with pytest.raises(UnsupportedModelError, match="function as standardize"):
        keras_rectifiers.upgrade_file(tmp_path / "old.h5", tmp_path / "other.keras")
