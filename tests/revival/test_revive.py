"""Reviving units: outputs bit-equal, weights new, slots clear."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers
from keras import ops

from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.revival import revive
from keras_rectifiers.revival.live_units import LiveWiring

KILL = -1e4


def _numbers(value):
    return np.array(ops.convert_to_numpy(value))


def _kill(model, path, units):
    """Make units silent by the bias or beta that stands nearest."""
    site = LiveWiring(model).sites[path]
    for role in ("beta", "bias"):
        for each in site.incoming:
            if each.part.role == role:
                value = _numbers(each.variable)
                value[each.part.mask(units, value.shape)] = KILL
                each.variable.assign(value)
                return True
    return False


def _mlp(width=8):
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(width, activation="relu", name="a"),
            layers.Dense(width, activation="relu", name="b"),
            layers.Dense(2, name="y"),
        ]
    )


def _data(model, samples=7):
    rng = np.random.default_rng(5)
    return rng.normal(size=(samples, *model.input_shape[1:])).astype("float32")


def test_dead_units_leave_outputs_bit_equal_and_live_again():
    """The rule of the whole: same outputs, and the unit fires."""
    model = _mlp()
    _kill(model, "a", [1, 4])
    x = _data(model)
    before = _numbers(model(x))

    done = revive(model, {"a": [1, 4]}, seed=1)

    assert done.units == {"a": (1, 4)}
    assert done.count == 2
    np.testing.assert_array_equal(_numbers(model(x)), before)
    assert diagnose(model, _data(model, 200)).layer("a").dead == 0
    kernel = _numbers(model.get_layer("b").kernel)
    assert not kernel[[1, 4]].any()
    assert kernel[[0, 2, 3]].all()


def test_only_the_entries_of_the_units_change():
    """What belongs to others keeps every bit."""
    model = _mlp()
    before = [_numbers(each) for each in model.weights]
    site = LiveWiring(model).sites["a"]

    revive(model, {"a": [2]}, seed=1)

    kept = {id(each.variable): each.part for each in (*site.incoming, *site.outgoing)}
    for variable, old in zip(model.weights, before, strict=True):
        part = kept.get(id(variable))
        mask = part.mask([2], old.shape) if part else np.zeros(old.shape, bool)
        np.testing.assert_array_equal(_numbers(variable)[~mask], old[~mask])
        if mask.any() and "kernel" in variable.path:
            assert (_numbers(variable)[mask] != old[mask]).all()


def test_whole_dead_layers_in_a_row_get_inputs_again():
    """A weight between two new units is drawn anew: the later one needs an input."""
    model = _mlp()
    for path in ("a", "b"):
        _kill(model, path, range(8))
    x = _data(model, 100)
    before = _numbers(model(x))

    revive(model, {path: np.arange(8) for path in ("a", "b")}, seed=1)

    np.testing.assert_array_equal(_numbers(model(x)), before)
    found = diagnose(model, x)
    # A new draw may be unlucky: positive inputs, and weights that are all negative.
    assert found.layer("a").dead + found.layer("b").dead <= 2
    assert found.layer("b").statistics.fired.sum() > 0


def test_same_seed_same_weights():
    """The draw depends on the seed alone."""
    drawn = []
    for seed in (1, 1, 2):
        model = _mlp()
        revive(model, {"a": [0]}, seed=seed)
        drawn.append(_numbers(model.get_layer("a").kernel))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0][:, 0] != drawn[2][:, 0]).any()


def test_new_weights_follow_the_layers_initializer():
    """A layer's own initializer draws; constants give way to Glorot's."""
    inputs = keras.Input((4,))
    x = layers.Dense(
        50, "relu", kernel_initializer=keras.initializers.RandomUniform(2, 3), name="a"
    )(inputs)
    x = layers.Dense(50, "relu", kernel_initializer="zeros", name="b")(x)
    model = keras.Model(inputs, layers.Dense(1)(x))

    revive(model, {"a": np.arange(50), "b": np.arange(50)})

    kernel = _numbers(model.get_layer("a").kernel)
    assert ((kernel >= 2) & (kernel <= 3)).all()
    assert len(np.unique(_numbers(model.get_layer("b").kernel))) > 50


@pytest.mark.parametrize("after", ["dense", "valid"])
def test_constant_of_a_later_normalization_goes_into_the_bias(after):
    """With normalization after the rectifier, a silent unit adds a constant."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="c")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    if after == "valid":
        x = layers.Conv2D(3, 2, name="next")(layers.MaxPooling2D()(x))
    x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    rng = np.random.default_rng(0)
    for each in model.get_layer("bn").weights:
        each.assign(rng.uniform(0.5, 1, each.shape))
    _kill(model, "c", [1, 2])
    x = _data(model)
    before = _numbers(model(x))

    left = revive(model, {"c": [1, 2]}, fold=False)
    assert "fold=False" in left.left["c"]
    np.testing.assert_array_equal(_numbers(model(x)), before)
    done = revive(model, {"c": [1, 2]})

    assert done.folded == ("c",)
    np.testing.assert_allclose(_numbers(model(x)), before, rtol=1e-4, atol=1e-5)
    assert diagnose(model, x).layer("c").dead == 0


