"""Folding: back to what was there before, and how far from it otherwise."""

import json
import os
import pathlib
import subprocess
import sys

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import SelectionError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.layers import LeakyReLU
from keras_rectifiers.layers import PReLU
from keras_rectifiers.surgery import live

_SETTINGS = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
#: Every form that says what a folded rectifier says: these come back exactly.
_STEPS = (
    "conv_relu",
    "conv_relu6",
    "separable_relu",
    "relu",
    "relu6",
    "relu4",
    "shared_relu",
    "shared_conv",
    "time_distributed",
    "nested",
    "norm",
    "conv",
)
_EVERY_ROLE = ("hidden", "gate", "output", "guard", "recurrent")


def _model(steps, seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 3))
    x = inputs
    shared, conv = layers.ReLU(), layers.Conv2D(3, 1, activation="relu")
    for step in steps:
        match step:
            case "conv_relu" | "conv_relu6" | "conv":
                name = {"conv": None}.get(step, step.removeprefix("conv_"))
                x = layers.Conv2D(3, 3, padding="same", activation=name)(x)
            case "separable_relu":
                x = layers.SeparableConv2D(3, 3, padding="same", activation="relu")(x)
            case "relu":
                x = layers.ReLU()(x)
            case "relu6" | "relu4":
                x = layers.ReLU(float(step[-1]))(x)
            case "shared_relu":
                x = shared(shared(x) - 0.5)
            case "shared_conv":
                x = conv(conv(x))
            case "time_distributed":
                x = layers.TimeDistributed(layers.Dense(3, activation="relu"))(x)
            case "nested":
                inner = keras.Input((6, 6, 3))
                y = layers.ReLU()(layers.Conv2D(3, 1, activation="relu")(inner))
                x = keras.Model(inner, y)(x)
            case "norm":
                x = layers.BatchNormalization()(x)
    x = layers.Dense(4, activation="relu")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.1 if "variance" in weight.path else -1.0
        weight.assign(rng.uniform(low, 1.0, weight.shape))
    return model


def _inputs(samples=4):
    x = np.random.default_rng(1).normal(size=(samples, 6, 6, 3)).astype("float32")
    x[0, :2] = 0.0
    return x


def _document(model):
    """The document without the ids by which Keras shares dtype policies."""

    def plain(value):
        if isinstance(value, dict):
            return {
                key: plain(item)
                for key, item in value.items()
                if key != "shared_object_id" or value["class_name"] != "DTypePolicy"
            }
        return [plain(item) for item in value] if isinstance(value, list) else value

    document = live.LiveModel(model).survey.document
    return json.dumps(plain(json.loads(json.dumps(document))), sort_keys=True)


def _bytes(variable):
    return keras.ops.convert_to_numpy(variable).tobytes()


def _outputs(model, x):
    outputs = keras.tree.flatten(model(x, training=False))
    return [keras.ops.convert_to_numpy(each).tobytes() for each in outputs]


def _slopes(model, value):
    """Give every PReLU of a model these slopes."""
    for layer in model._flatten_layers():
        if isinstance(layer, PReLU):
            weight = layer.weights[0]
            weight.assign(np.broadcast_to(value, weight.shape))
    return model


@settings(_SETTINGS, max_examples=6)
@given(
    steps=st.lists(st.sampled_from(_STEPS), min_size=1, max_size=6),
    to=st.sampled_from(["prelu", "leaky_relu"]),
    seed=st.integers(0, 99),
)
def test_converted_and_folded_a_model_is_the_original(steps, to, seed):
    """Documents, weights and outputs are the same, whatever was replaced."""
    model = _model(steps, seed)
    options = {"negative_slope": 0.0} if to == "leaky_relu" else {}
    converted = keras_rectifiers.convert(model, to, roles=_EVERY_ROLE, **options)

    result = keras_rectifiers.fold(converted, data=_inputs())

    assert result.exact
    assert not result.plan.skips
    assert result.measured.bit_equal
    assert all(site.bound == 0 for site in result.sites)
    assert _document(result.model) == _document(model)
    assert _outputs(result.model, _inputs()) == _outputs(model, _inputs())
    for before, after in zip(model.weights, result.model.weights, strict=True):
        assert _bytes(before) == _bytes(after)


@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
def test_files_fold_like_models(tmp_path, to):
    """A file comes back with the config and the arrays of the original."""
    model = _model(["conv_relu6", "relu", "nested", "shared_conv", "time_distributed"])
    model.compile("adam", "mse")
    model.fit(_inputs(), np.zeros((4, 2)), verbose=0)
    options = {"negative_slope": 0.0} if to == "leaky_relu" else {}
    source, middle, target = (tmp_path / f"{name}.keras" for name in "abc")
    model.save(source)
    keras_rectifiers.convert_file(source, middle, to, roles=_EVERY_ROLE, **options)

    result = keras_rectifiers.fold_file(middle, target, data=_inputs())

    assert result.model is None
    assert result.measured.bit_equal
    before, after = keras.saving.load_model(source), keras.saving.load_model(target)
    assert _document(before) == _document(after)
    assert _outputs(before, _inputs()) == _outputs(after, _inputs())
    old, new = before.optimizer.variables, after.optimizer.variables
    assert len(old) == len(new)
    for a, b in zip(old, new, strict=True):
        assert _bytes(a) == _bytes(b)


