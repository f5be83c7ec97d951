"""A layer that stands in several models, and Lambdas with defaults."""

import functools
import json
import zipfile

import keras
import numpy as np
import pytest

from keras_rectifiers import convert_file
from keras_rectifiers import fold_file
from keras_rectifiers import plan
from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from tests.legacy import corpus
from tests.legacy import corpus_habits  # noqa: F401 (declares the model)
from tests.legacy.corpus import tf_keras


def test_a_layer_of_several_models_becomes_one_for_each(tmp_path):
    """Keras 3 could not open it; the record says that weights are no longer shared."""
    old, inputs = corpus.built("shared_across_models")
    old.save(tmp_path / "old.h5")

    record = upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
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

    record = upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras")

    assert "shared" not in {each.rule for each in record.repairs}
    assert len(new.weights) == 2


def test_a_lambda_keeps_the_defaults_of_its_arguments(tmp_path):
    """Keras 3 wants a tuple of them, and reads none from a file of its own."""
    x = tf_keras.Input((4,))
    y = tf_keras.layers.Lambda(lambda t, by=3: t * by)(x)
    tf_keras.Model(x, y).save(tmp_path / "old.h5")

    upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.saving.load_model(tmp_path / "new.keras", safe_mode=False)

    np.testing.assert_array_equal(new(np.ones((1, 4))), 3 * np.ones((1, 4)))


def _called(layer, *, chain=False):
    """A model around one layer."""
    if chain:
        return keras.Sequential([keras.Input((4,)), layer])
    x = keras.Input((4,))
    return keras.Model(x, layer(x))


def _shared():
    return keras.layers.Dense(4, activation="relu", name="shared")


def _inner_first():
    layer, x = _shared(), keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(2)(layer(_called(layer)(x))))


def _outer_first():
    layer, x = _shared(), keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(2)(_called(layer)(layer(x))))


def _siblings():
    layer, x = _shared(), keras.Input((4,))
    made = [model(x) for model in (_called(layer), _called(layer))]
    return keras.Model(x, keras.layers.Add()(made))


def _three_deep():
    layer, y, x = _shared(), keras.Input((4,)), keras.Input((4,))
    middle = keras.Model(y, layer(_called(layer)(y)))
    return keras.Model(x, layer(middle(x)))


def _in_a_chain():
    layer, x = _shared(), keras.Input((4,))
    return keras.Model(x, layer(_called(layer, chain=True)(x)))


def _models():
    model, y, x = _called(_shared()), keras.Input((4,)), keras.Input((4,))
    return keras.Model(x, model(keras.Model(y, model(y))(x)))


def _normalized():
    layer, x = keras.layers.BatchNormalization(name="shared"), keras.Input((4,))
    return keras.Model(x, keras.layers.ReLU()(layer(_called(layer)(x))))


def _mistaken():
    """Keras opens this file, and takes the first call for the second."""
    layer, x = _shared(), keras.Input((4,))
    first = layer(x)
    second = layer(keras.layers.Dense(4)(x))
    return keras.Model(x, keras.layers.Add()([keras.Model(x, first)(x), second]))


def _wrapped():
    layer, x = keras.layers.TimeDistributed(_shared(), name="w"), keras.Input((3, 4))
    y = keras.Input((3, 4))
    return keras.Model(x, layer(keras.Model(y, layer(y))(x)))


def _recurrent():
    layer, x = keras.layers.RNN(keras.layers.GRUCell(4), True), keras.Input((3, 4))
    y = keras.Input((3, 4))
    return keras.Model(x, keras.Model(y, layer(y))(layer(keras.layers.ReLU()(x))))


def _with_a_slot():
    layer = keras.layers.Dense(4, activation=keras.layers.PReLU())
    x = keras.Input((4,))
    return keras.Model(x, _called(layer)(layer(keras.layers.ReLU()(x))))


def _model_outside_first():
    model, y, x = _called(_shared()), keras.Input((4,)), keras.Input((4,))
    return keras.Model(x, keras.Model(y, model(y))(model(keras.layers.ReLU()(x))))


CROSSING = (
    *(_inner_first, _outer_first, _siblings, _three_deep, _in_a_chain),
    *(_models, _normalized, _mistaken, _wrapped, _recurrent, _with_a_slot),
    _model_outside_first,
)
COMMANDS = {
    "upgrade": upgrade_file,
    "prelu": convert_file,
    "leaky_relu": functools.partial(convert_file, to="leaky_relu", negative_slope=0.0),
    "fold": fold_file,
}


