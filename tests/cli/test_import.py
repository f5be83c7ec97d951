"""`--import`: the user's own classes and functions, on every command."""

import json
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_rectifiers.cli import modules
from keras_rectifiers.cli.main import COMMANDS
from keras_rectifiers.cli.main import main
from keras_rectifiers.errors import UnsupportedModelError
from tests import user_code

#: What the two models whose class hides their layers have.
SITES = {"net": ["dense", "block/act"], "graph": ["a", "b"]}


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    """The user's module, files of its models, and data."""
    folder = tmp_path_factory.mktemp("users")
    user_code.make_files(folder)
    return folder


@pytest.fixture(autouse=True)
def _forget():
    """Nothing that a test imports or registers stays, nor is there before it."""
    registered, path = dict(keras.saving.get_custom_objects()), list(sys.path)
    for name in registered:
        if not name.startswith("keras_rectifiers>"):
            del keras.saving.get_custom_objects()[name]
    yield
    user_code.forget(registered, path)


def _module(users):
    return users / f"{user_code.NAME}.py"


def _outputs(path, users):
    with user_code.imported(users) as module:
        model = keras.saving.load_model(path, custom_objects=vars(module).copy())
        with np.load(users / "data.npz") as arrays:
            x = arrays["x"]
        return type(model).__name__, np.asarray(model(x)).tobytes()


def _paths(plan):
    return [step["site"]["path"] for step in plan["steps"]]


def test_every_command_that_reads_a_model_has_it():
    """All commands have both options but the demo, which brings its model."""
    for name in COMMANDS:
        options = {option for each in _command(name).params for option in each.opts}

        for option in ("--import", "--custom-object"):
            assert (option in options) == (name != "demo")


def _command(name):
    return main.get_command(None, name)


@pytest.mark.parametrize("name", ["net", "graph"])
def test_a_model_of_a_class_is_converted_whole(run, users, name):
    """Its class stays, and --verify compares the two files."""
    source = users / f"{name}.keras"
    arguments = ("--import", _module(users), "--verify", "--json")

    result = run("convert", source, "out.keras", *arguments)

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert _paths(found["plan"]) == SITES[name]
    assert found["verification"]["bit_equal"]
    assert found["verification"]["added"] == 2
    assert _outputs("out.keras", users) == _outputs(source, users)


@pytest.mark.parametrize("options", [[], ["--portable"]])
def test_where_the_file_opens_is_told(run, users, options):
    """A converted object of a class needs this package, portable or not."""
    arguments = ("--import", _module(users), *options)

    result = run("convert", users / "net.keras", "out.keras", *arguments)

    assert result.stdout.splitlines()[-1] == (
        "It holds converted objects of your own classes: Keras opens it only where "
        "their module and keras_rectifiers are imported."
    )


@pytest.mark.parametrize("name", ["net", "graph"])
def test_without_it_the_command_to_run_is_shown(fails, users, name):
    """One sentence names the class, the reason, and the very command."""
    source = users / f"{name}.keras"

    error = fails("convert", source, "out put.keras", "--to", "leaky_relu")

    assert f"a {name.title()!r}" in error
    assert "layers are created in Python code" in error
    command = f"convert {source} 'out put.keras' --to leaky_relu --import MODULE"
    assert error.endswith(f"Run: keras-rectifiers {command}")


@pytest.mark.parametrize("command", ["inspect", "diagnose", "finetune", "fold"])
def test_other_commands_show_it_too(fails, users, command):
    """Whatever has to read the model says how."""
    more = {
        "inspect": [],
        "diagnose": ["--data", users / "data.npz"],
        "finetune": ["--out", "tuned.keras", "--data", users / "data.npz"],
        "fold": ["folded.keras"],
    }[command]

    error = fails(command, users / "net.keras", *more)

    assert f"Run: keras-rectifiers {command} " in error
    assert error.endswith("--import MODULE")


