"""Dead units alone get slopes: a unit that lives stays what it was, bit for bit."""

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.errors import SelectionError
from keras_rectifiers.surgery.plan import Plan
from tests.backends import some_by_default

#: Units whose bias keeps them below 0.
DEAD = [1, 4]


def _kill(layer):
    """Make the units DEAD of a layer dead."""
    kernel, bias = layer.get_weights()
    bias[DEAD] = -50.0
    layer.set_weights([kernel, bias])


def _fused():
    """A rectifier in a layer's slot, and a bare one whose units all live."""
    inputs = keras.Input((4,))
    hidden = layers.Dense(6, activation="relu", name="host")(inputs)
    hidden = layers.ReLU(name="living")(layers.Dense(5, name="second")(hidden))
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")
    _kill(model.get_layer("host"))
    model.get_layer("second").bias.assign(np.full(5, 9.0))
    return model, "host", "host"


def _bare():
    """A layer and a name of its own."""
    inputs = keras.Input((4,))
    hidden = layers.ReLU(name="bare")(layers.Dense(6, name="host")(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")
    _kill(model.get_layer("host"))
    return model, "bare", "bare"


def _operation():
    """No layer at all."""
    inputs = keras.Input((4,))
    hidden = ops.relu(layers.Dense(6, name="host")(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")
    _kill(model.get_layer("host"))
    (path,) = [each.layer for each in keras_rectifiers.diagnose(model, _data(4)).layers]
    return model, path, path


def _shared():
    """One rectifier that is called twice."""
    first, second = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    host, rectify = layers.Dense(6, name="host"), layers.ReLU(name="shared")
    hidden = layers.Add()([rectify(host(first)), rectify(host(second))])
    outputs = layers.Dense(2, name="head")(hidden)
    model = keras.Model([first, second], outputs, name="m")
    _kill(host)
    return model, "shared", "shared"


def _wrapped():
    """A rectifier in the slot of a layer inside a wrapper."""
    inputs = keras.Input((3, 4))
    inner = layers.Dense(6, activation="relu", name="inner")
    hidden = layers.TimeDistributed(inner, name="each")(inputs)
    hidden = layers.Flatten()(hidden)
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")
    _kill(inner)
    return model, "each/inner", "each"


def _nested():
    """A rectifier in a model inside the model."""
    inside = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6, activation="relu", name="host")],
        name="inside",
    )
    inputs = keras.Input((4,))
    outputs = layers.Dense(2, name="head")(inside(inputs))
    model = keras.Model(inputs, outputs, name="m")
    _kill(inside.layers[0])
    return model, "inside/host", "inside"


def _nested_twice():
    """Two rectifiers in slots of a model inside the model."""
    first = layers.Dense(6, activation="relu", name="host")
    second = layers.Dense(6, activation="relu", name="next")
    inside = keras.Sequential([keras.Input((4,)), first, second], name="inside")
    model = keras.Sequential(
        [keras.Input((4,)), inside, layers.Dense(2, name="head")], name="m"
    )
    _kill(first)
    _kill(second)
    return model, "inside/host", "inside"


def _channels_first():
    """Channels in front: the pixels are as many as the channels are not."""
    inputs = keras.Input((2, 5, 5))
    conv = layers.Conv2D(
        6, 1, data_format="channels_first", activation="relu", name="conv"
    )
    hidden = layers.Flatten(data_format="channels_first")(conv(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")
    _kill(conv)
    return model, "conv", "conv"


def _capped():
    """A rectifier with an upper bound."""
    inputs = keras.Input((4,))
    hidden = layers.ReLU(6.0, name="six")(layers.Dense(6, name="host")(inputs))
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")
    _kill(model.get_layer("host"))
    return model, "six", "six"


MODELS = [
    _fused,
    _bare,
    _operation,
    _shared,
    _wrapped,
    _nested,
    _channels_first,
    _capped,
]


def _data(*shape, seed=0, samples=48):
    return np.random.default_rng(seed).normal(size=(samples, *shape)).astype("float32")


def _inputs(model):
    made = [
        _data(*tensor.shape[1:], seed=seed) for seed, tensor in enumerate(model.inputs)
    ]
    return made if len(made) > 1 else made[0]


def _diagnosed(make):
    keras.utils.set_random_seed(5)
    model, path, layer = make()
    return model, path, layer, keras_rectifiers.diagnose(model, _inputs(model))


def _activations(model, layer, data):
    """What a layer of the top model gives at its first call."""
    # An operation becomes a layer of its name.
    found = {each.name: each for each in getattr(model, "operations", model.layers)}
    # The first node of a model inside another is its own.
    node = found[layer]._inbound_nodes[-1 if layer == "inside" else 0]
    return keras.Model(model.inputs, node.output_tensors[0]).predict(data, verbose=0)


def _prelu(model, path):
    from keras_rectifiers.live.layers import by_path

    layer = by_path(model)[path]
    return layer if hasattr(layer, "alpha") else layer.activation


@pytest.mark.parametrize("trainable", some_by_default([True, False], [True]))
@pytest.mark.parametrize("make", MODELS)
def test_a_living_unit_is_what_it_was(make, trainable):
    """Dead units alone get the slope; every other activation is bit for bit equal."""
    model, path, layer, diagnosis = _diagnosed(make)
    data = _inputs(model)
    alive = [unit for unit in range(6) if unit not in DEAD]

    made = keras_rectifiers.convert(model, where=diagnosis, trainable=trainable)

    alpha = ops.convert_to_numpy(_prelu(made, path).alpha)
    np.testing.assert_array_equal(alpha, [0, 0.25, 0, 0, 0.25, 0])
    axis = 1 if make is _channels_first else -1
    before, after = (
        np.moveaxis(_activations(each, layer, data), axis, -1) for each in (model, made)
    )
    np.testing.assert_array_equal(before[..., alive], after[..., alive])
    assert (after[..., DEAD] < 0).all()
    assert (before[..., DEAD] == 0).all()


@pytest.mark.parametrize("make", MODELS)
def test_with_slope_0_the_model_is_what_it_was(make):
    """All outputs are bit for bit equal where the dead units add nothing."""
    model, _, _, diagnosis = _diagnosed(make)
    data = _inputs(model)

    made = keras_rectifiers.convert(model, where=diagnosis, alpha=0.0)

    np.testing.assert_array_equal(
        model.predict(data, verbose=0), made.predict(data, verbose=0)
    )


@pytest.mark.parametrize("trainable", some_by_default([True, False], [True]))
@pytest.mark.parametrize("make", [_fused, _bare, _channels_first])
def test_training_leaves_living_slopes_at_0(make, trainable, tmp_path):
    """Also under weight decay, momentum and regularization, and after a save."""
    model, path, _, diagnosis = _diagnosed(make)
    data = _inputs(model)
    made = keras_rectifiers.convert(
        model, where=diagnosis, trainable=trainable, alpha=0.1
    )
    made.save(tmp_path / "made.keras")
    made = keras.saving.load_model(tmp_path / "made.keras")
    made.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), "mse")

    made.fit(data, _data(2, seed=9), epochs=2, verbose=0)

    alpha = ops.convert_to_numpy(_prelu(made, path).alpha)
    alive = np.delete(alpha, DEAD)
    np.testing.assert_array_equal(alive, np.zeros(4))
    assert (alpha[DEAD] != np.float32(0.1)).all() == trainable
    count = sum(variable.name == "alpha" for variable in made.trainable_variables)
    assert count == int(trainable)


@pytest.mark.parametrize("trainable", some_by_default([True, False], [True]))
@pytest.mark.parametrize("make", [_fused, _operation, _wrapped])
def test_a_file_becomes_what_the_live_model_becomes(make, trainable, tmp_path):
    """With the optimizer's state, and from there on in training."""
    model, _, _, diagnosis = _diagnosed(make)
    data, labels = _inputs(model), _data(2, seed=9)
    model.compile(keras.optimizers.Adam(0.001), "mse")
    model.fit(data, labels, epochs=1, verbose=0, shuffle=False)
    model.save(tmp_path / "old.keras")

    live = keras_rectifiers.convert(model, where=diagnosis, trainable=trainable)
    keras_rectifiers.convert_file(
        tmp_path / "old.keras",
        tmp_path / "new.keras",
        where=diagnosis,
        trainable=trainable,
    )
    filed = keras.saving.load_model(tmp_path / "new.keras")

    for each in (live, filed):
        each.fit(data, labels, epochs=2, verbose=0, shuffle=False)
    assert len(filed.optimizer.variables) == len(live.optimizer.variables)
    for one, other in zip(live.weights, filed.weights, strict=True):
        assert one.trainable == other.trainable
        np.testing.assert_array_equal(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        )


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("again", ["keras", "h5"])
def test_what_was_converted_once_is_converted_again(trainable, again, tmp_path):
    """Slopes that do not learn have no slots, in a slot as in a layer."""
    model, _, _, diagnosis = _diagnosed(_fused)
    data, labels = _inputs(model), _data(2, seed=9)
    once = keras_rectifiers.convert(model, where=diagnosis, trainable=trainable)
    once.compile(keras.optimizers.Adam(0.001), keras.losses.MeanSquaredError())
    once.fit(data, labels, epochs=1, verbose=0)
    once.save(tmp_path / f"once.{again}")

    keras_rectifiers.convert_file(
        tmp_path / f"once.{again}", tmp_path / f"twice.{again}"
    )

    loaded = keras.saving.load_model(tmp_path / f"twice.{again}", compile=False)
    np.testing.assert_array_equal(
        once.predict(data, verbose=0), loaded.predict(data, verbose=0)
    )


@pytest.mark.parametrize("make", [_fused, _bare, _nested_twice])
def test_an_h5_gets_slopes_that_stay(make, tmp_path):
    """Keras lists what does not learn after what does."""
    model, path, _, diagnosis = _diagnosed(make)
    model.save(tmp_path / "old.h5")

    keras_rectifiers.convert_file(
        tmp_path / "old.h5", tmp_path / "new.h5", where=diagnosis, trainable=False
    )

    made = keras.saving.load_model(tmp_path / "new.h5")
    expected = keras_rectifiers.convert(model, where=diagnosis, trainable=False)
    assert not _prelu(made, path).trainable
    keras_rectifiers.convert_file(
        tmp_path / "new.h5", tmp_path / "again.keras", "leaky_relu", of="prelu"
    )
    for one, other in zip(made.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        )


def test_stock_keras_can_hold_slopes_that_stay():
    """A portable conversion writes Keras' own PReLU, fixed; a mask it cannot."""
    model, path, _, diagnosis = _diagnosed(_fused)

    made = keras_rectifiers.convert(
        model, where=diagnosis, trainable=False, portable=True
    )

    assert type(_prelu(made, path)) is layers.PReLU
    alpha = ops.convert_to_numpy(_prelu(made, path).alpha)
    np.testing.assert_array_equal(alpha, [0, 0.25, 0, 0, 0.25, 0])
    assert not _prelu(made, path).trainable
    learning = keras_rectifiers.plan(model, where=diagnosis, portable=True)
    assert [skip.reason for skip in learning.skips] == ["portable", "where"]


def test_a_template_gives_its_options():
    """Regularizer, constraint and rate of a PReLU template hold; its slopes do not."""
    model, path, _, diagnosis = _diagnosed(_fused)
    template = keras_rectifiers.layers.PReLU(
        alpha_constraint=keras_rectifiers.constraints.SlopeRange(0.0, 0.5),
        learning_rate_multiplier=8.0,
        alpha_initializer="ones",
    )

    made = keras_rectifiers.convert(model, template, where=diagnosis)

    layer = _prelu(made, path)
    assert (layer.learning_rate_multiplier, layer.alpha_constraint.highest) == (8, 0.5)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(layer.alpha), [0, 0.25, 0, 0, 0.25, 0]
    )


