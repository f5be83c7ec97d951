"""A new start: what passes, what is mirrored, what is kept."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers
from keras import ops

from keras_rectifiers import errors
from keras_rectifiers.revival.restart import restart
from tests.strategies import build
from tests.strategies import recipes


def _numbers(value):
    return np.array(ops.convert_to_numpy(value))


def _mlp(widths=(8, 8, 8), inputs=5, **options):
    model = keras.Sequential([keras.Input((inputs,))])
    for i, width in enumerate(widths):
        model.add(layers.Dense(width, activation="relu", name=f"h{i}", **options))
    model.add(layers.Dense(2, name="y", **options))
    return model


def _data(shape, samples=64):
    return np.random.default_rng(5).normal(size=(samples, *shape)).astype("float32")


def _outputs(model, x):
    """What each layer of a Sequential puts out, by name."""
    found = {}
    for layer in model.layers:
        x = layer(x)
        found[layer.name] = _numbers(x)
    return found


def test_a_chain_is_mirrored_and_then_passes_on():
    """The roles, by path, and zeros for the biases that may have killed."""
    model = _mlp(bias_initializer=keras.initializers.Constant(-3.0))
    done = restart(model)
    assert done.mirrored == ("h0",)
    assert done.passed == ("h1", "h2")
    assert done.drawn == ("y",)
    assert dict(done.kept) == {}
    for layer in model.layers:
        np.testing.assert_array_equal(_numbers(layer.bias), 0.0)


@pytest.mark.parametrize("width", [1, 2, 7, 8])
def test_units_stand_in_pairs(width):
    """w1, -w1, w2, -w2: the odd last one stands alone."""
    model = _mlp((width,))
    restart(model)
    kernel = _numbers(model.get_layer("h0").kernel)
    whole = width // 2 * 2
    np.testing.assert_array_equal(kernel[:, 0:whole:2], -kernel[:, 1:whole:2])
    assert np.abs(kernel).max(axis=0).min() > 0.0


def test_a_mirrored_dense_kernel_is_orthogonal():
    """The pairs keep the length of what they take, times the root of 2."""
    model = _mlp((10,))
    restart(model)
    kernel = _numbers(model.get_layer("h0").kernel)[:, ::2]
    np.testing.assert_allclose(kernel.T @ kernel, 2 * np.eye(5), atol=1e-5)


def test_without_noise_each_layer_hands_on_what_it_takes():
    """Exactly: the identity and a bias of 0."""
    model = _mlp((8, 8, 8, 8))
    restart(model, noise=0.0)
    found = _outputs(model, _data((5,)))
    for name in ("h1", "h2", "h3"):
        np.testing.assert_array_equal(found[name], found["h0"])


@pytest.mark.parametrize(
    ("rank", "size"), [(1, 1), (1, 4), (2, 2), (2, 3), (2, 4), (3, 2)]
)
def test_without_noise_convolutions_hand_on_what_they_take(rank, size):
    """Even windows too: the tap that lies over the place itself."""
    shape = (5,) * rank
    convolution = getattr(layers, f"Conv{rank}D")
    model = keras.Sequential([keras.Input((*shape, 3))])
    for i in range(3):
        model.add(convolution(4, size, padding="same", name=f"c{i}"))
        model.add(layers.LeakyReLU(0.0, name=f"r{i}"))
    done = restart(model, noise=0.0)
    assert done.passed == ("c1", "c2")
    found = _outputs(model, _data((*shape, 3), 4))
    assert found["r0"].any()
    np.testing.assert_array_equal(found["r2"], found["r0"])


def test_a_causal_convolution_looks_at_its_own_place():
    model = keras.Sequential([keras.Input((6, 2))])
    for i in range(2):
        model.add(
            layers.Conv1D(4, 3, padding="causal", activation="relu", name=f"c{i}")
        )
    model.add(layers.Dense(1))
    restart(model, noise=0.0)
    found = _outputs(model, _data((6, 2), 4))
    np.testing.assert_array_equal(found["c1"], found["c0"])


def test_a_window_that_jumps_takes_the_mean():
    """As many places as it jumps over; none is lost."""
    model = keras.Sequential([keras.Input((6, 6, 1))])
    model.add(layers.Conv2D(4, 3, padding="same", activation="relu", name="a"))
    model.add(layers.Conv2D(4, 3, 2, padding="same", activation="relu", name="b"))
    model.add(layers.Flatten(name="flat"))
    model.add(layers.Dense(1, name="y"))
    restart(model, noise=0.0)
    found = _outputs(model, _data((6, 6, 1), 4))
    mean = found["a"].reshape(4, 3, 2, 3, 2, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(found["b"], mean, rtol=1e-5, atol=1e-6)


def test_groups_stay_among_themselves():
    """A unit takes the input of its number, inside of its group."""
    model = keras.Sequential([keras.Input((4, 4, 4))])
    for i in range(2):
        conv = layers.Conv2D(8, 1, groups=2, activation="relu", name=f"g{i}")
        model.add(conv)
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1))
    restart(model, noise=0.0)
    first = _numbers(model.get_layer("g0").kernel)[0, 0]
    np.testing.assert_array_equal(first[:, ::2], -first[:, 1::2])
    second = _numbers(model.get_layer("g1").kernel)[0, 0]
    np.testing.assert_array_equal(second, np.tile(np.eye(4), 2))


@pytest.mark.parametrize(
    ("between", "passes"),
    [
        ([layers.MaxPooling2D], True),
        ([layers.Dropout, 0.5], True),
        ([layers.ZeroPadding2D], True),
        ([layers.GlobalMaxPooling2D], True),
        ([layers.Flatten], False),
        ([layers.BatchNormalization], False),
        ([layers.Activation, "sigmoid"], False),
    ],
)
def test_what_keeps_channels_apart(between, passes):
    """Through pooling, dropout and padding; not once flat or signed."""
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = between[0](*between[1:])(x)
    x = layers.Dense(4, activation="relu", name="second")(x)
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))
    done = restart(model)
    assert ("second" in done.passed) is passes
    assert ("second" in done.mirrored) is not passes


def test_channels_first():
    """A Dense layer takes the last axis, where no channels are."""
    inputs = keras.Input((3, 6, 6))
    options = {"data_format": "channels_first", "activation": "relu"}
    x = layers.Conv2D(4, 3, name="a", **options)(inputs)
    x = layers.Conv2D(4, 3, name="b", **options)(x)
    x = layers.Dense(4, activation="relu", name="c")(x)
    done = restart(keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x))))
    assert done.passed == ("b",)
    assert done.mirrored == ("a", "c")


def test_every_way_to_write_a_rectifier():
    """A layer, an operation, an argument."""
    inputs = keras.Input((5,))
    x = layers.ReLU()(layers.Dense(4, name="a")(inputs))
    x = ops.relu(layers.Dense(4, name="b")(x))
    x = ops.maximum(layers.Dense(4, name="c")(x), 0.0)
    x = layers.Dense(4, activation=layers.PReLU(), name="d")(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="y")(x))
    done = restart(model, noise=0.0)
    assert done.mirrored == ("a",)
    assert done.passed == ("b", "c", "d")
    spread = _numbers(model.get_layer("y").kernel).std()
    assert 0.01 < spread < 0.1  # a twentieth of He's 0.71


def test_what_has_another_activation_draws_its_own():
    """Tanh is no rectifier."""
    inputs = keras.Input((5,))
    x = layers.Dense(40, "tanh", name="a", bias_initializer="ones")(inputs)
    model = keras.Model(inputs, layers.Dense(1, name="y")(x))
    done = restart(model)
    assert done.drawn == ("a", "y")
    layer = model.get_layer("a")
    np.testing.assert_array_equal(_numbers(layer.bias), 1.0)
    limit = np.sqrt(6 / 45)
    kernel = _numbers(layer.kernel)
    assert 0.8 * limit < np.abs(kernel).max() <= limit


def test_a_normalization_starts_anew():
    """Gamma 1, beta 0, mean 0, variance 1; the layer before draws its own."""
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, name="a", bias_initializer="ones"),
            layers.BatchNormalization(name="n"),
            layers.ReLU(),
            layers.Dense(1, name="y"),
        ]
    )
    for weight in model.get_layer("n").weights:
        weight.assign(np.full(weight.shape, 7.0))
    done = restart(model)
    assert done.drawn == ("a", "n", "y")
    values = [_numbers(weight)[0] for weight in model.get_layer("n").weights]
    assert values == [1.0, 0.0, 0.0, 1.0]
    np.testing.assert_array_equal(_numbers(model.get_layer("a").bias), 0.0)


def test_a_constant_kernel_makes_no_units():
    """He's weights where the author gave every unit the same."""
    inputs = keras.Input((5,))
    x = layers.Dense(5, kernel_initializer="zeros", name="a")(inputs)
    x = layers.Add()([layers.ReLU()(x), inputs])
    model = keras.Model(inputs, layers.Dense(1)(x))
    restart(model)
    assert np.ptp(_numbers(model.get_layer("a").kernel)) > 0.1


