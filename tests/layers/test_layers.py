"""One battery for every layer that the package exports."""

import doctest
import inspect
import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_rectifiers import layers
from keras_rectifiers import specs

EXPORTED = [getattr(layers, name) for name in layers.__all__]
CLASSES = [each for each in EXPORTED if issubclass(each, keras.layers.Layer)]
#: Class -> arguments other than the defaults.
OTHER_ARGUMENTS = {
    layers.LeakyReLU: {"negative_slope": -0.3, "max_value": 6.0},
    layers.NReLU: {"max_value": 6.0, "seed": 3},
    layers.RReLU: {"lower": -0.1, "upper": 0.5, "max_value": 6.0, "seed": 3},
    layers.PReLU: {
        "alpha_initializer": keras.initializers.Constant(0.25),
        "alpha_regularizer": keras.regularizers.L2(0.01),
        "alpha_constraint": keras.constraints.NonNeg(),
        "shared_axes": [1, -2],
        "max_value": 6.0,
        "data_format": "channels_last",
    },
}
REGISTERED = {
    layers.LeakyReLU: specs.LEAKY_RELU_REGISTERED,
    layers.NReLU: specs.NRELU_REGISTERED,
    layers.PReLU: specs.PRELU_REGISTERED,
    layers.RReLU: specs.RRELU_REGISTERED,
}
SHAPE = (4, 5, 6, 3)
BOTH = pytest.mark.parametrize("other", [False, True], ids=["defaults", "others"])


@pytest.fixture(params=CLASSES, ids=lambda cls: cls.__name__)
def cls(request):
    """Each exported layer class in turn."""
    return request.param


@pytest.fixture
def x(rng):
    """A batch of small images, with every kind of zero and infinity."""
    array = rng.normal(scale=4, size=SHAPE).astype("float32")
    array[0, 0, 0] = [0.0, -0.0, -np.inf]
    return array


def _arguments(cls, other):
    return OTHER_ARGUMENTS[cls] if other else {}


def _model(cls, other, **kwargs):
    """A network with the layer as a layer of its own and as an activation."""
    inputs = keras.Input((None, None, 3))
    hidden = keras.layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    hidden = cls(name="rectifier", **_arguments(cls, other), **kwargs)(hidden)
    # Built by hand: a host does not build its activation before the first batch.
    activation = cls(name="slot", **kwargs)
    activation.build((None, None, None, 5))
    hidden = keras.layers.Conv2D(5, 1, activation=activation)(hidden)
    outputs = keras.layers.GlobalAveragePooling2D()(hidden)
    model = keras.Model(inputs, outputs)
    for weight in model.weights:
        weight.assign(np.random.default_rng(3).normal(size=weight.shape))
    return model


def _numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def test_battery_covers_every_exported_layer():
    """A layer that is exported is tested from that day on."""
    assert set(CLASSES) == set(OTHER_ARGUMENTS) == set(REGISTERED)


def test_examples_in_the_docstrings():
    """Each documented example prints what it says."""
    result = doctest.testmod(layers)

    assert result.attempted >= 3 * len(CLASSES)
    assert result.failed == 0


class TestConfig:
    @BOTH
    def test_round_trip_through_json(self, cls, other, x):
        """A layer rebuilt from its JSON has the same config and weights' shapes."""
        layer = cls(**_arguments(cls, other))
        expected = _numbers(layer(x))

        document = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
        twin = keras.saving.deserialize_keras_object(document)

        assert type(twin) is cls
        assert twin.get_config() == layer.get_config()
        assert [w.shape for w in twin.weights] == [w.shape for w in layer.weights]
        np.testing.assert_array_equal(expected, _numbers(twin(x)))

    def test_holds_every_constructor_argument(self, cls):
        """The config names each argument of the constructor, and nothing else."""
        arguments = set(inspect.signature(cls.__init__).parameters)

        expected = arguments - {"self", "kwargs"} | {"name", "trainable", "dtype"}
        assert expected == set(cls().get_config())

    def test_is_what_specs_says(self, cls):
        """File surgery and Keras write a layer under the same three names."""
        document = keras.saving.serialize_keras_object(cls())

        assert document["module"] == specs.LAYERS_MODULE
        assert document["class_name"] == cls.__name__
        assert document["registered_name"] == REGISTERED[cls]
        assert document["registered_name"].startswith(specs.PACKAGE + ">")


