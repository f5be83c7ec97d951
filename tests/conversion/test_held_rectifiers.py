"""A PReLU that an `Activation` layer holds: its slopes are in a layer of their own."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError

SLOPES = (0.25, 0.5, 0.0, -0.125)


def _stock():
    return layers.PReLU()


def _ours():
    return keras_rectifiers.layers.PReLU(learning_rate_multiplier=2.0)


def _model(make, slopes=SLOPES, *, fit=False):
    """Two held PReLUs behind an `Activation` of the same class without weights."""
    x = inputs = keras.Input((5,))
    x = layers.Activation("relu", name="plain")(layers.Dense(4)(x))
    x = layers.Activation(make(), name="first")(layers.Dense(4)(x))
    x = layers.Activation(make(), name="second")(layers.Dense(4)(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile(keras.optimizers.Adam(), keras.losses.MeanSquaredError())
    model(np.ones((1, 5)))  # Keras builds a layer in an Activation when it is called
    if fit:
        model.fit(np.ones((4, 5)), np.ones((4, 2)), verbose=0)
    for name in ("first", "second"):
        held = model.get_layer(name).activation
        scale = getattr(held, "learning_rate_multiplier", 1.0)
        held.trainable_variables[0].assign(np.asarray(slopes) / scale)
    return model


def _output(model):
    x = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    return np.asarray(model(x)).tobytes()


@pytest.fixture(params=[_stock, _ours])
def model(request):
    """A model whose PReLUs stand in `Activation` layers, and its state."""
    return _model(request.param, fit=True)


@pytest.mark.parametrize(
    ("to", "of"),
    [("leaky_relu", "prelu"), ("relu", "prelu"), ("prelu", "relu")],
)
def test_file_and_live_alike(model, tmp_path, to, of):
    """A file converts as the live model does, its optimizer's state included."""
    source, target = tmp_path / "source.keras", tmp_path / "target.keras"
    model.save(source)

    plan = keras_rectifiers.convert_file(source, target, to, of=of)
    live = keras_rectifiers.convert(model, to, of=of)
    filed = keras.saving.load_model(target)

    assert keras_rectifiers.plan(model, to, of=of) == plan
    assert len(plan.steps) == (1 if of == "relu" else 2)
    assert _output(filed) == _output(live)
    for ours, theirs in zip(live.variables, filed.variables, strict=True):
        assert ours.shape == theirs.shape
    for ours, theirs in zip(
        live.optimizer.variables, filed.optimizer.variables, strict=True
    ):
        assert np.array_equal(ours, theirs)
    if of == "relu":
        assert _output(live) == _output(model)


def test_mean_of_its_slopes(model):
    """The slope of a Leaky ReLU is the mean of the slopes as they act."""
    plan = keras_rectifiers.plan(model, "leaky_relu", of="prelu")

    found = [step.replacement.config["negative_slope"] for step in plan.steps]
    assert found == [np.mean(SLOPES)] * 2


def test_legacy_file(model, tmp_path):
    """An `.h5` gives the same plan, and the same model."""
    source, target = tmp_path / "source.h5", tmp_path / "target.keras"
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    copy.save(source)

    keras_rectifiers.convert_file(source, target, "leaky_relu", of="prelu")

    live = keras_rectifiers.convert(model, "leaky_relu", of="prelu")
    assert _output(keras.saving.load_model(target)) == _output(live)


@pytest.mark.parametrize(("slope", "becomes"), [(0.0, "ReLU"), (0.5, "LeakyReLU")])
@pytest.mark.parametrize("make", [_stock, _ours])
def test_fold(tmp_path, make, slope, becomes):
    """Equal slopes fold, live and in a file, bit for bit."""
    model = _model(make, [slope] * 4)
    source, target = tmp_path / "source.keras", tmp_path / "target.keras"
    model.save(source)

    folded = keras_rectifiers.fold(model).model
    keras_rectifiers.fold_file(source, target)
    filed = keras.saving.load_model(target)

    for each in (folded, filed):
        assert type(each.get_layer("first")).__name__ == becomes
        assert _output(each) == _output(model)


def test_diagnosis_and_estimate_know_the_slopes(model):
    """A held PReLU has its slopes in a diagnosis and in an estimate."""
    diagnosis = keras_rectifiers.diagnose(model, np.ones((4, 5)))
    estimate = keras_rectifiers.estimate(model, input_range=(0, 1))

    found = {layer.layer: layer.slopes for layer in diagnosis.layers}
    assert np.allclose(found["first"], SLOPES)
    assert np.allclose(estimate.layer("first").slopes, SLOPES)


def test_not_built():
    """Without slopes there is one sentence, not an AttributeError."""
    model = keras.Sequential([layers.Dense(3), layers.Activation(layers.PReLU())])

    with pytest.raises(UnsupportedModelError, match="must be built"):
        keras_rectifiers.fold(model)
    with pytest.raises(UnsupportedModelError, match="must be built"):
        keras_rectifiers.plan(model, "leaky_relu", of="prelu", roles="output")
