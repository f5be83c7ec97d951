"""Which layers absorb the shift of a rectifier's mean, on each kind of wiring."""

import keras
import pytest
from keras import layers
from keras import ops

from keras_rectifiers.calibration import absorbers
from keras_rectifiers.calibration.absorption import absorption
from keras_rectifiers.surgery import live


def _found(model, site="site"):
    """Absorbers of a site, and why some of its shift stays."""
    survey = live.LiveModel(model).survey
    paths = [each.path for each in absorbers.find(model)]
    found = absorption(survey, [site], paths)[site]
    return found.absorbers, found.stays


def _after(follow, shape=(6, 6, 4), site="site"):
    """What becomes of the shift of a ReLU that something follows."""
    given = keras.Input(shape)
    made = follow(layers.ReLU(name="site")(layers.Conv2D(4, 1)(given)))
    return _found(keras.Model(given, made), site)


def _dense(name="next", **options):
    return layers.Dense(3, name=name, **options)


def test_the_next_layer_absorbs():
    """A bias takes the shift up; behind it there is none."""
    assert _after(lambda x: _dense("later")(_dense()(x))) == (("next",), "")


@pytest.mark.parametrize(
    "follow",
    [
        layers.MaxPooling2D,
        lambda: layers.AveragePooling2D(2),
        layers.GlobalAveragePooling2D,
        layers.Flatten,
        layers.ZeroPadding2D,
        layers.Softmax,
        lambda: layers.Reshape((36, 4)),
        lambda: layers.Permute((3, 1, 2)),
        lambda: layers.Dropout(0.5),
        lambda: layers.Activation("tanh"),
        lambda: layers.Rescaling(0.5, 1.0),
        layers.PReLU,
        lambda: lambda x: 2 * x + 1,
        lambda: lambda x: ops.tanh(ops.transpose(x, (0, 3, 1, 2))),
    ],
)
def test_what_hands_a_shift_on(follow):
    """Pooling, and whatever has no weights or works on each value alone."""
    assert _after(lambda x: _dense()(follow()(x))) == (("next",), "")


@pytest.mark.parametrize(
    "linear",
    [
        lambda: layers.Dense(5, use_bias=False),
        lambda: layers.Conv2D(5, 1, use_bias=False),
        lambda: layers.Conv2DTranspose(5, 1, use_bias=False),
        lambda: layers.DepthwiseConv2D(1, use_bias=False),
        lambda: layers.SeparableConv2D(5, 1, use_bias=False),
        lambda: layers.EinsumDense("abcd,de->abce", (6, 6, 5)),
    ],
)
def test_a_linear_layer_without_a_bias_hands_a_shift_on(linear):
    """What it makes is shifted, too."""
    assert _after(lambda x: _dense()(linear()(x))) == (("next",), "")


@pytest.mark.parametrize(
    "absorber",
    [
        layers.Conv2D(5, 1, name="it"),
        layers.Conv2DTranspose(5, 1, name="it"),
        layers.DepthwiseConv2D(1, name="it"),
        layers.SeparableConv2D(5, 1, name="it"),
        layers.BatchNormalization(name="it"),
    ],
)
def test_what_absorbs(absorber):
    """A bias or moving statistics, whatever the layer is."""
    assert _after(lambda x: _dense()(absorber(x))) == (("it",), "")


def test_a_bias_that_is_einsums_is_not_used():
    """EinsumDense's bias may be shared between units: the next layer absorbs."""
    einsum = layers.EinsumDense("abcd,de->abce", (6, 6, 5), bias_axes="e")

    assert _after(lambda x: _dense()(einsum(x))) == (("next",), "")


@pytest.mark.parametrize(
    ("holds", "named"),
    [
        (layers.LayerNormalization(name="it"), "LayerNormalization 'it'"),
        (layers.GroupNormalization(2, name="it"), "GroupNormalization 'it'"),
        (layers.ConvLSTM1D(2, 1, name="it"), "ConvLSTM1D 'it'"),
    ],
)
def test_what_holds_a_shift(holds, named):
    """It has weights, and no bias that takes a shift up."""
    found = _after(lambda x: _dense()(holds(x)))

    assert found == ((), f"{named} has no bias to absorb it")


@pytest.mark.parametrize(
    "holds",
    [
        layers.LSTM(2, name="it"),
        layers.Bidirectional(layers.GRU(2), name="it"),
        layers.RNN(layers.SimpleRNNCell(2), name="it"),
    ],
)
def test_recurrent_layers_hold_a_shift(holds):
    """Their biases are inside the recurrence."""
    (_, stays) = _after(lambda x: _dense()(holds(layers.Reshape((36, 4))(x))))

    assert stays == f"{type(holds).__name__} 'it' has no bias to absorb it"


def test_sums_hand_a_shift_on_by_every_way():
    """To what follows the sum, and to what follows a branch."""

    def follow(x):
        branch = layers.Conv2D(4, 1, name="branch")(x)
        return _dense()(layers.Add()([x, branch]))

    assert _after(follow) == (("branch", "next"), "")


