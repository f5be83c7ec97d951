import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.diagnosis.evidence import gather
from keras_rectifiers.layers import PReLU
from keras_rectifiers.live.rectifiers import find

_X = np.random.default_rng(1).normal(2.0, 3.0, (40, 6)).astype("float32")


def _net(**options):
    """Two fused rectifiers, and one behind a normalization."""
    inputs = keras.Input((6,), name="data")
    x = layers.Dense(5, activation="relu", name="first", **options)(inputs)
    x = layers.Dropout(0.5)(layers.Dense(4, use_bias=False, name="middle")(x))
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))
    return keras.Model(inputs, layers.Dense(3, activation="relu", name="last")(x))


def _collected(model, x=_X):
    return gather.collect(model, find(model), keras.ops.convert_to_tensor(x))


def test_a_healthy_model_pays_nothing():
    """Evidence is looked up only where some unit never fired."""
    dense = layers.Dense(2, activation="relu", name="dense")
    model = keras.Sequential([keras.Input((2,)), dense])
    dense.set_weights([np.eye(2), np.ones(2)])

    healthy = diagnose(model, np.ones((3, 2), "float32"))
    silent = diagnose(model, -2 * np.ones((3, 2), "float32"))

    assert healthy.evidence is None
    assert [each.path for each in silent.evidence.rectifiers] == ["dense"]


def test_pre_activations_of_each_unit():
    """Mean, deviation and maximum are those of what numpy computes."""
    model = _net()
    kernel, bias = model.get_layer("first").get_weights()

    first = _collected(model).rectifier("first")

    expected = _X @ kernel + bias
    np.testing.assert_allclose(first.mean, expected.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.std, expected.std(0), rtol=1e-4)
    np.testing.assert_allclose(first.maximum, expected.max(0), rtol=1e-4)
    np.testing.assert_allclose(first.std_over_samples, expected.std(0), rtol=1e-4)


def test_what_feeds_a_rectifier():
    """A fused one is its own producer; others have one behind a normalization."""
    found = _collected(_net())

    fed = {
        each.path: (each.producer.path, each.normalization and each.normalization.path)
        for each in found.rectifiers
    }
    assert fed == {
        "first": ("first", None),
        "relu": ("middle", "bn"),
        "last": ("last", None),
    }
    assert [each.upstream for each in found.rectifiers] == [
        (),
        ("first",),
        ("first", "relu"),
    ]


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        ("BatchNormalization", "gamma"),
        ("LayerNormalization", "gamma"),
        ("RMSNormalization", "scale"),
    ],
)
def test_every_normalization_before_a_rectifier_is_evidence(kind, factor):
    """RMSNormalization, too, whose factor has another name."""
    normalization = getattr(layers, kind)(name="norm")
    inputs = keras.Input((6,))
    x = normalization(layers.Dense(3, name="made")(inputs))
    model = keras.Model(inputs, layers.ReLU(name="act")(x))
    getattr(normalization, factor).assign([0.0, 2.0, 3.0])

    found = _collected(model).rectifier("act")

    assert found.producer.path == "made"
    assert (found.normalization.path, found.normalization.kind) == ("norm", kind)
    np.testing.assert_array_equal(found.normalization.gamma, [0.0, 2.0, 3.0])
    np.testing.assert_array_equal(found.normalization.beta, 0.0)


def test_what_a_layer_takes_is_seen_after_rescaling():
    """The spread is that of the layer's own input, not of the model's."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Rescaling(0.1),
            layers.Dense(4, activation="relu", name="hidden"),
        ]
    )

    found = _collected(model)

    assert found.inputs[0].spread.mean == pytest.approx(_X.mean(), rel=1e-4)
    takes = found.rectifier("hidden").producer.takes
    assert takes.mean == pytest.approx(0.1 * _X.mean(), rel=1e-4)
    assert takes.rms == pytest.approx(0.1 * np.sqrt(np.square(_X).mean()), rel=1e-4)


def test_the_kernel_at_birth_is_made_again():
    """What a unit went since it was made is known without a copy of its weights."""
    model = _net(kernel_initializer="he_normal")
    first = model.get_layer("first")
    kernel, bias = first.get_weights()
    unmoved = _collected(model).rectifier("first").producer
    kernel[:, 1] *= 3.0
    first.set_weights([kernel, bias])

    moved = _collected(model).rectifier("first").producer

    np.testing.assert_array_equal(unmoved.moved, 0)
    np.testing.assert_allclose(moved.moved, [0, 2, 0, 0, 0], rtol=1e-5)
    np.testing.assert_array_equal(moved.birth_norm, unmoved.norm)
    np.testing.assert_array_equal(moved.birth_bias, 0)
    assert moved.initializer == "HeNormal"


def test_after_a_file_the_way_from_birth_is_not_known(tmp_path):
    """Only the distribution at birth is left, as the seed is not in the file."""
    model = _net()
    model.save(tmp_path / "model.keras")

    loaded = _collected(keras.saving.load_model(tmp_path / "model.keras"))

    producer = loaded.rectifier("first").producer
    assert producer.moved is None
    assert producer.birth_norm.mean() == pytest.approx(producer.norm.mean(), rel=0.6)


@pytest.mark.parametrize(
    ("optimizer", "scale_free", "momentum"),
    [("adam", True, 0.0), (keras.optimizers.SGD(0.001, momentum=0.9), False, 0.9)],
)
def test_the_optimizer_tells_its_steps(optimizer, scale_free, momentum):
    """Steps, rate and the size of the next step come from the optimizer's state."""
    model = _net()
    model.compile(optimizer, "mse")
    model.fit(_X, np.ones((40, 3)), batch_size=20, epochs=2, verbose=0)

    training = _collected(model).training

    assert training.iterations == 4
    assert training.learning_rate == pytest.approx(0.001)
    assert (training.scale_free, training.momentum) == (scale_free, momentum)
    assert all(0 < ratio < 1 for ratio in training.step_ratio.values())


