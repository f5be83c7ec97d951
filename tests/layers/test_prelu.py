"""PReLU's slopes: their shape, their axes, and what is refused."""

import shutil

import keras
import numpy as np
import pytest
from keras import ops

from keras_rectifiers.layers import PReLU

#: A layer as file surgery writes it, without Keras.
DOCUMENT = {
    "module": "keras_rectifiers.layers",
    "class_name": "PReLU",
    "registered_name": "keras_rectifiers>PReLU",
    "config": {
        "name": "rect",
        "trainable": True,
        "dtype": "float32",
        "alpha_initializer": {
            "module": "keras.initializers",
            "class_name": "Constant",
            "config": {"value": 0.25},
            "registered_name": None,
        },
        "alpha_regularizer": None,
        "alpha_constraint": None,
        "shared_axes": "spatial",
        "max_value": None,
        "data_format": None,
    },
    "build_config": {"input_shape": [None, None, None, 6]},
}


@pytest.fixture
def _channels_first():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


def _rectified(x, alpha):
    return np.where(x > 0, x, alpha * x)


class TestShape:
    @pytest.mark.parametrize(
        ("arguments", "input_shape", "expected"),
        [
            ({}, (None, 8), (8,)),
            ({}, (None, None, 8), (8,)),
            ({}, (None, None, None, 8), (8,)),
            ({}, (2, 3, 4, 5, 8), (8,)),
            ({"data_format": "channels_first"}, (None, 8, None, None), (8,)),
            ({"data_format": "channels_first"}, (None, 8), (8,)),
            ({"shared_axes": None}, (None, 3, 4, 8), (3, 4, 8)),
            ({"shared_axes": []}, (None, 3, 4, 8), (3, 4, 8)),
            ({"shared_axes": [1, 2]}, (None, None, None, 8), (1, 1, 8)),
            ({"shared_axes": (-3, -2)}, (None, 3, 4, 8), (1, 1, 8)),
            ({"shared_axes": -1}, (None, 3, 4, 8), (3, 4, 1)),
            ({"shared_axes": np.int64(2)}, (None, 3, 4, 8), (3, 1, 8)),
            ({"shared_axes": [1, 2, 3]}, (None, None, None, None), (1, 1, 1)),
        ],
    )
    def test_of_alpha(self, arguments, input_shape, expected):
        """Alpha has the length of each axis along which slopes differ, else 1."""
        layer = PReLU(**arguments)

        layer.build(input_shape)

        assert tuple(layer.alpha.shape) == expected

    @pytest.mark.parametrize(
        ("arguments", "alpha", "broadcast"),
        [
            ({}, (5,), (1, 1, 1, 5)),
            ({"data_format": "channels_first"}, (3,), (1, 3, 1, 1)),
            ({"shared_axes": None}, (3, 4, 5), (1, 3, 4, 5)),
            ({"shared_axes": [-1, 1]}, (1, 4, 1), (1, 1, 4, 1)),
        ],
    )
    def test_each_slope_applies_where_it_belongs(
        self, rng, arguments, alpha, broadcast
    ):
        """The slopes of one axis act along this axis."""
        x = rng.normal(size=(2, 3, 4, 5)).astype("float32")
        slopes = rng.normal(size=alpha).astype("float32")
        layer = PReLU(**arguments)
        layer.build(x.shape)
        layer.alpha.assign(slopes)

        y = ops.convert_to_numpy(layer(x))

        np.testing.assert_array_equal(_rectified(x, slopes.reshape(broadcast)), y)

    def test_spatial_slopes_serve_any_size_and_rank(self, rng):
        """One layer takes images, sequences and vectors of the same channels."""
        layer = PReLU(keras.initializers.Constant(0.5))
        shapes = [(2, 4, 4, 3), (2, 7, 3), (2, 3), (1, 2, 2, 2, 3)]

        for shape in shapes:
            x = rng.normal(size=shape).astype("float32")
            y = ops.convert_to_numpy(layer(x))
            np.testing.assert_array_equal(_rectified(x, np.float32(0.5)), y)

        assert tuple(layer.alpha.shape) == (3,)

    @pytest.mark.parametrize(
        ("arguments", "built", "other"),
        [
            ({}, (None, 4, 4, 3), (1, 4, 4, 5)),
            ({"shared_axes": None}, (None, 4, 3), (1, 5, 3)),
            ({"data_format": "channels_first"}, (None, 3, 4, 4), (1, 4, 4, 4)),
        ],
    )
    def test_other_widths_are_refused(self, arguments, built, other):
        """Input that does not fit the slopes is refused by name, not broadcast."""
        layer = PReLU(**arguments)
        layer.build(built)

        with pytest.raises(ValueError, match="incompatible with the layer"):
            layer(np.zeros(other, "float32"))