def test_files_fold_without_keras(tmp_path):
    """Folding a file exactly never imports Keras."""
    converted = keras_rectifiers.convert(_model(["conv_relu", "relu"]))
    converted.save(tmp_path / "a.keras")
    code = (
        "import sys, keras_rectifiers as kr; "
        "print(kr.fold_file('a.keras', 'b.keras').headline); "
        "assert 'keras' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 of 3 rectifiers with slopes folded")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float64"])
@pytest.mark.parametrize("slope", [0.3, -0.2, 1.5])
def test_equal_slopes_become_one_exactly(slope, policy):
    """A PReLU with one slope is a Leaky ReLU, and its weights are gone."""
    keras.config.set_dtype_policy(policy)
    try:
        model = _model(["conv_relu6", "relu"])
        converted = _slopes(keras_rectifiers.convert(model), slope)

        result = keras_rectifiers.fold(converted, data=_inputs())
    finally:
        keras.config.set_dtype_policy("float32")

    assert {site.after for site in result.sites} == {"leaky_relu"}
    assert result.exact
    assert result.measured.bit_equal
    assert result.model.count_params() == model.count_params()
    assert isinstance(result.model.layers[1].activation, LeakyReLU)
    assert result.model.layers[1].activation.max_value == 6


def test_the_rest_stays():
    """Different slopes stay as they are; slopes that are exact are folded."""
    converted = keras_rectifiers.convert(_model(["conv_relu", "relu"]))
    converted.layers[1].activation.weights[0].assign([0.1, 0.2, 0.3])

    result = keras_rectifiers.fold(converted, data=_inputs())

    path = converted.layers[1].name
    assert [(skip.site.path, skip.reason) for skip in result.plan.skips] == [
        (path, "slopes")
    ]
    assert result.measured.bit_equal
    assert isinstance(result.model.layers[1].activation, PReLU)
    assert "its slopes are between 0.1 and 0.3" in str(result)


def test_a_leak_stays_unless_the_tolerance_takes_it():
    """A Leaky ReLU is folded when its slope is within the tolerance."""
    leaky = keras_rectifiers.convert(_model(["relu"]), "leaky_relu")
    stays = keras_rectifiers.fold(leaky)
    goes = keras_rectifiers.fold(leaky, tolerance=0.02, data=_inputs())

    assert not stays.sites
    assert stays.plan.skips[0].detail == "its slope is 0.01, not 0"
    assert not goes.plan.skips
    assert not goes.exact
    assert goes.sites[0].distance == 0.01
    assert goes.sites[0].bound is None
    assert "not bounded" in str(goes)
    assert goes.measured.absolute > 0


@settings(_SETTINGS, max_examples=6)
@given(
    steps=st.lists(st.sampled_from(_STEPS), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    spread=st.floats(1e-6, 0.5),
    middle=st.sampled_from([0.0, 0.25]),
)
def test_the_bound_holds_whatever_is_measured(steps, seed, spread, middle):
    """No rectifier's own output moves by more than was proved."""
    converted = keras_rectifiers.convert(_model(steps, seed), roles=_EVERY_ROLE)
    rng = np.random.default_rng(seed)
    for layer in converted._flatten_layers():
        if isinstance(layer, PReLU):
            shape = layer.weights[0].shape
            layer.weights[0].assign(middle + rng.uniform(-spread, spread, shape))

    result = keras_rectifiers.fold(
        converted, tolerance=spread * 1.001, input_range=(-4, 4), data=_inputs()
    )

    assert result.inputs == "inputs in [-4, 4]"
    assert result.sites
    for site in result.sites:
        assert site.bound is not None
        assert result.measured.sites[site.path] <= site.bound


def test_where_the_rectifier_is_last_its_bound_is_the_models():
    """The outputs of a model that ends in its rectifier move by no more."""
    inputs = keras.Input((5,))
    outputs = layers.Dense(7, activation=LeakyReLU(0.01), name="dense")(inputs)
    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).uniform(-1, 1, (64, 5)).astype("float32")

    result = keras_rectifiers.fold(model, tolerance=0.1, input_range=(-1, 1), data=x)

    assert 0 < result.measured.absolute <= result.sites[0].bound
    assert result.measured.absolute == pytest.approx(result.measured.sites["dense"])
    assert 0 < result.measured.relative < 1


def test_unknown_ranges_are_called_so():
    """Without a range nothing bounds a dense layer; what is in the way is named."""
    inputs = keras.Input((5,), name="rows")
    model = keras.Model(inputs, layers.Dense(7, activation=LeakyReLU(0.01))(inputs))

    result = keras_rectifiers.fold(model, tolerance=0.1)

    assert result.sites[0].bound is None
    assert "rows" in result.sites[0].blocked
    assert json.loads(result.to_json())["sites"][0]["bound"] is None