def test_layers_inside_custom_layers_are_converted(run, users):
    """Where a named class holds rectifiers, they are replaced, from `.h5` too."""
    for source in ("holder.keras", "holder.h5"):
        arguments = ("--import", _module(users), "--verify", "--json", "--force")
        result = run("convert", users / source, "out.keras", *arguments)

        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert _paths(found["plan"]) == ["pre", "block/act"]
        assert found["verification"]["bit_equal"]
    without = run("convert", users / "holder.keras", "without.keras", "--json")
    assert _paths(json.loads(without.stdout)["plan"]) == ["pre"]


def test_a_name_and_a_file_are_the_same_module(run, users, monkeypatch):
    """A module is found in the current folder, a file wherever it is."""
    by_file = run("inspect", users / "net.keras", "--import", _module(users), "--json")
    user_code.forget(dict(keras.saving.get_custom_objects()), list(sys.path))
    monkeypatch.chdir(users)
    by_name = run("inspect", "net.keras", "--import", user_code.NAME, "--json")

    assert by_file.exit_code == by_name.exit_code == 0
    assert by_file.stdout == by_name.stdout
    assert _paths(json.loads(by_name.stdout)) == SITES["net"]
    assert f"{user_code.NAME} is imported" in by_name.stderr


def test_diagnose_and_fold_take_what_was_converted(run, users):
    """The paths are those of convert, and a fold gives the plain file back."""
    named = ("--import", _module(users))
    source = users / "net.keras"

    diagnosed = run("diagnose", source, "--data", users / "data.npz", "--json", *named)
    run("convert", source, "out.keras", "--include", "dense", *named)
    folded = run("fold", "out.keras", "folded.keras", "--json", *named)

    (found,) = json.loads(diagnosed.stdout)["models"]
    assert [each["layer"] for each in found["summary"]["layers"]] == SITES["net"]
    assert folded.exit_code == 0, folded.output
    assert _outputs("folded.keras", users) == _outputs(source, users)


def test_finetune_trains_with_the_losses_of_the_module(run, users):
    """Compiled custom losses and metrics come by the same door."""
    data = ("--data", users / "data.npz", "--epochs", 1, "--treatment", "convert")
    named = ("--import", _module(users))

    result = run("finetune", users / "net.keras", "--out", "t.keras", *data, *named)

    assert "Written: t.keras" in result.stdout, result.output
    with user_code.imported(users) as module:
        model = keras.saving.load_model("t.keras", custom_objects=vars(module).copy())
        assert model.loss is module.distance


def test_as_functional_needs_no_class_afterwards(run, users):
    """--as-functional writes a plain model, and the plan says what went."""
    named = ("--import", _module(users), "--verify", "--json")

    result = run("convert", users / "graph.keras", "o.keras", "--as-functional", *named)

    assert result.exit_code == 0, result.output
    (repair,) = json.loads(result.stdout)["plan"]["repairs"]
    assert repair["rule"] == "as_functional"
    keras.saving.get_custom_objects().pop("users>Graph")
    assert type(keras.saving.load_model("o.keras")).__name__ == "Functional"


def test_modules_that_cannot_be_imported(fails, users, tmp_path_factory):
    """One sentence for each way, with what was raised."""
    folder = tmp_path_factory.mktemp("broken")
    for name, text in {
        "users_syntax": "def f(:",
        "users_raises": "raise RuntimeError('no luck')",
        "users_exits": "import sys; sys.exit(3)",
    }.items():
        (folder / f"{name}.py").write_text(text)
    cases = {
        folder / "users_syntax.py": "SyntaxError: invalid syntax (users_syntax.py, ",
        folder / "users_raises.py": "RuntimeError: no luck",
        folder / "users_exits.py": "SystemExit: 3",
        folder / "users_missing.py": "is no file",
        "users_missing": "ModuleNotFoundError",
        "json.py": "is no file",
    }

    for name, expected in cases.items():
        error = fails("convert", users / "net.keras", "o.keras", "--import", name)

        assert expected in error
        assert str(name) in error
        assert "users_raises" not in sys.modules


def test_a_file_may_not_take_the_name_of_another_module(tmp_path):
    """`json.py` would stand in the place of the standard library's module."""
    (tmp_path / "json.py").write_text("")

    with pytest.raises(UnsupportedModelError, match="'json' is imported already"):
        modules.imported(str(tmp_path / "json.py"))
    assert sys.modules["json"] is json