def _saved(make, path):
    """A model with weights of its own, its file, and what it computes."""
    model = make()
    rng = np.random.default_rng(7)
    inputs = rng.uniform(-1, 1, (5, *model.input_shape[1:])).astype("float32")
    model(inputs)  # which builds what is in slots
    for variable in model.variables:
        variable.assign(rng.uniform(0.1, 1, variable.shape))
    model.save(path)
    return model, inputs, np.asarray(model(inputs))


@pytest.mark.parametrize("make", CROSSING)
def test_a_file_of_keras_3_that_it_cannot_open_itself_opens(make, tmp_path):
    """Every command writes a layer for each model, bit for bit of the same function."""
    source = tmp_path / "model.keras"
    _, inputs, wanted = _saved(make, source)
    try:
        same = np.array_equal(keras.saving.load_model(source)(inputs), wanted)
    except ValueError:
        same = False
    assert not same

    assert {each.rule for each in plan(source).repairs if each.caution} == {"shared"}
    for name, command in COMMANDS.items():
        target = tmp_path / f"{name}.keras"
        command(source, target)
        new = keras.saving.load_model(target)
        np.testing.assert_array_equal(np.asarray(new(inputs)), wanted)


def test_calls_that_are_counted_over_all_models_are_counted_in_each(tmp_path):
    """Keras 3.0 and 3.1 wrote which of all calls is meant, 3.2 which of a model's."""
    source, target = tmp_path / "model.keras", tmp_path / "new.keras"
    _, inputs, wanted = _saved(_outer_first, source)
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(parts["config.json"])
    *_, inner, _ = document["config"]["layers"]
    (node,) = inner["inbound_nodes"]
    node["args"][0]["config"]["keras_history"][1] = 1
    parts["config.json"] = json.dumps(document).encode()
    parts["metadata.json"] = b'{"keras_version": "3.0.5"}'
    with zipfile.ZipFile(source, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)

    upgrade_file(source, target)

    np.testing.assert_array_equal(keras.saving.load_model(target)(inputs), wanted)


def _one_input():
    layer, x = _shared(), keras.Input((4,))
    made = layer(layer(x))
    both = [keras.layers.Dense(4)(made), keras.Model(x, made)(x)]
    return keras.Model(x, keras.layers.Add()(both))


def _chain_of_chains():
    layer = _shared()
    inner = [_called(layer, chain=True), _called(layer, chain=True)]
    return keras.Sequential([keras.Input((4,)), *inner])


@pytest.mark.parametrize("make", [_one_input, _chain_of_chains])
def test_a_layer_that_keras_3_connects_stays_shared(make, tmp_path):
    """A model of a part of another, and Sequentials, keep one layer."""
    source, target = tmp_path / "model.keras", tmp_path / "new.keras"
    old, inputs, wanted = _saved(make, source)
    for command in COMMANDS.values():
        command(source, target, overwrite=True)
        new = keras.saving.load_model(target)
        np.testing.assert_array_equal(np.asarray(new(inputs)), wanted)
        if command is upgrade_file:
            assert len(new.variables) == len(old.variables)


def test_an_optimizer_of_a_divided_layer_begins_anew(tmp_path):
    """There are more variables than it has state for, which the record says."""
    source, target = tmp_path / "model.keras", tmp_path / "new.keras"
    model = _inner_first()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(source)

    record = upgrade_file(source, target)

    assert [each.rule for each in record.cautions] == ["shared", "optimizer state"]
    assert int(keras.saving.load_model(target).optimizer.iterations) == 0
    with pytest.raises(UnsupportedModelError, match="layer in several models became"):
        upgrade_file(source, tmp_path / "kept.keras", keep_training_state=True)


def test_a_layer_whose_weights_may_be_those_of_two_is_refused(tmp_path):
    """Two layers of one name could be the one that lost its mark."""
    source, target = tmp_path / "model.keras", tmp_path / "new.keras"
    first, second, x = _shared(), _shared(), keras.Input((4,))
    inner = _called(second)(_called(first)(x))
    keras.Model(x, first(inner)).save(source)
    for command in COMMANDS.values():
        with pytest.raises(UnsupportedModelError, match="Convert the live model"):
            command(source, target)
        assert not target.exists()


def test_a_layer_that_is_also_in_a_slot_may_be_stored_there(tmp_path):
    """Keras opens the file once the mark is there again, so it is written."""
    source, target = tmp_path / "model.keras", tmp_path / "new.keras"

    def make():
        slopes, x = keras.layers.PReLU(), keras.Input((4,))
        inner = _called(keras.layers.Dense(4, activation=slopes))
        return keras.Model(x, slopes(inner(x)))

    _, inputs, wanted = _saved(make, source)
    convert_file(source, target)
    np.testing.assert_array_equal(keras.saving.load_model(target)(inputs), wanted)
    with pytest.raises(ArchiveError, match="shares them with another layer"):
        upgrade_file(source, tmp_path / "upgraded.keras")