def test_constant_at_padded_borders_is_refused():
    """Padding is not what a silent unit puts out, so no bias can stand for it."""
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="c")(inputs)
    x = layers.BatchNormalization(beta_initializer="ones")(x)
    model = keras.Model(inputs, layers.Conv2D(2, 3, padding="same")(x))

    done = revive(model, {"c": [0]})

    assert not done.units
    assert "no bias" in done.left["c"]


OPTIMIZERS = [
    name
    for name in (
        *("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax"),
        *("Nadam", "Ftrl", "Lion", "Lamb", "Adafactor", "Muon", "ScheduleFreeAdamW"),
    )
    if hasattr(keras.optimizers, name)
]


def _optimizer(name):
    extra = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9, "centered": True}}
    extra["Adam"] = {"amsgrad": True, "use_ema": True}
    return getattr(keras.optimizers, name)(0.01, **extra.get(name, {}))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_slots_of_exactly_these_entries_are_cleared(name):
    """Slots of other entries keep every bit; these start as a new optimizer's."""
    model = _mlp(4)
    model.compile(_optimizer(name), "mse")
    rng = np.random.default_rng(0)
    for _ in range(2):
        gradients = [
            ops.convert_to_tensor(rng.normal(size=each.shape), "float32")
            for each in model.trainable_variables
        ]
        model.optimizer.apply(gradients, model.trainable_variables)
    fresh = _optimizer(name)
    fresh.build(model.trainable_variables)
    started = [_numbers(each) for each in fresh.variables]
    before = [_numbers(each) for each in model.optimizer.variables]
    site = LiveWiring(model).sites["a"]
    parts = [(each.part, each.variable) for each in (*site.incoming, *site.outgoing)]

    revive(model, {"a": [1]})

    changed = 0
    for slot, old, start in zip(
        model.optimizer.variables, before, started, strict=True
    ):
        now = _numbers(slot)
        differs = now != old
        changed += differs.any()
        if differs.any():
            (mask,) = [
                part.mask([1], old.shape)
                for part, variable in parts
                if tuple(variable.shape) == old.shape
                and variable.path.replace("/", "_") in slot.path
            ]
            assert not differs[~mask].any()
            if "average" not in slot.path and name != "ScheduleFreeAdamW":
                np.testing.assert_array_equal(now[mask], start[mask])
    assert changed or name == "Adafactor"


def test_what_cannot_be_revived_is_said():
    """Residual sums, frozen and unknown layers, each with its reason."""
    inputs = keras.Input((4,))
    a = layers.Dense(4, "relu", name="a")(inputs)
    b = layers.Dense(4, "relu", name="b")(layers.Add()([a, inputs]))
    model = keras.Model(inputs, layers.Dense(1, trainable=False, name="y")(b))

    done = revive(model, {"a": [0], "b": [0]})

    assert "added" in done.left["a"]
    assert "frozen" in done.left["b"]
    with pytest.raises(KeyError, match="nothing"):
        revive(model, {"nothing": [0]})
    with pytest.raises(IndexError, match="0 to 7"):
        revive(_mlp(), {"a": [8]})


STEPS = (
    *("dense", "conv", "conv_bn", "conv_relu", "depthwise", "separable", "grouped"),
    *("transpose", "pool", "pad", "up", "dropout", "concat", "branch", "nested"),
    *("twice", "add", "einsum", "permute", "time", "norm"),
)