def test_a_class_that_the_module_lacks(fails, users, tmp_path_factory):
    """The class is named, and that the module does not have it; nothing is written."""
    other = tmp_path_factory.mktemp("other") / "users_other.py"
    other.write_text("class Other:\n    pass\n")

    error = fails("convert", users / "net.keras", "o.keras", "--import", other)

    assert "'Net'" in error
    assert "--import MODULE" not in error
    assert error.endswith("Name it: --custom-object Net=MODULE:Net")


def test_a_class_is_named_where_its_module_calls_it_otherwise(run, fails, users):
    """--custom-object gives the file's name its class, and --import the rest."""
    other = users / "users_renamed.py"
    other.write_text(
        f"from {user_code.NAME} import Block, Close, distance\n"
        f"import {user_code.NAME} as users\n\n\n"
        "class Old(users.Net):\n    pass\n\n\n"
        "class _Hidden(users.Net):\n    pass\n"
    )
    sys.path.insert(0, str(users))
    command = ("convert", users / "net.keras", "o.keras", "--import", other, "--json")

    for name in ("Old", "_Hidden"):
        named = ("--custom-object", f"Net={other}:{name}", "--force")
        result = run(*command, *named)

        assert result.exit_code == 0, result.output
        assert _paths(json.loads(result.stdout)["plan"]) == SITES["net"]
        assert name in zipfile.ZipFile("o.keras").read("config.json").decode()
        Path("o.keras").unlink()
    assert "'Net'" in fails(*command)


def test_a_class_that_was_registered_when_it_was_saved(run, users):
    """It is found by its name alone, where the module does not register it now."""
    plain = users / "users_plain.py"
    registers = '@keras.saving.register_keras_serializable("users")'
    plain.write_text(user_code.CODE.replace(registers, ""))
    source = users / "graph.keras"

    result = run(
        *("convert", source, "out.keras", "--import", plain, "--verify", "--json")
    )

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert _paths(found["plan"]) == SITES["graph"]
    assert found["verification"]["bit_equal"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("Net", "is not of the form Name=module:Class"),
        ("Net=users", "is not of the form Name=module:Class"),
        ("Net=users_nowhere:Net", "module of --custom-object must be importable"),
        ("Net=json:dump2", "Did you mean 'dump'?"),
        ("Net=json:__name__", "must be a class or a function"),
    ],
)
def test_an_object_that_is_not_there(fails, users, value, told):
    """One sentence says what is wrong with it."""
    error = fails("inspect", users / "net.keras", "--custom-object", value)

    assert told in error
    assert value.partition("=")[2].partition(":")[0] in error


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("get_config(self)", "RuntimeError: no luck"),
        ("__init__(self, **arguments)", "no luck"),
    ],
)
def test_code_that_raises(fails, users, tmp_path_factory, method, told):
    """What the class raises is one sentence, and nothing is written."""
    other = tmp_path_factory.mktemp("other") / "users_raising.py"
    other.write_text(
        f"from {user_code.NAME} import *\nimport {user_code.NAME} as users\n\n\n"
        f"class Net(users.Net):\n    def {method}:\n"
        "        raise RuntimeError('no luck')\n"
    )
    sys.path.insert(0, str(users))

    error = fails("convert", users / "net.keras", "o.keras", "--import", other)

    assert told in error


def test_a_loss_that_the_module_lacks_is_named(fails, users, tmp_path_factory):
    """A file is not converted without its compile state."""
    other = tmp_path_factory.mktemp("other") / "users_part.py"
    other.write_text(f"from {user_code.NAME} import Block, Net\n")
    sys.path.insert(0, str(users))

    error = fails("convert", users / "net.keras", "o.keras", "--import", other)

    assert "'distance'" in error


def test_upgrade_has_nothing_to_do(fails, users):
    """A file of Keras 3 whose layers code makes is as it should be."""
    error = fails("upgrade", users / "net.keras", "o.keras")

    assert "Use it as it is" in error
