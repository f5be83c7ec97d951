"""Flat lists of weights: each array finds its layer, or the layer is named."""

import dataclasses
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.legacy.containers.hdf5_model import LayerWeights
from keras_rectifiers.legacy.dialects.modernize import Modern
from keras_rectifiers.legacy.dialects.registry import Was
from keras_rectifiers.legacy.weights.arrange import arrange
from keras_rectifiers.legacy.weights.write import write_archive


@dataclasses.dataclass(frozen=True, eq=False)
class Stored:
    """An array as a container has it."""

    name: str
    values: np.ndarray

    @property
    def shape(self):
        return self.values.shape

    @property
    def dtype(self):
        return self.values.dtype

    def read(self):
        return self.values


def _randomize(model, rng):
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])


def _document(model, path):
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def _listed(path):
    """What an `.h5` file lists by layer of the top model."""
    found = {}
    with h5py.File(path) as file:
        weights = file["model_weights"]
        for layer in weights.attrs["layer_names"]:
            group = weights[layer]
            found[layer] = [
                Stored(f"{layer}/{name}", group[name][()])
                for name in group.attrs["weight_names"]
            ]
    return found


def _written(document, placed, tmp_path):
    write_archive(tmp_path / "new.keras", document, placed)
    return keras.models.load_model(tmp_path / "new.keras")


def _equal(old, new, rng):
    """Both models compute the same, on inputs of the old model's shapes."""
    inputs = [rng.normal(size=(2, *each.shape[1:])) for each in old.inputs]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    expected = np.asarray(old(inputs))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(new(inputs)), expected, rtol=1e-4, atol=1e-5
    )


def _block(library, name, *, frozen=()):
    """Dense, BatchNormalization, Dense: trainable weights around the others."""
    layers = library.layers
    inner = [
        layers.Dense(4, name=f"{name}_in"),
        layers.BatchNormalization(name=f"{name}_norm"),
        layers.Dense(4, name=f"{name}_out"),
    ]
    for number in frozen:
        inner[number].trainable = False
    x = inputs = library.Input((4,))
    for layer in inner:
        x = layer(x)
    return library.Model(inputs, x, name=name)


def _plain(library):
    block = _block(library, "block")
    x = inputs = library.Input((4,))
    x = block(x)
    x = library.layers.BatchNormalization(name="norm")(x)
    return library.Model(inputs, x)


def _deep(library):
    inner = _block(library, "inner", frozen=[0])
    x = inputs = library.Input((4,))
    x = library.layers.BatchNormalization(name="before")(x)
    x = inner(x)
    x = library.layers.Dense(4, name="after")(x)
    middle = library.Model(inputs, x, name="middle")
    x = top = library.Input((4,))
    return library.Model(top, middle(x))


def _frozen_layers(library):
    x = inputs = library.Input((4,))
    x = _block(library, "first", frozen=[0])(x)
    x = _block(library, "second", frozen=[1])(x)
    x = _block(library, "third", frozen=[0, 2])(x)
    return library.Model(inputs, x)


def _frozen_models(library):
    first, second = _block(library, "first"), _block(library, "second")
    first.trainable = False
    x = inputs = library.Input((4,))
    both = library.Model(inputs, second(first(x)), name="both")
    x = top = library.Input((4,))
    return library.Model(top, both(x))


def _wrapped(library, *, frozen):
    layers = library.layers
    x = inputs = library.Input((3, 4))
    wrapper = layers.TimeDistributed(_block(library, "block"), name="wrapper")
    x = wrapper(x)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both")(x)
    x = layers.Bidirectional(
        layers.GRU(2, name="there"),
        backward_layer=layers.GRU(2, go_backwards=True, name="back"),
        name="ways",
    )(x)
    model = library.Model(inputs, x)
    wrapper.trainable = not frozen
    return model


def _sequential(library):
    layers = library.layers
    inner = library.Sequential(
        [
            library.Input((4,)),
            layers.Dense(4, name="dense_1"),
            layers.BatchNormalization(name="norm_1"),
        ],
        name="inner",
    )
    return library.Sequential(
        [
            library.Input((4,)),
            inner,
            layers.Dense(4, name="dense_1"),
            layers.BatchNormalization(name="norm_1"),
        ]
    )


MODELS = {
    "plain": _plain,
    "deep": _deep,
    "frozen layers": _frozen_layers,
    "frozen models": _frozen_models,
    "wrapped": lambda library: _wrapped(library, frozen=False),
    "wrapped and frozen": lambda library: _wrapped(library, frozen=True),
    "sequential": _sequential,
}


