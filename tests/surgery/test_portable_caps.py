"""An upper bound in stock layers: `convert(..., portable=True)` of a ReLU6."""

import json
import warnings
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
from keras_rectifiers.live import rectifiers
from keras_rectifiers.surgery.plan import Plan
from tests import fresh

#: A child that never imports this package loads a file, predicts, trains and saves.
_CHILD = """
import json, sys
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
x = np.load("x.npy")
np.save("y.npy", model.predict(x, verbose=0))
if len(sys.argv) > 2:
    model.fit(x, np.ones((len(x), 3)), verbose=0)
    model.save(sys.argv[2])
known = any(name.startswith("keras_rectifiers") for name in sys.modules)
print(json.dumps({"known": known, "steps": int(model.optimizer.iterations)}))
"""


def _inputs():
    return 3 * np.random.default_rng(1).normal(size=(8, 10, 10, 3)).astype("float32")


def _model():
    """A ReLU6 in each of its forms, trained for a step so that Adam has a state."""
    inputs = keras.Input((10, 10, 3))
    x = layers.ReLU(6.0, name="layer")(layers.Conv2D(4, 3)(inputs))
    x = layers.Conv2D(4, 3, activation="relu6", name="fused")(x)
    x = ops.relu6(layers.Conv2D(5, 3)(x))
    x = layers.Activation("relu6", name="named")(layers.Conv2D(4, 3)(x))
    x = layers.Dense(6)(layers.Flatten()(x))
    x = layers.ReLU(0.5, name="half")(x)
    model = keras.Model(inputs, layers.Dense(3)(x), name="net")
    model.compile("adam", "mse", jit_compile=False)
    model.fit(_inputs(), np.ones((8, 3)), verbose=0)
    return model


def _converted(folder, to="prelu", **options):
    source, target = folder / "a.keras", folder / "b.keras"
    _model().save(source)
    keras_rectifiers.convert_file(source, target, to, portable=True, **options)
    return source, target


def _config(path):
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("config.json"))


@pytest.mark.parametrize(
    ("to", "options"), [("prelu", {}), ("leaky_relu", {"negative_slope": 0.0})]
)
def test_every_form_of_a_cap_keeps_every_bit(to, options):
    """A layer, a slot, an operation and a name become stock layers; nothing is left."""
    model = _model()

    plan = keras_rectifiers.plan(model, to, portable=True, **options)
    converted = plan.apply(model)

    assert len(plan.steps) == 5
    assert not plan.skips
    assert "keras_rectifiers" not in converted.to_json()
    keras_rectifiers.verify(model, converted, _inputs()).require()
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("to", "options"), [("prelu", {"alpha": 0.25}), ("leaky_relu", {})]
)
def test_the_function_is_that_of_this_packages_layer(to, options):
    """`min(x if x > 0 else slope * x, cap)`, at slopes other than 0."""
    model = _model()

    ours = keras_rectifiers.convert(model, to, **options)
    stock = keras_rectifiers.convert(model, to, portable=True, **options)

    x = _inputs()
    np.testing.assert_allclose(
        stock.predict(x, verbose=0), ours.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


def test_a_file_opens_without_this_package(tmp_path):
    """Stock Keras loads it, with Adam's state, trains it, and saves it."""
    source, target = _converted(tmp_path)
    np.save(tmp_path / "x.npy", _inputs())

    told = fresh.run(tmp_path, _CHILD, target, tmp_path / "trained.keras")

    assert told == {"known": False, "steps": 2}
    original = keras.saving.load_model(source).predict(_inputs(), verbose=0)
    assert np.load(tmp_path / "y.npy").tobytes() == original.tobytes()
    keras_rectifiers.verify(source, target, _inputs()).require()
    trained = keras_rectifiers.load_model(tmp_path / "trained.keras")
    found = rectifiers.find(trained)
    assert [each.function.max_value for each in found] == [6, 6, 6, 6, 0.5]
    # `ReLU(max_value, negative_slope=1)` would have kept them at 0 for ever.
    slopes = [keras.ops.convert_to_numpy(each.sloped.alpha) for each in found]
    assert [bool(each.any()) for each in slopes] == [True] * 5


@pytest.mark.slow
def test_a_mobilenet_opens_without_this_package(tmp_path):
    """All its rectifiers have a bound of 6; its prediction keeps every bit."""
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None)
    x = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    model.compile("adam", "mse", jit_compile=False)
    before = model.predict(x, verbose=0)
    np.save(tmp_path / "x.npy", x)
    model.save(tmp_path / "a.keras")

    plan = keras_rectifiers.convert_file(
        tmp_path / "a.keras", tmp_path / "b.keras", portable=True
    )
    told = fresh.run(tmp_path, _CHILD, tmp_path / "b.keras")

    assert len(plan.steps) == 35
    assert not plan.skips
    assert told["known"] is False
    assert np.load(tmp_path / "y.npy").tobytes() == before.tobytes()
    keras_rectifiers.verify(tmp_path / "a.keras", tmp_path / "b.keras", x).require()