def test_stock_layers_fold_and_may_stay_stock():
    """Keras' own PReLU and ReLU with a slope are folded like ours."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.PReLU(shared_axes=[1, 2]),
            layers.PReLU(alpha_initializer=keras.initializers.Constant(0.5)),
            layers.LeakyReLU(0.0),
            layers.ReLU(6.0, negative_slope=0.1),
        ]
    )

    result = keras_rectifiers.fold(model, portable=True, data=_inputs())

    assert [type(layer) for layer in result.model.layers] == [
        layers.ReLU,
        layers.LeakyReLU,
        layers.ReLU,
        layers.ReLU,
    ]
    assert result.model.layers[1].negative_slope == 0.5
    assert result.measured.bit_equal
    assert len(result.plan.skips) == 1


def test_training_goes_on_after_a_fold():
    """The optimizer keeps its state, and the next steps are those of the original."""
    model = _model(["conv_relu", "relu"])
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    converted = keras_rectifiers.convert(
        model, "leaky_relu", negative_slope=0.0, roles=_EVERY_ROLE
    )
    x, y = _inputs(16), np.ones((16, 2), "float32")
    converted.fit(x, y, epochs=2, verbose=0)

    folded = keras_rectifiers.fold(converted).model

    steps = [
        [each.train_on_batch(x, y) for _ in range(3)] for each in (converted, folded)
    ]
    assert int(folded.optimizer.iterations) == int(converted.optimizer.iterations)
    assert np.allclose(steps[0], steps[1], rtol=1e-5)


def test_a_model_without_slopes_comes_back_as_it_is():
    """Folding twice is folding once."""
    model = _model(["conv_relu"])
    result = keras_rectifiers.fold(model)
    assert not result.sites
    assert result.exact
    assert _document(result.model) == _document(model)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"tolerance": -1}, ValueError, "at least 0. Received: tolerance=-1"),
        ({"tolerance": float("nan")}, ValueError, "finite number"),
        ({"tolerance": "0.1"}, TypeError, "tolerance must be a number"),
        ({"include": "nowhere"}, SelectionError, "nowhere"),
        ({"input_range": (1, 0), "tolerance": 1}, ValueError, "input_range"),
    ],
)
def test_bad_options_are_one_sentence(options, error, says):
    """Each wrong option says what is wrong."""
    leaky = keras_rectifiers.convert(_model(["relu"]), "leaky_relu")
    with pytest.raises(error, match=says):
        keras_rectifiers.fold(leaky, **options)


def test_a_target_that_exists_is_kept(tmp_path):
    """Files are not overwritten unasked."""
    source, target = tmp_path / "a.keras", tmp_path / "b.keras"
    keras_rectifiers.convert(_model(["relu"])).save(source)
    target.write_text("mine")
    with pytest.raises(ArchiveError):
        keras_rectifiers.fold_file(source, target)
    assert target.read_text() == "mine"


@pytest.mark.slow
@settings(_SETTINGS, max_examples=100)
@given(
    steps=st.lists(st.sampled_from(_STEPS), min_size=1, max_size=8),
    seed=st.integers(0, 2**16),
)
def test_many_models_come_back(steps, seed):
    """The law of the round trip, over many more models."""
    model = _model(steps, seed)
    converted = keras_rectifiers.convert(model, roles=_EVERY_ROLE)
    result = keras_rectifiers.fold(converted, data=_inputs())
    assert result.measured.bit_equal
    assert _document(result.model) == _document(model)


def test_a_prelu_that_is_not_built_is_named():
    """Its slopes do not exist yet, so nothing can be said of them."""
    hidden = layers.Dense(3, activation=PReLU(), name="hidden")
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(2)])
    if hidden.activation.built:
        pytest.skip("this Keras builds what stands in an activation")
    with pytest.raises(UnsupportedModelError, match="hidden"):
        keras_rectifiers.fold(model)


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "mixed_bfloat16"])
def test_files_of_small_floats_fold(tmp_path, policy):
    """Slopes are read as numbers, whatever HDF5 calls their type."""
    made = [
        keras.Input((4,)),
        layers.Dense(3, activation="relu", dtype=policy),
        layers.PReLU(alpha_initializer="ones", dtype=policy),
    ]
    source, target = tmp_path / "model.keras", tmp_path / "folded.keras"
    model = keras_rectifiers.convert(keras.Sequential(made))
    model.save(source)

    result = keras_rectifiers.fold_file(source, target)

    assert [(each.after, each.slope) for each in result.sites] == [
        ("relu", 0.0),
        ("leaky_relu", 1.0),
    ]
    folded = keras.saving.load_model(target)
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    assert _bytes(folded(x)) == _bytes(model(x))
    keras_rectifiers.convert_file(
        source, tmp_path / "leaky.keras", "leaky_relu", of="prelu"
    )
    assert _bytes(keras.saving.load_model(tmp_path / "leaky.keras")(x)) == _bytes(
        model(x)
    )


def _bytes(outputs):
    return keras.ops.convert_to_numpy(outputs).tobytes()