def test_branches_draw_their_own():
    """The signal has another way around them."""
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(inputs)
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="in0")(x)
    y = layers.Conv2D(4, 3, padding="same", name="in1")(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    gate = layers.Dense(4, activation="relu", name="squeeze")(
        layers.GlobalAveragePooling2D(keepdims=True)(x)
    )
    gate = layers.Dense(4, activation="sigmoid", name="excite")(gate)
    x = layers.Multiply()([x, gate])
    x = layers.Conv2D(4, 3, activation="relu", name="after")(x)
    model = keras.Model(inputs, layers.Dense(2, name="y")(layers.Flatten()(x)))
    done = restart(model)
    assert done.mirrored == ("stem", "after")  # a gated value is no rectified one
    assert done.passed == ()
    assert set(done.drawn) == {"in0", "in1", "squeeze", "excite", "y"}


def test_side_by_side_is_no_branch():
    """A concatenation of rectified units is one, and both sides pass."""
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="a")(inputs)
    left = layers.Conv2D(4, 3, padding="same", activation="relu", name="l")(x)
    right = layers.Conv2D(2, 1, activation="relu", name="r")(x)
    x = layers.Concatenate(axis=3)([left, right])
    x = layers.Conv2D(6, 1, activation="relu", name="b")(x)
    done = restart(keras.Model(inputs, layers.GlobalMaxPooling2D()(x)))
    assert set(done.passed) == {"l", "r", "b"}
    assert done.mirrored == ("a",)