@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
def test_a_conversion_goes_back(tmp_path, to):
    """The config is the original's again, in a file and in memory."""
    source, target = _converted(tmp_path, to)

    keras_rectifiers.revert_file(target, tmp_path / "c.keras")

    assert _config(tmp_path / "c.keras")["config"] == _config(source)["config"]
    assert keras_rectifiers.diff(source, tmp_path / "c.keras").same
    model = _model()
    back = keras_rectifiers.revert(keras_rectifiers.convert(model, to, portable=True))
    assert back.to_json() == model.to_json()
    keras_rectifiers.verify(model, back, _inputs()).require()


def test_slopes_of_0_fold_to_the_relu_with_its_cap(tmp_path):
    """The bound is the rectifier's again: `relu6` by name, or a ReLU's `max_value`."""
    source, target = _converted(tmp_path)

    result = keras_rectifiers.fold_file(target, tmp_path / "c.keras")

    assert [each.after for each in result.sites] == ["relu"] * 5
    keras_rectifiers.verify(source, tmp_path / "c.keras", _inputs()).require()
    found = {
        each.path: each.function
        for each in rectifiers.find(keras.saving.load_model(tmp_path / "c.keras"))
    }
    assert {function.kind for function in found.values()} == {"relu"}
    assert found["half"].max_value == 0.5


def test_a_conversion_is_seen_as_one_rectifier(tmp_path):
    """By its own path, with its bound, its slopes and its units."""
    _, target = _converted(tmp_path, alpha=0.25)

    sites = keras_rectifiers.plan(target, "relu", of="prelu").steps
    diagnosis = keras_rectifiers.diagnose(
        keras_rectifiers.load_model(target), _inputs()
    )

    spelled = {step.site.path: step.site.spelling for step in sites}
    assert spelled["layer"] == "Activation(PReLU(max_value=6))"
    assert spelled["fused"] == "Conv2D(activation=PReLU(max_value=6))"
    assert all("up to 0.25" in step.note for step in sites)
    assert [layer.layer for layer in diagnosis.layers] == list(spelled)
    assert [layer.units for layer in diagnosis.layers] == [4, 4, 5, 4, 6]


@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
def test_weights_prove_the_same_of_it(tmp_path, to):
    """`estimate` reads its slopes and its bound, in a file and in memory."""
    slope = {"prelu": "alpha", "leaky_relu": "negative_slope"}[to]
    _, target = _converted(tmp_path, to, **{slope: 0.25})
    keras_rectifiers.convert_file(
        tmp_path / "a.keras", tmp_path / "ours.keras", to, **{slope: 0.25}
    )

    given = {"input_range": (-3, 3)}
    expected = keras_rectifiers.estimate(tmp_path / "ours.keras", **given)
    of_file = keras_rectifiers.estimate(target, **given)
    of_model = keras_rectifiers.estimate(keras_rectifiers.load_model(target), **given)

    assert str(of_file) == str(expected)
    assert str(of_model) == str(expected)


def test_its_slope_is_annealed():
    """A Leaky ReLU under a bound is annealed to the ReLU with that bound."""
    model = _model()
    leaky = keras_rectifiers.convert(
        model, "leaky_relu", portable=True, negative_slope=0.25
    )
    schedule = keras_rectifiers.callbacks.AnnealSlope(peak=0.25, epochs=2)

    leaky.fit(_inputs(), np.ones((8, 3)), epochs=2, verbose=0, callbacks=[schedule])

    assert [each.sloped.negative_slope for each in rectifiers.find(leaky)] == [0.0] * 5
    assert len(keras_rectifiers.fold(leaky).sites) == 5


