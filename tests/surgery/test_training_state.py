"""An optimizer's state is kept exactly, or dropped with one line; never in the way."""

import functools
import io
import json
import tempfile
import warnings
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_rectifiers
import keras_rectifiers.layers
from keras_rectifiers import fold_file
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery import weights_file
from keras_rectifiers.surgery.trained import trained
from tests.backends import some_by_default
from tests.surgery.archives import CONFIG
from tests.surgery.archives import WEIGHTS
from tests.surgery.archives import pack
from tests.surgery.archives import read

_RANDOM = np.random.default_rng(0)
X = _RANDOM.normal(size=(12, 6)).astype("float32")
Y = _RANDOM.normal(size=(12, 2)).astype("float32")
_CASES = Path(__file__).parents[2].parent / "shared" / "cases"


@keras.saving.register_keras_serializable(package="elsewhere")
class Ranger(keras.optimizers.Optimizer):
    """An optimizer of another package, with slots in an order of its own."""

    def build(self, variables):
        super().build(variables)
        self.slow = self.add_optimizer_variables(variables, "slow")

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, gradient * ops.cast(learning_rate, variable.dtype))


@keras.saving.register_keras_serializable(package="elsewhere")
class Counted(layers.Layer):
    """A layer of another package: a weight that is trained, and one that is not."""

    def build(self, shape):
        self.seen = self.add_weight(shape=(shape[-1],), trainable=False, name="seen")
        self.gain = self.add_weight(shape=(shape[-1],), name="gain")

    def call(self, inputs):
        return inputs * (1.0 + self.gain)


def _sequential(*more, units=(8, 8)):
    keras.utils.set_random_seed(1)
    dense = [
        layers.Dense(count, "relu", name=name)
        for name, count in zip("ab", units, strict=True)
    ]
    head = layers.Dense(2, name="c")
    return keras.Sequential([keras.Input((6,)), *more, *dense, head])


def _fit(model, optimizer):
    loss = keras.losses.MeanSquaredError()
    model.compile(optimizer, loss, run_eagerly=True)
    model.fit(X, Y, batch_size=6, shuffle=False, verbose=0)
    return model


def _adam():
    return keras.optimizers.Adam(0.01)


# Kinds of state that cannot be kept.


def _unnamed(path):
    model = _fit(_sequential(), _adam())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path.with_suffix(".h5"))  # takes the optimizer from the config
    model.save(path)


def _built_while_frozen(path):
    model = _sequential()
    model.get_layer("a").trainable = False
    _fit(model, _adam())
    model.get_layer("a").trainable = True
    model.save(path)


def _frozen_since(path):
    model = _fit(_sequential(), _adam())
    model.get_layer("b").trainable = False
    model.save(path)


def _of_another_package(path):
    _fit(_sequential(), Ranger(0.01)).save(path)


def _of_several_optimizers(path):
    parts = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.01))
    _fit(_sequential(), keras.optimizers.MultiOptimizer(parts)).save(path)


def _of_another_form(path):
    _fit(_sequential(), _adam()).save(path)
    _edit_weights(path, lambda file: file["optimizer/vars"].move("5", "50"))


def _of_other_shapes(path):
    def edit(file):
        del file["optimizer/vars/4"]
        file["optimizer/vars/4"] = np.zeros((3,), "float32")

    _fit(_sequential(), _adam()).save(path)
    _edit_weights(path, edit)


DROPPED = {
    "unnamed": (_unnamed, "the file does not name it.*RMSprop"),
    "built while a layer was frozen": (
        _built_while_frozen,
        "Adam.*it has 10 variables, but Adam has 14 for the 6 trainable",
    ),
    "a layer was frozen since": (_frozen_since, "14 variables, but Adam has 10"),
    "another package's": (_of_another_package, "elsewhere>Ranger.*unknown"),
    "several optimizers": (_of_several_optimizers, "MultiOptimizer.*unknown"),
    "another form": (_of_another_form, "Adam.*not numbered"),
    "other shapes": (_of_other_shapes, "Adam.*other shapes"),
}
#: Keras says that it starts anew where it does not find so many variables.
_WARNED = {"another package's", "several optimizers"}


# Kinds of state that are kept.


def _with(optimizer, *more):
    return lambda path: _fit(_sequential(*more), optimizer()).save(path)


def _named(name):
    """As Keras 3.0 to 3.3 write it: the name that `compile` was given."""

    def save(path):
        _fit(_sequential(), name).save(path)
        _edit_config(path, lambda config: config.update(optimizer=name))

    return save