def test_models_inside_models():
    """Roles look through the walls."""
    inner = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(8, activation="relu", name="d"),
            layers.Dense(8, name="e"),
        ],
        name="inner",
    )
    inputs = keras.Input((5,))
    x = layers.Dense(8, activation="relu", name="a")(inputs)
    x = layers.ReLU()(inner(x))
    model = keras.Model(inputs, layers.Dense(2, name="y")(x))
    done = restart(model, noise=0.0)
    assert done.mirrored == ("a",)
    assert done.passed == ("inner/d", "inner/e")
    np.testing.assert_array_equal(_numbers(inner.get_layer("e").kernel), np.eye(8))


def test_a_shared_layer_is_drawn_once():
    """Its roles differ from call to call, so it is neither."""
    shared = layers.Dense(5, activation="relu", name="shared")
    inputs = keras.Input((5,))
    x = shared(shared(inputs))
    model = keras.Model(inputs, layers.Dense(1, name="y")(x))
    done = restart(model)
    assert done.drawn == ("shared", "y")
    same = layers.Dense(5, activation="relu", name="same")
    x = same(same(layers.Dense(5, activation="relu", name="a")(inputs)))
    model = keras.Model(inputs, layers.Dense(1, name="y")(x))
    assert restart(model).passed == ("same",)