@pytest.mark.parametrize("name", MODELS)
def test_lists_of_keras_2_are_shared_out(name, tmp_path, rng):
    tf_keras = pytest.importorskip("tf_keras")
    old, new = MODELS[name](tf_keras), MODELS[name](keras)
    _randomize(old, rng)
    old.save(tmp_path / "old.h5")
    document = _document(new, tmp_path / "empty.keras")
    stored = _listed(tmp_path / "old.h5")
    placed = arrange(Modern(document, (), {}), LayerWeights(stored))
    assert len(placed) == sum(map(len, stored.values())) == len(old.weights)
    _equal(old, _written(document, placed, tmp_path), rng)


@pytest.mark.parametrize("name", ["frozen models", "wrapped"])
def test_flags_that_the_config_does_not_state(name, tmp_path, rng):
    """Keras 2.0 to 2.3 stored lists by flags that its configs left out."""
    tf_keras = pytest.importorskip("tf_keras")
    old, new = MODELS[name](tf_keras), MODELS[name](keras)
    _randomize(old, rng)
    old.save(tmp_path / "old.h5")
    document = _document(new, tmp_path / "empty.keras")
    text = json.dumps(document).replace('"trainable": false', '"trainable": true')
    placed = arrange(
        Modern(json.loads(text), (), {}), LayerWeights(_listed(tmp_path / "old.h5"))
    )
    _equal(old, _written(document, placed, tmp_path), rng)


def _dense(tmp_path, *, names=("one", "two"), shape=(4, 4)):
    """Two Dense layers in a nested model called `block`, and their arrays."""
    x = inputs = keras.Input((4,))
    for name in names:
        x = keras.layers.Dense(4, name=name)(x)
    block = keras.Model(inputs, x, name="block")
    top = keras.Input((4,))
    document = _document(keras.Model(top, block(top)), tmp_path / "empty.keras")
    arrays = []
    for number, name in enumerate(names):
        kernel = np.full(shape, number, "float32")
        arrays.append(Stored(f"block/{name}/kernel:0", kernel))
        bias = np.full(4, number, "float32")
        arrays.append(Stored(f"block/{name}/bias:0", bias))
    return document, arrays


def _arrange(document, stored, was=None):
    return arrange(Modern(document, (), was or {}), LayerWeights(stored))


def _by_layer(placed):
    return {(each.layer, each.variable.name): each.read().flat[0] for each in placed}


EXPECTED = {
    ("block/one", "kernel"): 0,
    ("block/one", "bias"): 0,
    ("block/two", "kernel"): 1,
    ("block/two", "bias"): 1,
}


def test_names_decide_where_the_order_is_another(tmp_path):
    document, (a, b, c, d) = _dense(tmp_path)
    for order in ([a, b, c, d], [a, c, b, d], [d, c, b, a]):
        assert _by_layer(_arrange(document, {"block": order})) == EXPECTED


def test_names_that_say_nothing_leave_the_order(tmp_path):
    document, arrays = _dense(tmp_path)
    arrays = [
        Stored(f"block/param_{number}", each.values)
        for number, each in enumerate(arrays)
    ]
    assert _by_layer(_arrange(document, {"block": arrays})) == EXPECTED


def test_an_order_against_the_names_is_refused(tmp_path):
    document, (a, b, c, d) = _dense(tmp_path)
    nameless = [
        Stored(f"block/{each.name.rsplit('/', 1)[1]}", each.values)
        for each in (b, a, c, d)
    ]
    with pytest.raises(ArchiveError, match=r"'block', where kernel .* are expected"):
        _arrange(document, {"block": nameless})


def test_keras_1_lists_the_layers_of_a_nested_model_by_their_own_names(tmp_path):
    document, (a, b, c, d) = _dense(tmp_path)
    stored = {"one": [a, b], "two": [c, d], "block": []}
    assert _by_layer(_arrange(document, stored)) == EXPECTED