def _unnamed_default(path):
    model = _fit(_sequential(), "rmsprop")
    model.save(path)
    _edit_config(path, lambda config: config.pop("optimizer"))


def _lora(path):
    model = _sequential()
    model.get_layer("a").enable_lora(2)
    _fit(model, _adam()).save(path)


def _normalized(path):
    first = layers.Normalization()
    first.adapt(X)
    _fit(_sequential(first), _adam()).save(path)


def _nested(path):
    """Inner layers train although the model around them has the flag not to."""
    keras.utils.set_random_seed(1)
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, "relu", name="i")])
    inner.trainable = False
    inner.layers[0].trainable = True
    inputs = keras.Input((6,))
    outputs = layers.Dense(2)(layers.Dense(5, "relu", name="o")(inner(inputs)))
    _fit(keras.Model(inputs, outputs), _adam()).save(path)


def _quantized(path):
    model = _sequential()
    model.get_layer("a").quantize("int8")
    _fit(model, _adam()).save(path)


def _muon_of_embeddings(path):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,))
    x = layers.Dense(4, "relu", name="embedding_like")(inputs)
    x = layers.Dense(4, "relu", name="left_out")(x)
    x = layers.Dense(4, "relu", name="plain")(x)
    optimizer = keras.optimizers.Muon(0.01, exclude_layers=["left_out"])
    _fit(keras.Model(inputs, layers.Dense(2)(x)), optimizer).save(path)


KEPT = {
    **{
        f"{name} by name": _named(name)
        for name in ("adam", "SGD", "rmsprop", "adagrad", "ftrl", "adafactor", "Muon")
    },
    "unnamed, of the default": _unnamed_default,
    "LoRA": _lora,
    "Normalization": _normalized,
    "int8": _quantized,
    "nested and frozen": _nested,
    "another package's layer": _with(_adam, Counted()),
    "Adafactor": _with(lambda: keras.optimizers.Adafactor(0.01)),
    "Muon": _with(lambda: keras.optimizers.Muon(0.01)),
    "Muon of embeddings": _muon_of_embeddings,
    "SGD without momentum": _with(lambda: keras.optimizers.SGD(0.01)),
    "average and accumulation": _with(
        lambda: keras.optimizers.Lion(0.01, use_ema=True, gradient_accumulation_steps=2)
    ),
    "scaled loss": _with(lambda: keras.optimizers.LossScaleOptimizer(_adam())),
}
#: Those that are trained on by default; the others have the same ways.
_FAST = (
    "adam by name",
    "SGD by name",
    "unnamed, of the default",
    "LoRA",
    "int8",
    "nested and frozen",
    "Muon",
    "scaled loss",
)
_MAKE = {**KEPT, **{name: make for name, (make, _) in DROPPED.items()}}