def test_a_mask_goes_on():
    """What reads the mask behind the rectifier gives the same."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, mask_zero=True)(inputs)
    x = layers.ReLU(6.0, name="layer")(layers.Dense(4)(x))
    x = layers.LSTM(3)(layers.Dense(4, activation="relu6")(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    x = np.random.default_rng(0).integers(1, 9, (4, 6))
    x[:, 3:] = 0

    with warnings.catch_warnings():
        # Of the model inside the Activation, which hands the mask on.
        warnings.filterwarnings("ignore", "Layer 'layer_capped'.*mask")
        converted = keras_rectifiers.convert(model, portable=True)
        keras_rectifiers.verify(model, converted, x).require()

    assert len(rectifiers.find(converted)) == 2


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16", "float16"])
def test_dtypes_stay(policy):
    """The bound is computed in the dtype of the rectifier."""
    inputs = keras.Input((10, 10, 3))
    x = layers.ReLU(6.0, dtype=policy)(layers.Conv2D(4, 3, dtype=policy)(inputs))
    x = layers.Conv2D(4, 3, activation="relu6", dtype=policy)(x)
    model = keras.Model(inputs, layers.Flatten(dtype=policy)(ops.relu6(x)))

    converted = keras_rectifiers.convert(
        model, portable=True, roles=("hidden", "output")
    )

    assert len(rectifiers.find(converted)) == 3
    keras_rectifiers.verify(model, converted, _inputs()).require()


@pytest.mark.parametrize("to", ["prelu", "leaky_relu"])
def test_calls_of_several_ranks_are_refused(to):
    """A Functional model takes inputs of one rank; several widths are no trouble."""
    shared, inputs = layers.ReLU(6.0, name="shared"), keras.Input((8, 8, 3))
    x = shared(layers.Conv2D(5, 3)(shared(layers.Conv2D(4, 3)(inputs))))
    wide = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    x = shared(layers.Dense(4)(layers.Flatten()(x)))
    ranks = keras.Model(inputs, layers.Dense(2)(x))

    plan = keras_rectifiers.plan(ranks, to, portable=True)

    assert [(skip.reason, "rank" in skip.detail) for skip in plan.skips] == [
        ("portable", True)
    ]
    (step,) = keras_rectifiers.plan(wide, to, portable=True).steps
    assert len(step.replacements) == (2 if to == "prelu" else 1)


@keras.saving.register_keras_serializable("portable_caps")
class Net(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(4, 3, activation="relu6")
        self.rectify = layers.ReLU(6.0)
        self.head = layers.Dense(3)

    def call(self, x):
        return self.head(ops.mean(self.rectify(self.conv(x) - 1), (1, 2)))


def test_a_class_of_ones_own_keeps_its_bounds(tmp_path):
    """Its file opens, folds and goes back."""
    model = Net()
    before = model.predict(_inputs(), verbose=0)

    converted = keras_rectifiers.convert(model, portable=True)
    converted.save(tmp_path / "a.keras")

    keras_rectifiers.verify(model, converted, _inputs()).require()
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert loaded.predict(_inputs(), verbose=0).tobytes() == before.tobytes()
    back = keras_rectifiers.revert(converted)
    assert back.rectify.max_value == 6
    assert back.conv.activation is keras.activations.relu6
    folded = keras_rectifiers.fold(converted)
    assert {each.before for each in folded.sites} == {
        "Activation(PReLU(max_value=6))",
        "Conv2D(activation=PReLU(max_value=6))",
    }
    assert folded.model.conv.activation.max_value == 6


def test_an_old_file_keeps_its_bounds(tmp_path):
    """A `.h5` becomes a `.keras`, or a `.h5` that stock Keras opens."""
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(4, activation="relu6"),
            layers.Dense(4),
            layers.ReLU(6.0),
            layers.Dense(1),
        ]
    )
    model.save(tmp_path / "a.h5")
    x = 9 * np.random.default_rng(0).normal(size=(16, 5)).astype("float32")
    before = model.predict(x, verbose=0)

    for name in ("b.h5", "b.keras"):
        plan = keras_rectifiers.convert_file(
            tmp_path / "a.h5", tmp_path / name, portable=True
        )

        assert len(plan.steps) == 2
        opened = keras.saving.load_model(tmp_path / name, compile=False)
        assert opened.predict(x, verbose=0).tobytes() == before.tobytes()
        assert (
            len(keras_rectifiers.plan(tmp_path / name, "relu", of="prelu").steps) == 2
        )