def test_old_names_lead_to_renamed_layers(tmp_path):
    document, arrays = _dense(tmp_path)
    old = [Stored(each.name.replace("one", "a/b"), each.values) for each in arrays]
    was = {
        ("block",): Was(("top/block",), "Model"),
        ("block", "one"): Was(("top/block", "a/b"), "Dense"),
        ("block", "two"): Was(("top/block", "two"), "Dense"),
    }
    assert _by_layer(_arrange(document, {"top/block": old}, was)) == EXPECTED


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda stored: stored.pop("block"), r"no arrays for 'block/one' \(Dense\)"),
        (lambda stored: stored["block"].pop(), "3 arrays .* for 'block', where"),
        (lambda stored: stored["block"].append(stored["block"][0]), "5 arrays"),
        (
            lambda stored: stored.update(other=[stored["block"][0]]),
            r"1 array \('block/one/kernel:0' \(4, 4\)\) for 'other'",
        ),
        (
            lambda stored: stored.update(
                top_level_model_weights=[Stored("x:0", np.zeros(2))]
            ),
            "'top_level_model_weights'",
        ),
        (
            lambda stored: stored["block"].__setitem__(
                0, Stored("block/one/kernel:0", np.zeros((4, 5)))
            ),
            r"'block/one' \(Dense\), where kernel \(in, 4\), bias \(4\) are",
        ),
        (
            lambda stored: stored["block"].__setitem__(
                0, Stored("block/one/kernel:0", np.zeros((1, 4, 4)))
            ),
            r"\(1, 4, 4\).* for 'block/one' \(Dense\)",
        ),
    ],
    ids=["none", "too few", "too many", "foreign", "top", "shape", "rank"],
)
def test_what_does_not_fit_is_refused_by_the_layer_s_name(change, told, tmp_path):
    document, arrays = _dense(tmp_path)
    stored = {"block": arrays}
    change(stored)
    with pytest.raises(ArchiveError, match=told):
        _arrange(document, stored)


def test_axes_must_agree_within_a_layer(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.BatchNormalization(name="norm")]
    )
    document = _document(model, tmp_path / "empty.keras")
    names = ["gamma", "beta", "moving_mean", "moving_variance"]
    lengths = [4, 4, 4, 5]
    stored = [
        Stored(f"norm/{name}:0", np.zeros(length))
        for name, length in zip(names, lengths, strict=True)
    ]
    with pytest.raises(ArchiveError, match=r"'norm' \(BatchNormalization\)"):
        _arrange(document, {"norm": stored})


def _shared(tmp_path):
    """One Dense layer in the top model and, once more, in a nested one."""
    dense = keras.layers.Dense(4, name="dense")
    x = inputs = keras.Input((4,))
    block = keras.Model(inputs, dense(x), name="block")
    top = keras.Input((4,))
    document = _document(keras.Model(top, dense(block(top))), tmp_path / "empty.keras")
    for layer in document["config"]["layers"]:
        layer["shared_object_id"] = {"dense": 7}.get(layer["name"])
        for inner in layer["config"].get("layers", []):
            inner["shared_object_id"] = {"dense": 7}.get(inner["name"])
    kernel, bias = np.eye(4, dtype="float32"), np.arange(4, dtype="float32")

    def listed():
        return [Stored("dense/kernel:0", kernel), Stored("dense/bias:0", bias)]

    return document, listed


def test_a_shared_layer_is_stored_for_each_model_that_has_it(tmp_path):
    document, listed = _shared(tmp_path)
    placed = _arrange(document, {"block": listed(), "dense": listed()})
    assert [each.variable.name for each in placed] == ["kernel", "bias"]


def test_a_shared_layer_has_one_set_of_weights(tmp_path):
    document, listed = _shared(tmp_path)
    other = [*listed()[:1], Stored("dense/bias:0", np.zeros(4, "float32"))]
    with pytest.raises(ArchiveError, match=r"different sets for '(block/)?dense'"):
        _arrange(document, {"block": listed(), "dense": other})