class TestSurgeryDocument:
    def test_builds_alpha_at_once(self):
        """A layer written without Keras has its slopes as soon as it is loaded."""
        layer = keras.saving.deserialize_keras_object(DOCUMENT)

        np.testing.assert_array_equal(
            np.full(6, 0.25, "float32"), ops.convert_to_numpy(layer.alpha)
        )

    @pytest.mark.usefixtures("_channels_first")
    def test_means_the_same_on_every_machine(self):
        """Without a format the channels are last, whatever this machine prefers."""
        layer = keras.saving.deserialize_keras_object(DOCUMENT)

        assert layer.data_format == "channels_last"
        assert tuple(layer.alpha.shape) == (6,)

    def test_slot_of_a_host_is_trainable_at_once(self):
        """As an activation in a config, its slopes are among the host's weights."""
        host = keras.layers.Conv2D(6, 3).get_config()
        host["activation"] = DOCUMENT

        layer = keras.layers.Conv2D.from_config(host)
        layer.build((None, 8, 8, 2))

        shapes = [tuple(weight.shape) for weight in layer.trainable_weights]
        assert sorted(shapes) == [(3, 3, 2, 6), (6,), (6,)]


class TestDataFormat:
    @pytest.mark.usefixtures("_channels_first")
    def test_default_is_resolved_when_the_layer_is_made(self):
        """The config states the format that was in force at construction."""
        layer = PReLU()
        keras.config.set_image_data_format("channels_last")

        assert layer.get_config()["data_format"] == "channels_first"
        assert PReLU.from_config(layer.get_config()).data_format == "channels_first"

    def test_unknown_word(self):
        """Another word is refused with the two that exist."""
        with pytest.raises(ValueError, match="data_format of PReLU must be one of"):
            PReLU(data_format="NCHW")


class TestRefused:
    @pytest.mark.parametrize("axes", ["channels", "", "spatiel"])
    def test_unknown_word(self, axes):
        """The one word that exists is named."""
        with pytest.raises(ValueError, match='must be "spatial", None'):
            PReLU(shared_axes=axes)

    @pytest.mark.parametrize("axes", [1.5, [1, "2"], [True], {}.items, [[1]]])
    def test_no_integers(self, axes):
        """Axes are integers."""
        with pytest.raises(TypeError, match="axes of PReLU must contain integers"):
            PReLU(shared_axes=axes)

    @pytest.mark.parametrize("axes", [0, [0], [1, 0]])
    def test_batch_axis(self, axes):
        """The batch axis is refused before the layer is built."""
        with pytest.raises(ValueError, match="must not name the batch axis"):
            PReLU(shared_axes=axes)

    @pytest.mark.parametrize("axes", [4, [7], -4, [-5], [1, -3], [2, 2]])
    def test_axes_that_do_not_exist_or_repeat(self, axes):
        """The message says which axes an input of this rank has."""
        layer = PReLU(shared_axes=axes)

        with pytest.raises(ValueError, match=r"rank 4\. Choose from the axes 1 to 3"):
            layer.build((None, 3, 4, 5))

    @pytest.mark.parametrize(
        ("axes", "shape"),
        [("spatial", (None, 4, None)), (None, (None, None, 4)), ([1], (None, 2, None))],
    )
    def test_unknown_length(self, axes, shape):
        """A length of None along an axis with slopes of its own is refused."""
        layer = PReLU(shared_axes=axes, name="mine")

        with pytest.raises(ValueError, match=r"must know the length.*mine.*Share"):
            layer.build(shape)

    def test_input_without_channels(self):
        """A vector has no axis to tell channels by."""
        with pytest.raises(ValueError, match="must have a batch axis and at least one"):
            PReLU().build((None,))

    def test_cap(self):
        """A cap that is not above 0 is refused under the name of this layer."""
        with pytest.raises(ValueError, match="max_value of PReLU must be above 0"):
            PReLU(max_value=0)


def test_dead_unit_wakes_up(rng):
    """A unit that never fires gets a slope other than 0 from training."""
    model = keras.Sequential([keras.Input((4,)), PReLU(), keras.layers.Dense(1)])
    x = -np.abs(rng.normal(size=(64, 4))).astype("float32")
    model.compile(keras.optimizers.SGD(0.1), "mse")

    model.fit(x, x.sum(axis=1), epochs=2, verbose=0)

    assert (ops.convert_to_numpy(model.layers[0].alpha) != 0).all()


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="torch's own compiler")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, of itself
def test_torch_compiles_it_with_its_gradients():
    """Compiled as in eager mode, also at -inf and at slope 0."""
    import torch

    x = torch.randn((4, 6, 6, 3))
    x[0, 0, 0], x[1, 1, 1] = -torch.inf, 0.0
    x.requires_grad_()
    layer = PReLU(alpha_initializer=keras.initializers.Constant(0.25))
    layer.build(x.shape)
    alpha = layer.alpha.value
    upstream = torch.randn(x.shape)
    upstream[0, 0, 0] = 0.0
    with torch.no_grad():
        alpha[0] = 0.0

    compiled = torch.compile(layer)(x)
    found = (compiled, *torch.autograd.grad(compiled, [x, alpha], upstream))
    eager = layer(x)
    expected = (eager, *torch.autograd.grad(eager, [x, alpha], upstream))

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