@functools.cache
def _members(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.keras")
        _MAKE[name](path)
        return read(path)


@pytest.fixture
def file(tmp_path):
    """Write a file with a kind of state; give its path."""
    return lambda name: pack(tmp_path / "state.keras", _members(name))


def _edit_weights(path, edit):
    members = read(path)
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        edit(file)
    pack(path, members | {WEIGHTS: buffer.getvalue()})


def _edit_config(path, edit):
    members = read(path)
    config = json.loads(members[CONFIG])
    edit(config["compile_config"])
    pack(path, members | {CONFIG: json.dumps(config)})


def _load(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = keras.saving.load_model(path)
    said = [str(each.message) for each in caught]
    return model, [each for each in said if "Skipping variable loading" in each]


def _losses(model):
    """The losses of three further steps, in which every slope is held at 0."""
    for variable in model.trainable_variables:
        if variable.name == "alpha":
            variable.constraint = lambda value: ops.convert_to_tensor(value) * 0.0
    model.run_eagerly = True
    history = model.fit(X, Y, batch_size=12, epochs=3, shuffle=False, verbose=0)
    return history.history["loss"]


@pytest.mark.parametrize("name", some_by_default(KEPT, _FAST))
def test_a_state_is_kept_exactly(name, file, tmp_path):
    """Training goes on from the file as from the original, to the last bit."""
    source, target = file(name), tmp_path / "new.keras"

    made = keras_rectifiers.convert_file(source, target, keep_training_state=True)

    (before, warned), (after, said) = _load(source), _load(target)
    assert made.repairs == ()
    assert made.parameters
    assert said == warned == []
    assert int(after.optimizer.iterations) == int(before.optimizer.iterations) > 0
    np.testing.assert_array_equal(after(X), before(X))
    assert _losses(after) == _losses(before)


@pytest.mark.parametrize("name", DROPPED)
def test_a_state_that_cannot_be_kept_is_dropped_in_one_line(name, file, tmp_path):
    """The weights arrive, Keras opens the file, and the plan says what is dropped."""
    source, target = file(name), tmp_path / "new.keras"
    planned = keras_rectifiers.plan(source)

    made = keras_rectifiers.convert_file(source, target)

    assert made == planned == type(made).from_json(made.to_json())
    (repair,) = made.repairs
    assert repair.rule == "optimizer state"
    assert repair.caution
    with pytest.raises(AssertionError, match=DROPPED[name][1]):
        raise AssertionError(repair.text)
    after, said = _load(target)
    assert bool(said) == (name in _WARNED)
    assert int(after.optimizer.iterations) == 0
    before = keras.saving.load_model(source, compile=False)
    np.testing.assert_array_equal(after(X), before(X))
    after.fit(X, Y, verbose=0)


@pytest.mark.parametrize("name", DROPPED)
def test_a_state_that_must_be_kept_is_an_error(name, file, tmp_path):
    """Nothing is written, and the sentence says why, and what to do."""
    source, target = file(name), tmp_path / "new.keras"

    with pytest.raises(UnsupportedModelError, match=DROPPED[name][1]) as caught:
        keras_rectifiers.convert_file(source, target, keep_training_state=True)

    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert not target.exists()


@pytest.mark.parametrize("name", _MAKE)
def test_without_new_weights_any_state_stays_as_it_is(name, file, tmp_path):
    """Leaky ReLU needs no weights: not a byte of them changes, nothing is dropped."""
    source, target = file(name), tmp_path / "new.keras"

    made = keras_rectifiers.convert_file(
        source, target, "leaky_relu", negative_slope=0, keep_training_state=True
    )

    assert made.repairs == ()
    assert read(target)[WEIGHTS] == read(source)[WEIGHTS]


def test_slopes_that_do_not_learn_touch_no_state(file, tmp_path):
    """A PReLU that is frozen has no slots, so that any optimizer keeps its state."""
    source, target = file("another package's"), tmp_path / "new.keras"

    made = keras_rectifiers.convert_file(source, target, trainable=False)

    after, said = _load(target)
    assert (made.repairs, said) == ((), [])
    assert int(after.optimizer.iterations) == 2


def test_a_plan_from_elsewhere_learns_what_this_file_leaves(file, tmp_path):
    """The plan that comes back is the one that was carried out."""
    plan = keras_rectifiers.plan(file("adam by name"))
    source = file("unnamed")

    made = keras_rectifiers.convert_file(source, tmp_path / "new.keras", plan)

    assert plan.repairs == ()
    assert made.steps == plan.steps
    assert [each.rule for each in made.repairs] == ["optimizer state"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_packed_file_is_planned_alike(compression, tmp_path):
    """The plan reads the weights file whether it is packed or not."""
    path = pack(tmp_path / "a.keras", _members("unnamed"), compression)

    assert len(keras_rectifiers.plan(path).repairs) == 1


def test_a_fold_says_what_it_drops(file, tmp_path):
    """Slopes that go away take their slots along, or the state cannot stay."""
    source, slopes = file("adam by name"), tmp_path / "slopes.keras"
    keras_rectifiers.convert_file(source, slopes)
    _edit_config(slopes, lambda config: config.pop("optimizer"))

    result = fold_file(slopes, tmp_path / "folded.keras")

    assert "state of an optimizer dropped" in str(result)
    assert result.summary()["repairs"][0]["rule"] == "optimizer state"
    _, said = _load(tmp_path / "folded.keras")
    assert said == []
    with pytest.raises(UnsupportedModelError, match="must be kept"):
        fold_file(slopes, tmp_path / "kept.keras", keep_training_state=True)


def test_a_fold_keeps_a_state(file, tmp_path):
    """Forth and back, the file is what it was: every array, every slot."""
    source, slopes = file("Muon"), tmp_path / "slopes.keras"
    folded = tmp_path / "folded.keras"
    keras_rectifiers.convert_file(source, slopes)

    fold_file(slopes, folded, keep_training_state=True)

    (before, _), (after, said) = _load(source), _load(folded)
    assert said == []
    for ours, theirs in zip(
        after.optimizer.variables, before.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_an_uncompiled_file_has_no_state_to_lose(file, tmp_path):
    """Keras takes no state without a compile config, so there is nothing to say."""
    source = file("unnamed")
    members = read(source)
    config = json.loads(members[CONFIG]) | {"compile_config": {}}
    pack(source, members | {CONFIG: json.dumps(config)})

    made = keras_rectifiers.convert_file(source, tmp_path / "new.keras")

    assert made.repairs == ()
    assert _load(tmp_path / "new.keras")[0].built


def test_a_mistake_of_this_package_is_not_called_damage(file, tmp_path, monkeypatch):
    """Whoever reads "damaged" looks for another copy, which would not help."""
    source = file("adam by name")

    def fail(*args):
        return None.missing

    monkeypatch.setattr(weights_file, "_add", fail)

    with pytest.raises(AttributeError):
        keras_rectifiers.convert_file(source, tmp_path / "new.keras")

    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def _flagged():
    """A model of many kinds of layer, built and saved."""
    inner = keras.Input((6,))
    functional = keras.Model(inner, layers.Dense(6, name="fd")(inner), name="func")
    sequential = keras.Sequential(
        [keras.Input((6,)), layers.Dense(6, name="sd"), layers.BatchNormalization()],
        name="seq",
    )
    inputs = keras.Input((6,))
    slopes = keras_rectifiers.layers.PReLU(name="slopes")
    x = layers.Dense(6, activation=slopes, name="act")(sequential(functional(inputs)))
    x = layers.Reshape((2, 3))(x)
    x = layers.TimeDistributed(layers.Dense(3, name="tdd"), name="td")(x)
    x = layers.Bidirectional(layers.LSTM(2), name="bi")(x)
    x = layers.RepeatVector(3)(x)
    x = layers.MultiHeadAttention(1, 2, name="mha")(x, x)
    x = layers.SpectralNormalization(layers.Dense(3, name="snd"), name="sn")(x)
    x = layers.RNN([layers.GRUCell(2, name="c1"), layers.LSTMCell(2)], name="rnn")(x)
    model = keras.Model(inputs, layers.Dense(2, name="head")(x), name="whole")
    model(X)
    return model


@functools.cache
def _flagged_members():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "flags.keras")
        _flagged().save(path)
        return read(path)


def _freeze(entry, name):
    if isinstance(entry, list):
        for each in entry:
            _freeze(each, name)
    elif isinstance(entry, dict):
        config = entry.get("config")
        named = "class_name" in entry and isinstance(config, dict)
        if named and config.get("name") == name:
            config["trainable"] = False
        for each in entry.values():
            _freeze(each, name)


@pytest.mark.parametrize(
    "name",
    [
        *("nothing", "func", "fd", "seq", "sd", "act", "slopes", "td", "tdd", "bi"),
        *("forward_lstm", "mha", "sn", "snd", "rnn", "c1", "head", "whole"),
    ],
)
def test_what_is_trained_is_what_keras_trains(name, tmp_path):
    """Flags of layers, and of models and wrappers around them, as Keras reads them."""
    members = dict(_flagged_members())
    document = json.loads(members[CONFIG])
    _freeze(document, name)
    path = pack(tmp_path / "a.keras", members | {CONFIG: json.dumps(document)})

    model = keras.saving.load_model(path)

    with h5py.File(io.BytesIO(members[WEIGHTS])) as file:
        found = trained(document, weights_file.arrays_of(file))
    assert all(group.sure for group in found)
    shapes = [each.shape for group in found for each in group.variables]
    assert shapes == [tuple(each.shape) for each in model.trainable_variables]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("optimizer_by_name", True),
        ("state_of_fewer_variables", False),
        ("state_of_no_named_optimizer", False),
    ],
)
def test_files_of_others_are_converted(name, kept, tmp_path):
    """Small twins of published files that were refused for their optimizer."""
    source, target = _CASES / f"{name}.keras", tmp_path / "new.keras"
    if not source.exists():
        pytest.skip("no shared cases here")

    made = keras_rectifiers.convert_file(source, target)

    after, said = _load(target)
    assert (said, len(made.repairs)) == ([], 0 if kept else 1)
    assert int(after.optimizer.iterations) == int(kept)
    before = keras.saving.load_model(source, compile=False)
    np.testing.assert_array_equal(after(X), before(X))