@keras.saving.register_keras_serializable(package="test_arrange")
class Scaled(keras.layers.Layer):
    """A layer of the user, with weights of its own."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")
        self.shift = self.add_weight(shape=(), name="shift", trainable=False)

    def call(self, x):
        return x * self.scale + self.shift


def test_the_own_weights_of_a_custom_layer_are_numbered(tmp_path, rng):
    layers = [keras.layers.Dense(4, name="in"), Scaled(name="mine")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="model")
    _randomize(model, rng)
    document = _document(model, tmp_path / "empty.keras")
    values = model.get_weights()
    stored = {
        "in": [Stored("in/in/kernel:0", values[0]), Stored("in/in/bias:0", values[1])],
        "mine": [Stored("mine/mine/scale:0", values[2]), Stored("mine/x:0", values[3])],
    }
    placed = _arrange(document, stored)
    assert [each.group[-2:] for each in placed[2:]] == [("vars", "0"), ("vars", "1")]
    new = _written(document, placed, tmp_path)
    for mine, theirs in zip(new.get_weights(), values, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_custom_layer_inside_a_model_is_found_by_its_name(tmp_path):
    x = inputs = keras.Input((4,))
    x = keras.layers.Dense(4, name="in")(x)
    block = keras.Model(inputs, Scaled(name="mine")(x), name="block")
    top = keras.Input((4,))
    document = _document(keras.Model(top, block(top)), tmp_path / "empty.keras")
    stored = [
        Stored("block/in/kernel:0", np.zeros((4, 4))),
        Stored("block/in/bias:0", np.zeros(4)),
        Stored("block/mine/scale:0", np.ones(4)),
        Stored("block/mine/shift:0", np.ones(())),
    ]
    placed = _arrange(document, {"block": stored})
    mine = [each for each in placed if each.layer == "block/mine"]
    assert [each.array for each in mine] == stored[2:]


def test_layers_inside_a_custom_layer_cannot_be_placed(tmp_path):
    model = keras.Sequential([keras.Input((4,)), Scaled(name="mine")])
    document = _document(model, tmp_path / "empty.keras")
    stored = [Stored("mine/mine/dense/kernel:0", np.zeros((4, 4)))]
    with pytest.raises(
        UnsupportedModelError, match="'mine', a test_arrange>Scaled that contains"
    ):
        _arrange(document, {"mine": stored})


def test_states_of_random_generators_are_no_weights(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            keras.layers.RandomFlip(name="flip"),
            keras.layers.Conv2D(2, 1, name="conv"),
        ]
    )
    document = _document(model, tmp_path / "empty.keras")
    stored = {
        "flip": [Stored("flip/flip/StateVar:0", np.zeros(3, "int64"))],
        "conv": [
            Stored("conv/conv/kernel:0", np.zeros((1, 1, 3, 2))),
            Stored("conv/conv/bias:0", np.zeros(2)),
        ],
    }
    assert len(_arrange(document, stored)) == 2
    stored["flip"][0] = Stored("flip/flip/kernel:0", np.zeros(3))
    with pytest.raises(ArchiveError, match="for 'flip'"):
        _arrange(document, stored)


def test_a_conversion_makes_what_the_layer_wants(tmp_path, rng):
    x = inputs = keras.Input((3, 4))
    x = keras.layers.Bidirectional(keras.layers.LSTM(2, name="lstm"), name="both")(x)
    document = _document(keras.Model(inputs, x), tmp_path / "empty.keras")
    names = ("both", "forward_lstm"), ("both", "backward_lstm")
    was = {name: Was(name, "CuDNNLSTM", "cudnn_lstm") for name in names}
    shapes = {"kernel": (4, 8), "recurrent_kernel": (2, 8), "bias": (16,)}
    stored = [
        Stored(f"both/{layer}/{name}:0", rng.normal(size=shape).astype("float32"))
        for _, layer in names
        for name, shape in shapes.items()
    ]
    placed = _arrange(document, {"both": stored}, was)
    assert [each.shape for each in placed] == [(4, 8), (2, 8), (8,)] * 2
    ways = [each.group[2] for each in placed]
    assert ways == ["forward_layer"] * 3 + ["backward_layer"] * 3
    wrong = Stored("both/forward_lstm/bias:0", np.zeros(8))
    with pytest.raises(ArchiveError, match=r"'both/forward_lstm' \(CuDNNLSTM\)"):
        _arrange(document, {"both": [*stored[:2], wrong, *stored[3:]]}, was)


def test_both_directions_have_cells_of_their_own(tmp_path, rng):
    """A SavedModel numbers the one cell that it states; there are two."""
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    rnn = layers.RNN([layers.LSTMCell(2, name="a"), layers.GRUCell(3, name="b")])
    old = tf_keras.Sequential([tf_keras.Input((3, 4)), layers.Bidirectional(rnn)])
    _randomize(old, rng)
    old.save(tmp_path / "old")
    upgrade_file(tmp_path / "old", tmp_path / "new.keras")
    new = keras.models.load_model(tmp_path / "new.keras")
    assert len(new.weights) == len(old.weights)
    _equal(old, new, rng)


@pytest.mark.parametrize("units", ["many", None, {"a": 1}])
def test_a_config_that_tells_nothing_is_named(units, tmp_path):
    model = keras.Sequential([keras.Input((3, 4)), keras.layers.LSTM(2, name="lstm")])
    document = _document(model, tmp_path / "empty.keras")
    document["config"]["layers"][1]["config"]["units"] = units
    with pytest.raises(ArchiveError, match=r"'lstm' \(LSTM\), whose config does not"):
        _arrange(document, {"lstm": []})
