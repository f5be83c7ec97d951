"""Files whose layers users' classes make, from Python: `custom_objects=`."""

import inspect
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers import convert_file
from keras_rectifiers import fold_file
from keras_rectifiers import load_model
from keras_rectifiers import plan
from keras_rectifiers.conversion.given_functions import objects_of
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.errors import UnsupportedModelError
from tests import fresh
from tests import user_code

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    """The user's module, files of its models, and data."""
    folder = tmp_path_factory.mktemp("users")
    user_code.make_files(folder)
    return folder


@pytest.fixture
def objects(users):
    """What the user's module has, as custom objects."""
    with user_code.imported(users) as module:
        yield objects_of([module])


def _paths(made):
    return [step.site.path for step in made.steps]


def test_plan_and_convert_file_take_classes(users, objects, tmp_path):
    """A plan of the path fits the file, and the new file has weights and state."""
    source, target = users / "net.keras", tmp_path / "out.keras"

    made = plan(source, custom_objects=objects)
    done = convert_file(source, target, made, custom_objects=objects)

    assert _paths(made) == _paths(done) == ["dense", "block/act"]
    before = load_model(source, custom_objects=objects)
    after = load_model(target, custom_objects=objects)
    assert keras_rectifiers.verify(before, after).holds
    assert keras_rectifiers.verify(source, target, custom_objects=objects).holds
    assert after.loss is before.loss
    assert int(after.optimizer.iterations) == 1
    assert len(after.optimizer.variables) == len(before.optimizer.variables) + 4


def test_the_new_file_opens_in_a_fresh_process(users, objects, tmp_path):
    """With the package and the class imported, Keras itself opens it."""
    target = tmp_path / "out.keras"
    convert_file(users / "net.keras", target, alpha=0.25, custom_objects=objects)
    model = load_model(target, custom_objects=objects)
    with np.load(users / "data.npz") as arrays:
        x = arrays["x"]

    code = (
        "import json, sys, keras, numpy\n"
        "{package}\n"
        f"import {user_code.NAME} as users\n"
        "given = {{n: each for n, each in vars(users).items() if callable(each)}}\n"
        "try:\n"
        f"    model = keras.saving.load_model({str(target)!r}, custom_objects=given)\n"
        "    x = numpy.load('data.npz')['x']\n"
        "    print(json.dumps([type(model).__name__, isinstance(model, users.Net),\n"
        "                      numpy.asarray(model(x)).tolist()]))\n"
        "except Exception as error:\n"
        "    print(json.dumps(str(error)))\n"
    )
    name, is_net, outputs = fresh.run(
        users, code.format(package="import keras_rectifiers")
    )
    without = fresh.run(users, code.format(package=""))

    assert (name, is_net) == ("Net", True)
    np.testing.assert_array_equal(np.float32(outputs), np.asarray(model(x)))
    assert "Could not locate class 'Net'" in without
    assert "keras_rectifiers" in without


def test_a_registered_class_need_not_be_named(users, tmp_path):
    """A program that has imported the module has said enough for the model's class."""
    with user_code.imported(users):
        made = convert_file(users / "graph.keras", tmp_path / "out.keras")

        assert _paths(made) == ["a", "b"]
        assert keras_rectifiers.verify(
            users / "graph.keras", tmp_path / "out.keras"
        ).holds
    with pytest.raises(HiddenLayersError, match=r"custom_objects=\{'Graph': Graph\}"):
        plan(users / "graph.keras")


def test_a_converted_file_is_converted_again(users, objects, tmp_path):
    """To Leaky, to PReLU, and back by a fold: each file by its path."""
    names = [str(tmp_path / f"{name}.keras") for name in "abc"]
    given = {"custom_objects": objects}

    convert_file(
        users / "net.keras", names[0], "leaky_relu", negative_slope=0.0, **given
    )
    convert_file(names[0], names[1], "prelu", of="leaky_relu", **given)
    result = fold_file(names[1], names[2], **given)

    assert len(result.sites) == 2
    for name in names:
        found = keras_rectifiers.verify(users / "net.keras", name, **given)
        assert found.bit_equal
        assert found.variables_kept


def test_as_functional_takes_a_path(users, objects, tmp_path):
    """The plan of a file says what a plain model gives up, too."""
    source = users / "graph.keras"

    made = convert_file(
        source, tmp_path / "out.keras", as_functional=True, custom_objects=objects
    )

    assert [each.rule for each in made.repairs] == ["as_functional"]
    assert plan(source, as_functional=True, custom_objects=objects) == made
    assert keras_rectifiers.verify(source, tmp_path / "out.keras").holds


@pytest.mark.parametrize("name", ["holder.keras", "holder.h5"])
def test_a_named_class_is_looked_into(name, users, objects, tmp_path):
    """Rectifiers inside a custom layer are converted where its class is named."""
    source, target = users / name, tmp_path / "out.keras"

    if name == "holder.keras":
        assert _paths(plan(source)) == ["pre"]
    else:
        with pytest.raises(UnknownClassError, match="only that class knows"):
            plan(source)
    made = convert_file(source, target, custom_objects=objects)

    assert _paths(made) == ["pre", "block/act"]
    original = load_model(users / "holder.keras", custom_objects=objects)
    assert keras_rectifiers.verify(original, target, custom_objects=objects).bit_equal