def test_what_nobody_may_change_is_kept():
    """Frozen layers, adapted statistics, constants of random numbers."""
    norm = layers.Normalization(name="norm")
    norm.adapt(_data((5,)) + 3.0)
    model = keras.Sequential(
        [
            keras.Input((5,)),
            norm,
            layers.Dense(4, activation="relu", name="frozen"),
            layers.Dropout(0.5, name="drop", seed=1),
            layers.Dense(4, activation="relu", name="a"),
            layers.Dense(1, name="y"),
        ]
    )
    model.get_layer("frozen").trainable = False
    before = {layer.name: list(map(_numbers, layer.weights)) for layer in model.layers}
    state = _numbers(model.get_layer("drop").seed_generator.state)
    done = restart(model)
    assert done.passed == ("a",)
    assert done.kept["frozen"] == "it is frozen"
    assert done.kept["norm"] == "nothing trains what it has"
    for name in ("norm", "frozen"):
        for old, new in zip(before[name], model.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(old, _numbers(new))
    after = _numbers(model.get_layer("drop").seed_generator.state)
    np.testing.assert_array_equal(after, state)


def test_lora_and_constraints():
    """LoRA's base stays; a constrained kernel starts as its layer says."""
    model = _mlp((8, 8), kernel_constraint=None)
    model.get_layer("h1").enable_lora(2)
    assert restart(model).kept["h1"] == "it has LoRA weights"
    model = _mlp((8, 8), kernel_constraint="non_neg")
    assert restart(model).drawn == ("h0", "h1", "y")


def test_the_optimizer_is_not_touched():
    model = _mlp()
    model.compile("adam", "mse")
    x = _data((5,))
    model.fit(x, x[:, :2], verbose=0)
    before = [_numbers(each) for each in model.optimizer.variables]
    restart(model)
    for old, new in zip(before, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, _numbers(new))


def test_the_seed_decides():
    """Same seed, same weights; another seed, others."""
    first, second, third = _mlp(), _mlp(), _mlp()
    restart(first, seed=4)
    restart(second, seed=4)
    restart(third, seed=5)
    for one, two, three in zip(
        first.weights, second.weights, third.weights, strict=True
    ):
        np.testing.assert_array_equal(_numbers(one), _numbers(two))
        if one.name == "kernel":
            assert np.abs(_numbers(one) - _numbers(three)).max() > 0.01


def test_every_backend_draws_these_numbers():
    """Written down once; the tests run on three backends."""
    model = _mlp((4, 4), inputs=3)
    restart(model, seed=1)
    kernel = _numbers(model.get_layer("h1").kernel)
    drawn = np.random.default_rng([1, 2]).normal(0.0, np.sqrt(0.5), (4, 4))
    expected = np.eye(4) + 0.3 * (drawn - drawn.mean(axis=0))
    np.testing.assert_allclose(kernel, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_small_floats(policy):
    """Weights keep their dtype."""
    model = _mlp(dtype=policy)
    kinds = [weight.dtype for weight in model.weights]
    restart(model)
    assert [weight.dtype for weight in model.weights] == kinds
    assert np.isfinite(_numbers(ops.cast(model(_data((5,))), "float32"))).all()


def test_other_layers_start_as_they_do():
    """Recurrent layers, embeddings, attention, slopes: each by its initializers."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8, name="words")(inputs)
    x = layers.MultiHeadAttention(2, 4, name="look")(x, x)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.LSTM(5, name="lstm")(x)
    x = layers.Dense(6, name="d")(x)
    x = layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), name="p")(x)
    model = keras.Model(inputs, layers.Dense(2, name="y")(x))
    before = {id(weight): _numbers(weight) for weight in model.weights}
    for weight in model.weights:
        weight.assign(np.full(weight.shape, 9.0))
    done = restart(model)
    assert dict(done.kept) == {}
    assert done.mirrored == ("d",)
    for weight in model.weights:
        old, new = before[id(weight)], _numbers(weight)
        assert np.isfinite(new).all()
        assert np.abs(new).max() < 3.0, weight.path
        if np.ptp(old) == 0 or weight.name == "bias":
            np.testing.assert_array_equal(new, old, err_msg=weight.path)
        elif weight.path.split("/")[-2] not in ("d", "y"):
            assert 0.6 < new.std() / old.std() < 1.6, weight.path
    recurrent = _numbers(model.get_layer("lstm").cell.recurrent_kernel)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(5), atol=1e-5)


def test_a_weight_without_an_initializer_is_kept():
    """Said by name, rather than guessed."""

    @keras.saving.register_keras_serializable("tests")
    class Scale(layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(name="factor", initializer="ones")

        def call(self, x):
            return self.factor * x

    inputs = keras.Input((5,))
    x = Scale(name="scale")(layers.Dense(4, name="a")(inputs))
    model = keras.Model(inputs, layers.Dense(1, name="y")(layers.ReLU()(x)))
    assert "factor" in restart(model).kept["scale"]


def test_errors():
    """What is no model, not built, or no number."""
    with pytest.raises(TypeError, match=r"keras\.Model"):
        restart("model.keras")
    with pytest.raises(ValueError, match="built"):
        restart(keras.Sequential([layers.Dense(2)]))
    with pytest.raises(ValueError, match="seed"):
        restart(_mlp(), seed=-1)
    with pytest.raises(ValueError, match="noise"):
        restart(_mlp(), noise=-0.1)

    class Own(keras.Model):
        pass

    with pytest.raises(errors.UnsupportedModelError):
        restart(Own())


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(recipes)
def test_random_graphs_start_finite(recipe):
    """Whatever the graph: nothing raises, and each weight is a number."""
    model = build(recipe)
    frozen = [weight.dtype for weight in model.weights]
    done = restart(model, seed=recipe["seed"])
    named = {*done.passed, *done.mirrored, *done.drawn, *done.kept}
    assert len(named) >= 1
    assert [weight.dtype for weight in model.weights] == frozen
    for weight in model.weights:
        assert np.isfinite(_numbers(weight)).all()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
    st.integers(1, 6),
    st.integers(0, 999),
)
def test_no_unit_of_a_chain_is_dead_at_its_start(widths, inputs, seed):
    """On normal data, in chains of any widths."""
    model = _mlp(tuple(widths), inputs)
    restart(model, seed=seed)
    x = _data((inputs,), 256)
    for layer in model.layers[:-1]:
        x = np.maximum(x @ _numbers(layer.kernel), 0.0)
        assert (x > 0).any(axis=0).all(), layer.name