def test_concatenation_hands_a_shift_on():
    """The other branch is not shifted."""

    def follow(x):
        other = layers.Conv2D(4, 1, name="other")(keras.ops.zeros_like(x))
        return _dense()(layers.Concatenate()([other, x]))

    assert _after(follow) == (("other", "next"), "")


def test_attention_holds_a_shift():
    """As an operand of any position."""

    def follow(x):
        x = layers.Reshape((36, 4))(x)
        return _dense()(layers.MultiHeadAttention(1, 2, name="it")(x, x))

    (met, stays) = _after(follow)
    assert met == ()
    assert stays == "MultiHeadAttention 'it' has no bias to absorb it"


def test_the_output_of_the_model():
    """A shift may reach an output of the model, and absorbers beside it."""

    def follow(x):
        return [layers.Identity()(x), _dense()(x)]

    assert _after(follow) == (("next",), "it reaches the output of the model")
    assert _after(lambda x: x) == ((), "it reaches the output of the model")


def test_custom_layers_and_lambdas_are_not_known():
    """Nothing is known of what they do with a shift."""

    class Twice(layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    twice, code = Twice(name="it"), layers.Lambda(lambda x: x, name="code")
    reasons = "Twice 'it' is not supported; Lambda 'code' is not supported"

    found = _after(lambda x: _dense()(layers.Add()([twice(x), code(x), x])))
    assert found == (("next",), reasons)


def test_a_fused_rectifier_of_a_layer_that_is_called_again():
    """A shared layer absorbs the shift that it made at the call before."""
    shared = layers.Dense(4, activation="relu", name="shared")
    given = keras.Input((4,))
    model = keras.Model(given, _dense()(shared(shared(given))))

    assert _found(model, "shared") == (("shared", "next"), "")


def _inner(*members):
    given = keras.Input((4,))
    x = given
    for member in members:
        x = member(x)
    return keras.Model(given, x, name="inner")


def test_into_a_nested_model_and_out_of_it():
    """Absorbers inside have the path of the model before their names."""
    given = keras.Input((4,))
    x = layers.ReLU(name="site")(given)

    absorbing = keras.Model(given, _dense("out")(_inner(_dense("in"))(x)))
    handing = keras.Model(given, _dense("out")(_inner(layers.Softmax())(x)))

    assert _found(absorbing) == (("inner/in",), "")
    assert _found(handing) == (("out",), "")


def test_a_nested_model_that_is_called_twice():
    """A shift that goes into one call comes out of that call only."""
    inner = _inner(layers.Softmax())
    given = keras.Input((4,))
    shifted = _dense("after")(inner(layers.ReLU(name="site")(given)))
    plain = _dense("beside")(inner(given))

    assert _found(keras.Model(given, [shifted, plain])) == (("after",), "")


def test_a_rectifier_in_a_nested_model_that_is_called_twice():
    """The shift comes out of every call."""
    inner = _inner(layers.Dense(4), layers.ReLU(name="site"))
    given = keras.Input((4,))
    made = [_dense("first")(inner(given)), _dense("second")(inner(2 * given))]
    model = keras.Model(given, made)

    assert _found(model, "inner/site") == (("first", "second"), "")


def test_inputs_of_a_nested_model_are_told_apart():
    """A shift that comes in by one input does not come in by the other."""
    a, b = keras.Input((4,)), keras.Input((4,))
    outputs = [_dense("of_a")(a), _dense("of_b")(b)]
    inner = keras.Model([a, b], outputs, name="inner")
    given = keras.Input((4,))
    made = inner([given, layers.ReLU(name="site")(given)])

    assert _found(keras.Model(given, made)) == (("inner/of_b",), "")


def test_time_distributed():
    """Its layer absorbs, hands on or holds as it does alone."""
    given = keras.Input((3, 4))
    x = layers.ReLU(name="site")(given)

    def of(inner):
        timed = layers.TimeDistributed(inner, name="timed")
        return _found(keras.Model(given, _dense()(timed(x))))

    assert of(_dense("inner")) == (("timed/inner",), "")
    assert of(_dense("inner", use_bias=False)) == (("next",), "")
    named = "LayerNormalization 'timed/norm'"
    held = (), f"{named} has no bias to absorb it"
    assert of(layers.LayerNormalization(name="norm")) == held
    assert of(_inner(_dense("in"))) == (("timed/inner/in",), "")


def test_a_wrapper_with_weights_of_its_own():
    """SpectralNormalization: the bias of the layer inside absorbs."""
    given = keras.Input((4,))
    wrapper = layers.SpectralNormalization(_dense("inner"), name="spectral")
    model = keras.Model(given, wrapper(layers.ReLU(name="site")(given)))

    assert _found(model) == (("spectral/inner",), "")