def test_bytes_are_copied_where_nothing_is_hidden(tmp_path):
    """A named class without rectifiers changes nothing of how a file is converted."""

    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    model = keras.Sequential([keras.Input((4,)), Doubled(), keras.layers.ReLU()])
    model.save(tmp_path / "a.keras")
    options = {"to": "leaky_relu", "roles": "output"}

    convert_file(tmp_path / "a.keras", tmp_path / "b.keras", **options)
    given = {"Doubled": Doubled}
    convert_file(
        tmp_path / "a.keras", tmp_path / "c.keras", custom_objects=given, **options
    )

    files = [(tmp_path / f"{name}.keras").read_bytes() for name in "bc"]
    assert files[0] == files[1]


def test_another_name_of_the_file_is_no_obstacle(users, objects, tmp_path):
    """Keras goes by the name, this package by the content."""
    source = tmp_path / "net.bin"
    source.write_bytes((users / "net.keras").read_bytes())

    made = convert_file(source, tmp_path / "out.keras", custom_objects=objects)

    assert len(made.steps) == 2
    assert load_model(source, custom_objects=objects).name == "net"


@keras.saving.register_keras_serializable("custom_classes")
class CompilesItself(keras.Model):
    """As tasks of KerasHub do, with a `compile` of its own."""

    def __init__(self, **kwargs):
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(5, "relu", name="hidden")(inputs)
        super().__init__(inputs, keras.layers.Dense(2)(hidden), **kwargs)
        self.compile()

    def compile(self, optimizer="auto", loss="mse", **kwargs):
        if optimizer == "auto":
            optimizer = keras.optimizers.Adam(5e-5)
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def get_config(self):
        return {"name": self.name, "trainable": self.trainable}


def test_a_class_that_compiles_itself_keeps_the_state_of_its_file(tmp_path):
    """Keras would leave it compiled as its constructor does, without a state."""
    x, y = np.ones((8, 4), "float32"), np.ones((8, 2), "float32")
    model = CompilesItself()
    model.compile("sgd")
    model.fit(x, y, epochs=3, verbose=0)
    model.save(tmp_path / "a.keras")

    given = {"CompilesItself": CompilesItself}
    made = convert_file(
        tmp_path / "a.keras", tmp_path / "b.keras", custom_objects=given
    )

    opened = load_model(tmp_path / "b.keras", custom_objects=given)
    assert made.repairs == ()
    assert type(opened.optimizer) is keras.optimizers.SGD
    assert int(opened.optimizer.iterations) == 3


def test_what_is_refused(users, objects, tmp_path):
    """One sentence each, and nothing is written."""
    target = tmp_path / "out.keras"
    without = {name: objects[name] for name in ("Net", "distance", "Close")}
    without["Net"] = type("Net", (keras.Model,), {})

    with pytest.raises(ArchiveError, match=r"written as \.keras"):
        convert_file(users / "net.keras", tmp_path / "o.h5", custom_objects=objects)
    with pytest.raises(UnknownClassError, match="'distance'"):
        convert_file(
            users / "net.keras", target, custom_objects={"Net": objects["Net"]}
        )
    with pytest.raises((ArchiveError, UnsupportedModelError), match=r"net\.keras"):
        convert_file(users / "net.keras", target, custom_objects=without)
    assert list(tmp_path.iterdir()) == []


def test_objects_of_a_module(users):
    """Classes and functions by their names; what Keras has stays Keras'."""
    with user_code.imported(users) as module:
        module._Hidden = type("_Hidden", (), {})
        module.Dense = keras.layers.Dense
        module.Alias = module.Net

        found = objects_of([module])

    assert {"Net", "Alias", "Block", "Close", "users>Graph", "distance"} <= set(found)
    assert found["_Hidden"] is module._Hidden
    assert not {"Dense", "keras_rectifiers>PReLU"} & set(found)


def _module(monkeypatch, name, **content):
    """A module with classes of its own, which Python finds by its name."""
    made = types.ModuleType(name)
    for key, value in content.items():
        value.__module__ = name
        setattr(made, key, value)
    monkeypatch.setitem(sys.modules, name, made)
    return made


def test_a_package_brings_the_classes_of_its_modules(monkeypatch):
    """A class inside is found by its name, unless two of them have it."""
    inner = type("Inner", (), {})
    outer, twin = (type("Same", (), {}) for _ in range(2))
    package = _module(monkeypatch, "users_package", Same=outer)
    _module(monkeypatch, "users_package.one", Inner=inner, Twice=type("T", (), {}))
    _module(monkeypatch, "users_package.two", Same=twin, Twice=type("T", (), {}))

    found = objects_of([package])

    assert found["Inner"] is inner
    assert found["Same"] is outer
    assert "Twice" not in found


def test_a_name_that_two_modules_have_stands_for_neither(monkeypatch):
    """Which of two different classes is meant is the user's to say."""
    shared = type("Shared", (), {})
    one = _module(
        monkeypatch, "users_one", TwiceNamed=type("TwiceNamed", (), {}), Shared=shared
    )
    two = _module(
        monkeypatch, "users_two", TwiceNamed=type("TwiceNamed", (), {}), Shared=shared
    )

    found = objects_of([one, two])

    assert "TwiceNamed" not in found
    assert found["Shared"] is shared
    assert objects_of([two])["TwiceNamed"] is two.TwiceNamed


def test_every_public_function_that_opens_a_file_takes_custom_objects():
    """A parameter for a path goes with one for the user's classes."""
    functions = [getattr(keras_rectifiers, name) for name in keras_rectifiers.__all__]
    opening = {
        each.__name__
        for each in functions
        if inspect.isfunction(each)
        and "custom_objects" in inspect.signature(each).parameters
    }

    assert opening == {
        *("plan", "convert_file", "upgrade_file", "revert_file", "fold_file"),
        *("load_model", "verify", "diff", "estimate", "export"),
    }