def test_the_plan_says_which_units():
    """In the table, in JSON, and in the reasons of what is left."""
    model, _, _, diagnosis = _diagnosed(_fused)

    made = keras_rectifiers.plan(model, where=diagnosis, trainable=False)

    assert "PReLU(alpha=0.25 for 2 of 6, fixed)" in str(made)
    assert "host: slopes for 2 of 6 units" in str(made)
    assert made.skips[0].detail == "none of its 5 units are dead"
    assert Plan.from_json(made.to_json()) == made
    assert made.steps[0].replacement.config["trained_channels"] == DEAD
    again = Plan.from_json(made.to_json()).apply(model)
    assert again.count_params() == model.count_params() + 6


def test_a_rectifier_at_two_widths_is_left():
    """No unit is one channel of both calls."""
    _, path, _, diagnosis = _diagnosed(_bare)
    rectify = layers.ReLU(name=path)
    inputs = keras.Input((4,))
    hidden = rectify(layers.Dense(3)(rectify(layers.Dense(6)(inputs))))
    model = keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="m")

    made = keras_rectifiers.plan(model, where=diagnosis)

    assert [skip.reason for skip in made.skips] == ["units"]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"to": "leaky_relu"}, ValueError, "a slope for each unit"),
        ({"to": keras.layers.ReLU()}, TypeError, "PReLU as template"),
        ({"of": "leaky_relu"}, SelectionError, "at least one site"),
        (
            {"to": "leaky_relu", "where": None, "trainable": False},
            ValueError,
            "can only",
        ),
        ({"where": 3}, TypeError, "or a Diagnosis"),
    ],
)
def test_what_does_not_go_together_is_refused(options, error, match):
    """One sentence each."""
    model, _, _, diagnosis = _diagnosed(_fused)

    with pytest.raises(error, match=match):
        keras_rectifiers.plan(model, **{"where": diagnosis, **options})


def test_a_diagnosis_must_fit():
    """Of this model, of its channels, and with dead units."""
    model, _, _, _ = _diagnosed(_channels_first)
    data = _inputs(model)
    by_pixel = keras_rectifiers.diagnose(model, data, unit_axes=(1, 2, 3))
    other, _, _, of_other = _diagnosed(_bare)
    healthy = keras.models.clone_model(other)
    healthy.get_layer("host").bias.assign(np.full(6, 99.0))

    with pytest.raises(SelectionError, match="150 units for 'conv', which has 6"):
        keras_rectifiers.plan(model, where=by_pixel)
    with pytest.raises(SelectionError, match="must belong to this model"):
        keras_rectifiers.plan(model, where=of_other)
    with pytest.raises(SelectionError, match="There is nothing to convert"):
        keras_rectifiers.plan(
            healthy, where=keras_rectifiers.diagnose(healthy, _inputs(healthy))
        )
