"""Converted files that somebody has meddled with: a result, or one sentence.

Two of their parts are this package's own: the config of a converted object, and the
plan that is kept beside the model.
"""

import functools
import json
import os
import tempfile
from pathlib import Path

import keras
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers

import keras_rectifiers
from keras_rectifiers.conversion import kept_plans
from keras_rectifiers.errors import RectifierError
from tests.meddling import meddle
from tests.surgery.archives import CONFIG
from tests.surgery.archives import pack
from tests.surgery.archives import read

#: How many files the slow tests try.
MANY = int(os.environ.get("MEDDLED_EXAMPLES", "1000"))
PLAN = kept_plans.MEMBER
_SETTINGS = settings(
    deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@keras.saving.register_keras_serializable("meddled")
class Block(layers.Layer):
    """A layer that holds layers."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units, "relu")
        self.rest = [layers.ReLU(), layers.Dense(units)]
        self.activation = keras.activations.relu

    def call(self, x):
        return self.activation(self.rest[1](self.rest[0](self.dense(x))))


@keras.saving.register_keras_serializable("meddled")
class Net(keras.Model):
    """A model with a `call` of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = Block()
        self.head = layers.Dense(2)

    def call(self, x):
        return self.head(self.block(x))


def _listed():
    names = [layers.Dense(3, "relu", name="a"), layers.ReLU(name="b")]
    return keras.Sequential([keras.Input((4,)), *names, layers.Dense(2)], name="listed")


def _python():
    model = Net(name="net")
    model(keras.ops.ones((1, 4)))
    return model


def _inside():
    inputs = keras.Input((4,), name="x")
    hidden = layers.ReLU(name="r")(Block(name="block")(inputs))
    return keras.Model(inputs, layers.Dense(2, name="head")(hidden), name="inside")


#: Where the config lists the layers, where Python makes them all, and some of them.
MODELS = {"listed": _listed, "python": _python, "inside": _inside}


@functools.cache
def _converted(name):
    """The members of a converted file that keeps its plan, and of its original."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.keras"), Path(folder, "b.keras")
        MODELS[name]().save(source)
        keras_rectifiers.convert_file(
            source, target, custom_objects={"Block": Block, "Net": Net}
        )
        return read(target), read(source)


@pytest.fixture(scope="module", autouse=True)
def _made_before():
    """Keras draws weights, and no strategy may draw anything at random."""
    for name in MODELS:
        _converted(name)


def _revert_live(path, folder):
    keras_rectifiers.revert(keras_rectifiers.load_model(path)).save(folder / "o.keras")


#: What can be asked of a file, and where it leads.
VERBS = {
    "revert": lambda path, folder: keras_rectifiers.revert_file(
        path, folder / "o.keras"
    ),
    "revert live": _revert_live,
    "diff": lambda path, folder: str(
        keras_rectifiers.diff(path, folder / "original.keras")
    ),
    "inspect": lambda path, folder: str(keras_rectifiers.plan(path)),
    "load": lambda path, folder: keras_rectifiers.load_model(path),
    "convert": lambda path, folder: keras_rectifiers.convert_file(
        path, folder / "o.keras", "leaky_relu", of="prelu", alpha=None
    ),
    "fold": lambda path, folder: keras_rectifiers.fold_file(path, folder / "o.keras"),
}


def _try(name, member, content, folder):
    """Each verb gives a result or one sentence, and touches nothing but its target."""
    original = pack(folder / "original.keras", _converted(name)[1])
    path = pack(folder / "meddled.keras", _converted(name)[0] | {member: content})
    before = {each: each.read_bytes() for each in (original, path)}
    for verb, run in VERBS.items():
        target = folder / "o.keras"
        try:
            run(path, folder)
        except RectifierError as error:
            assert "\n" not in str(error), (verb, error)  # noqa: PT017 (either is right)
            assert not target.exists(), verb
        else:
            if target.exists():
                assert read(target)[CONFIG], verb
                target.unlink()
        assert {each: each.read_bytes() for each in before} == before, verb
        assert set(folder.iterdir()) == set(before), verb


@st.composite
def _files(draw):
    """A converted file, in which one member is other than it was."""
    name = draw(st.sampled_from(list(MODELS)))
    members = _converted(name)[0]
    member = draw(st.sampled_from((CONFIG, PLAN)))
    if draw(st.integers(0, 4)) == 0:  # bytes
        raw = bytearray(members[member])
        for _ in range(draw(st.integers(1, 3))):
            place = draw(st.integers(0, len(raw) - 1))
            raw[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        return name, member, bytes(raw)
    value = json.loads(members[member])
    for _ in range(draw(st.integers(1, 2))):
        meddle(value, draw)
    # A layer of that size would be made: Keras takes any that fits into memory.
    text = json.dumps(value).replace(str(2**31), str(2**70))
    return name, member, text.encode()


def _with_plan(**changes):
    """A converted file in whose plan something is other than it was."""
    kept = json.loads(_converted("listed")[0][PLAN])
    kept["plans"][0] |= changes
    return "listed", PLAN, json.dumps(kept).encode()


@pytest.mark.parametrize(
    "file",
    [
        lambda: ("listed", PLAN, b'{"plans": ' + b"[" * 100_000),
        lambda: ("listed", PLAN, b"[]"),
        lambda: ("inside", PLAN, b'{"plans": 3}'),
        lambda: ("inside", CONFIG, b'{"config": ' + b'{"a": ' * 100_000),
        lambda: _with_plan(format=3),
        lambda: _with_plan(back={"keys": {"module": {"be": 3}}}),
        lambda: _with_plan(
            back={"keys": {"config": {"keys": {"layers": {"be": [{"module": 3}]}}}}}
        ),
        lambda: _with_plan(back={"layers": {}, "order": ["a", "a"]}),
        lambda: _with_plan(back={"items": {str(10**30): {"be": 0}}}),
    ],
    ids=["deep", "list", "number", "deep config", "format", "module", "layers",
         "twice", "far"],
)  # fmt: skip
def test_a_plan_or_config_of_another_build_is_a_result_or_one_sentence(file, tmp_path):
    """Too deep, of other types, of another format, for places that are not there."""
    _try(*file(), tmp_path)


# What cannot be restored of a compile state is a warning.
@pytest.mark.filterwarnings("ignore:.*was loaded without its compile state")
@settings(_SETTINGS, max_examples=12)
@given(file=_files())
def test_a_meddled_conversion_is_a_result_or_one_sentence(file, tmp_path_factory):
    """Whatever stands in it: never an error of another kind, never remains."""
    _try(*file, tmp_path_factory.mktemp("meddled"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*was loaded without its compile state")
@settings(_SETTINGS, max_examples=MANY, derandomize=False)
@given(file=_files())
def test_many_meddled_conversions(file, tmp_path_factory):
    """The same, for longer and never alike."""
    _try(*file, tmp_path_factory.mktemp("meddled"))