class TestFiles:
    @BOTH
    @pytest.mark.parametrize("name", ["model.keras", "model.h5"])
    def test_whole_model(self, cls, other, name, x, tmp_path):
        """A saved and loaded model computes the same numbers."""
        model = _model(cls, other)
        x[0, 0, 0] = 0.0
        model.save(tmp_path / name)

        loaded = keras.saving.load_model(tmp_path / name)

        np.testing.assert_array_equal(_numbers(model(x)), _numbers(loaded(x)))
        for before, after in zip(model.weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(_numbers(before), _numbers(after))

    def test_weights_only(self, cls, tmp_path):
        """Weights saved alone go back into a fresh model."""
        model = _model(cls, other=False)
        fresh = _model(cls, other=False)
        for weight in fresh.weights:
            weight.assign(ops.zeros_like(weight.value))
        model.save_weights(tmp_path / "model.weights.h5")

        fresh.load_weights(tmp_path / "model.weights.h5")

        for before, after in zip(model.weights, fresh.weights, strict=True):
            np.testing.assert_array_equal(_numbers(before), _numbers(after))


class TestCall:
    @BOTH
    def test_symbolic_shape_is_the_real_one(self, cls, other, x):
        """Shape and dtype are known before any number is computed."""
        layer = cls(**_arguments(cls, other))

        symbolic = layer(keras.KerasTensor(SHAPE))

        real = layer(x)
        assert tuple(symbolic.shape) == tuple(real.shape) == SHAPE
        assert symbolic.dtype == keras.backend.standardize_dtype(real.dtype)
        assert layer.compute_output_shape(SHAPE) == SHAPE

    @pytest.mark.parametrize(
        ("policy", "expected"),
        [
            ("float32", "float32"),
            ("float16", "float16"),
            ("bfloat16", "bfloat16"),
            ("mixed_float16", "float16"),
            ("mixed_bfloat16", "bfloat16"),
        ],
    )
    def test_computes_in_the_compute_dtype(self, cls, policy, expected, x):
        """The output has the policy's compute dtype, weights its variable dtype."""
        layer = cls(dtype=policy)

        y = layer(x)

        assert keras.backend.standardize_dtype(y.dtype) == expected
        assert {w.dtype for w in layer.weights} <= {layer.variable_dtype}
        assert not np.isnan(_numbers(y)).any()

    def test_integers_are_cast(self, cls):
        """Whole numbers are rectified as floats."""
        y = cls()(np.array([[-2, 0, 3]]))

        assert keras.backend.standardize_dtype(y.dtype) == "float32"
        assert _numbers(y)[0, 2] == 3

    def test_mask_is_passed_on(self, cls):
        """A layer behind the rectifier still sees the mask."""
        inputs = keras.Input((7,), dtype="int32")
        hidden = keras.layers.Embedding(5, 3, mask_zero=True)(inputs)

        rectified = cls()(hidden)

        assert cls().supports_masking
        assert keras.src.backend.get_keras_mask(rectified) is not None

    def test_graph_is_eager(self, cls, x):
        """A compiled model computes what the layer computes at once."""
        model = keras.Sequential([keras.Input(SHAPE[1:]), cls()])

        compiled = model.predict(x, verbose=0)

        np.testing.assert_array_equal(_numbers(model(x)), compiled)


class TestTraining:
    @BOTH
    @pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
    def test_one_step_moves_every_weight(self, cls, other, policy, rng):
        """After a fit step each trainable weight is finite and has changed."""
        model = _model(cls, other, dtype=policy)
        before = [_numbers(weight).copy() for weight in model.trainable_weights]
        model.compile("adam", "mse")

        model.fit(
            rng.normal(size=(8, 5, 6, 3)), rng.normal(size=(8, 5)), epochs=1, verbose=0
        )

        for old, weight in zip(before, model.trainable_weights, strict=True):
            assert np.isfinite(_numbers(weight)).all(), weight.path
            assert (_numbers(weight) != old).any(), weight.path

    def test_quantizing_the_model_only_warns(self, cls):
        """`Model.quantize` leaves the rectifier as it is."""
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(3, name="dense"), cls(name="mine")]
        )

        with pytest.warns(UserWarning, match="does not have a `quantize"):
            model.quantize("int8")

        assert "int8" in str(model.get_layer("dense").dtype_policy.name)
        assert model.get_layer("mine").dtype_policy.name == "float32"