def _step(name, x, n):
    width = x.shape[-1]
    match name:
        case "dense":
            return layers.Dense(n, activation="relu")(x)
        case "conv":
            return layers.ReLU()(layers.Conv2D(n, 3, padding="same")(x))
        case "conv_bn":
            y = layers.Conv2D(n, 3, padding="same", use_bias=False)(x)
            return ops.relu(layers.BatchNormalization()(y))
        case "conv_relu":
            return layers.Conv2D(n, 2, padding="same", activation="relu")(x)
        case "depthwise":
            return layers.DepthwiseConv2D(
                3, padding="same", depth_multiplier=2, activation="relu"
            )(x)
        case "separable":
            return layers.SeparableConv2D(n, 3, padding="same", activation="relu")(x)
        case "grouped":
            return layers.Conv2D(2 * width, 1, groups=width, activation="relu")(x)
        case "transpose":
            return layers.Conv2DTranspose(n, 3, padding="same", activation="relu")(x)
        case "pool":
            return layers.MaxPooling2D(2, strides=1, padding="same")(x)
        case "pad":
            return layers.Cropping2D(1)(layers.ZeroPadding2D(1)(x))
        case "up":
            return layers.AveragePooling2D(2)(layers.UpSampling2D()(x))
        case "dropout":
            return layers.Dropout(0.5)(x)
        case "concat":
            return layers.Concatenate()([x, layers.Conv2D(n, 1, activation="relu")(x)])
        case "branch":
            y = layers.Conv2D(n, 1, activation="relu")(x)
            z = layers.GlobalAveragePooling2D(keepdims=True)(x)
            return layers.Concatenate()([y, layers.UpSampling2D(4)(z)])
        case "nested" | "twice":
            inner = keras.Sequential(
                [
                    keras.Input((4, 4, width)),
                    layers.Conv2D(n, 1),
                    layers.BatchNormalization(),
                    layers.ReLU(),
                    layers.Conv2D(width, 1, activation="relu"),
                ]
            )
            return inner(inner(x)) if name == "twice" else inner(x)
        case "add":
            return layers.Add()([x, layers.Conv2D(width, 1, activation="relu")(x)])
        case "einsum":
            return layers.EinsumDense(
                "abcd,de->abce", (4, 4, n), bias_axes="e", activation="relu"
            )(x)
        case "permute":
            return layers.Permute((2, 1, 3))(x)
        case "time":
            return layers.TimeDistributed(layers.Conv1D(n, 1, activation="relu"))(x)
        case "norm":
            return layers.ReLU()(layers.LayerNormalization()(x))
    raise AssertionError(name)


_graphs = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(2, 4)), min_size=2, max_size=6
)
_drawn = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@settings(_drawn, max_examples=8)
@given(_graphs, st.integers(0, 1000))
def test_random_graphs_stay_bit_equal(steps, seed):
    """On any graph: reviving silent units changes no bit of the outputs."""
    _check_random_graph(steps, seed)


@pytest.mark.slow
@settings(_drawn, max_examples=300)
@given(_graphs, st.integers(0, 1000))
def test_many_random_graphs_stay_bit_equal(steps, seed):
    """The same on many more."""
    _check_random_graph(steps, seed)


def _check_random_graph(steps, seed):
    """Reviving silent units of one graph changes no bit of its outputs."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    inputs = keras.Input((4, 4, 2))
    x = inputs
    for name, n in steps:
        x = _step(name, x, n)
    x = layers.Dense(3)(layers.Flatten()(x))
    model = keras.Model(inputs, x)
    for each in model.weights:
        value = rng.uniform(0.2, 1.0, each.shape)
        positive = "variance" in each.path
        each.assign(value if positive else value * rng.choice([-1, 1], each.shape))
    model.compile("sgd", "mse", run_eagerly=True)  # nothing to be compiled
    data = _data(model, 3)
    wiring = LiveWiring(model)
    for path, site in wiring.sites.items():
        _kill(model, path, rng.choice(site.units, rng.integers(1, site.units + 1)))
    found = diagnose(model, data, explain=False)
    silent = {
        path: np.flatnonzero(found.layer(path).verdicts == "dead")
        for path in wiring.sites
    }
    before = _numbers(model(data))

    done = revive(model, silent, seed=seed, wiring=wiring, fold=False)

    np.testing.assert_array_equal(_numbers(model(data)), before)
    assert done.count == sum(
        len(units) for path, units in silent.items() if path not in done.left
    )