def test_nested_and_wrapped_layers_are_wired():
    """The way back leads into models, and out of wrappers."""
    block = keras.Sequential(
        [keras.Input((6,)), layers.Dense(4, name="inside"), layers.ReLU(name="act")],
        name="block",
    )
    inputs = keras.Input((3, 6))
    x = layers.TimeDistributed(block, name="steps")(inputs)
    x = layers.TimeDistributed(layers.Dense(4), name="wide")(x)
    outputs = layers.ReLU(name="after")(x)
    model = keras.Model(inputs, outputs)

    found = _collected(model, np.ones((5, 3, 6), "float32"))

    by_name = {each.path.split("/")[-1]: each for each in found.rectifiers}
    assert by_name["act"].producer.path.endswith("inside")
    assert by_name["after"].producer.kind == "Dense"
    assert by_name["after"].upstream == (by_name["act"].path,)


def test_a_subclassed_model_has_less_evidence_and_no_error():
    """Its wiring is not known; its fused layers still are their own producers."""

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = layers.Dense(3, activation="relu", name="hidden")
            self.act = layers.ReLU(name="act")

        def call(self, x):
            return self.act(self.hidden(x) - 1.0)

    model = Net()
    model(_X[:1])

    found = _collected(model)

    assert found.problem == ""
    assert found.rectifier("hidden").producer.fan_in == 6
    assert found.rectifier("hidden").upstream is None
    assert found.rectifier("act").producer is None


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, padding="same"),
        layers.Conv2DTranspose(4, 3, padding="same"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        layers.SeparableConv2D(4, 3, padding="same"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_kernels_of_convolutions_have_one_column_for_each_unit(layer):
    """Norms are counted unit by unit, whatever the layout of the kernel."""
    inputs = keras.Input((5, 5, 2))
    model = keras.Model(inputs, layers.ReLU(name="act")(layer(inputs)))

    producer = _collected(model, np.ones((2, 5, 5, 2))).rectifier("act").producer

    assert producer.norm.shape == producer.bias.shape == (4,)
    np.testing.assert_array_equal(producer.moved, 0)


def test_a_prelu_in_the_slot_is_looked_at_too():
    """A converted layer is its own producer, as a fused ReLU is."""
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(3, activation=PReLU(), name="d")(inputs))

    assert _collected(model).rectifier("d").producer.path == "d"


def test_nan_in_the_data_is_counted():
    """Numbers that are not finite are left out of the spread, and their share told."""
    x = _X.copy()
    x[:4] = np.nan

    (given,) = _collected(_net(), x).inputs

    assert given.spread.not_finite == pytest.approx(0.1)
    assert given.spread.mean == pytest.approx(x[4:].mean(), rel=1e-4)


def test_later_evidence_counts_in_a_sum():
    """Of two diagnoses the evidence of the second one is kept."""
    model = _net()
    first, second = (diagnose(model, -100 * np.abs(_X[:n])) for n in (5, 9))

    assert (first + second).evidence is second.evidence


def test_update_ratio():
    """It is the norm of the change over the norm before."""
    assert gather.update_ratio([3.0, 4.0], [3.0, 4.5]) == pytest.approx(0.1)
    assert gather.update_ratio([0.0], [0.0]) == 0
    assert gather.update_ratio([0.0], [1.0]) == np.inf


def test_weight_watch_sees_the_way_between_measurements():
    """Each measurement is compared with the one before."""
    model = _net()
    watch = gather.WeightWatch(model)
    watch.measure()
    first = model.get_layer("first")
    first.set_weights([1.5 * first.get_weights()[0], np.ones(5)])

    changes, still = watch.measure(), watch.measure()

    assert set(changes) == {"first", "relu", "last"}
    assert changes["first"].ratio == pytest.approx(0.5, rel=1e-5)
    assert changes["first"].bias_change == pytest.approx(np.sqrt(5))
    assert changes["relu"].ratio == 0
    assert still["first"].ratio == 0


def test_weights_that_overflowed_are_looked_at_in_silence():
    """They are evidence of their own, and no reason to warn or to fail."""
    model = _net()
    first = model.get_layer("first")
    first.set_weights([np.full((6, 5), 1e38), np.full(5, -1e38)])

    with np.errstate(all="warn"), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = _collected(model)

    assert not np.isfinite(found.rectifier("first").maximum).all()
