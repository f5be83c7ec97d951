"""What is loaded when: file surgery never loads Keras, and imports point down."""

import functools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import pytest

from keras_rectifiers._registration import CLASSES
from keras_rectifiers.initializers import randomized_asymmetric
from keras_rectifiers.layers import PReLU
from tests import fresh

_ROOT = Path(__file__).parents[1]
_FRAMEWORKS = {"keras", "tensorflow", "jax", "jaxlib", "torch"}
#: What file surgery may load besides the standard library and this package.
_ALLOWED = {"numpy", "h5py", "cython_runtime", "sitecustomize"}

_CONVERT = """
import json, sys
import keras_rectifiers
source, target = sys.argv[1:]
plan = keras_rectifiers.plan(source, "leaky_relu")
str(plan), plan.from_json(plan.to_json())
for to in ("leaky_relu", "prelu"):
    made = keras_rectifiers.convert_file(source, target, to, overwrite=True)
    assert made.steps
origins = {}
for name, module in list(sys.modules.items()):
    origins[name.split(".")[0]] = getattr(module, "__file__", None)
print(json.dumps(sorted(set(origins) - set(sys.stdlib_module_names))))
"""


@pytest.fixture
def run(tmp_path):
    """Run code in a fresh interpreter, in an empty folder; give its last line."""
    return functools.partial(fresh.run, tmp_path)


@pytest.fixture
def source(tmp_path):
    """A compiled model with rectifiers, on file."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.ReLU(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_converting_a_file_loads_numpy_and_h5py_only(run, source, tmp_path):
    """No framework, and nothing else that an attacker could count on."""
    loaded = set(run(_CONVERT, source, tmp_path / "out.keras"))
    extra = {
        name
        for name in loaded - _ALLOWED - {"keras_rectifiers"}
        if not name.startswith(("_", "__editable__"))
    }

    assert not loaded & _FRAMEWORKS
    assert not extra
    assert {"numpy", "h5py"} <= loaded


#: Parts of the standard library that take long to load, and that no conversion needs.
_HEAVY = {"asyncio", "concurrent", "email", "http", "multiprocessing", "sqlite3", "ssl"}


@pytest.mark.parametrize("to", ["leaky_relu", "prelu"])
def test_converting_a_modern_file_loads_nothing_for_old_formats(
    run, source, tmp_path, to
):
    """The rules take longer to load than such a file to convert."""
    code = """
import json, sys, keras_rectifiers
assert keras_rectifiers.convert_file(*sys.argv[1:]).steps
print(json.dumps(sorted(sys.modules)))
"""
    loaded = run(code, source, tmp_path / "out.keras", to)

    assert not [name for name in loaded if name.startswith("keras_rectifiers.legacy")]
    assert not {name.split(".")[0] for name in loaded} & _HEAVY


def test_the_command_to_convert_loads_nothing_for_old_formats(run, source, tmp_path):
    """Nor does the screen that it prints."""
    code = """
import contextlib, io, json, sys
from keras_rectifiers.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["convert", *sys.argv[1:]])
print(json.dumps(sorted(sys.modules)))
"""
    loaded = run(code, source, tmp_path / "out.keras")

    assert (tmp_path / "out.keras").is_file()
    assert not [name for name in loaded if name.startswith("keras_rectifiers.legacy")]


def test_help_loads_neither_numpy_nor_a_part_that_works(run):
    """The list of commands is there at once."""
    code = """
import contextlib, io, json, sys
from keras_rectifiers.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["--help"])
print(json.dumps(sorted(sys.modules)))
"""
    loaded = set(run(code))

    assert not loaded & {"numpy", "h5py", "rich", *_FRAMEWORKS}
    assert not loaded & {"keras_rectifiers.conversion", "keras_rectifiers.graph"}


def test_rules_that_are_asked_do_not_load_the_tables_of_functions(run, tmp_path):
    """They are for models of TF-Keras that call functions of TensorFlow."""
    source = tmp_path / "unnamed.keras"
    hidden = keras.layers.Dense(5, activation="relu")
    keras.Sequential([keras.Input((4,)), hidden]).save(source)
    with zipfile.ZipFile(source) as saved:
        members = {name: saved.read(name) for name in saved.namelist()}
    members["metadata.json"] = b'{"keras_version": "3.2.1"}'
    with zipfile.ZipFile(source, "w") as saved:
        for name, content in members.items():
            saved.writestr(name, content)
    code = """
import json, sys, keras_rectifiers
print(keras_rectifiers.plan(sys.argv[1]))
print(json.dumps(sorted(sys.modules)))
"""
    dialects = "keras_rectifiers.legacy.dialects."

    loaded = run(code, source)

    assert f"{dialects}tensorflow.operations" in loaded
    loaded = {each.removeprefix(f"{dialects}tensorflow.") for each in loaded}
    assert not loaded & {"table", "raw", "rewriter"}


def test_planning_without_new_weights_does_not_even_load_h5py(run, source):
    """Such a plan needs the config alone; others look at the optimizer's state."""
    code = """
import json, sys, keras_rectifiers
print(keras_rectifiers.plan(sys.argv[1], "leaky_relu"))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""

    assert not set(run(code, source)) & (_FRAMEWORKS | {"h5py"})


def test_importing_the_package_loads_nothing_but_itself(run):
    """Public names are imported when they are first used."""
    code = """
import json, sys
before = set(sys.modules)
import keras_rectifiers
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(new - set(sys.stdlib_module_names))))
"""

    assert run(code) == ["keras_rectifiers"]


@pytest.fixture(scope="module")
def keras_first(tmp_path_factory):
    """What a fresh interpreter finds that loads Keras, then this package."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(2, **randomized_asymmetric(3), name="dense")
    made = [keras.saving.serialize_keras_object(each) for each in (PReLU(), dense)]
    code = """
import json, sys, keras, keras_rectifiers
names = ["keras_rectifiers>PReLU", "keras_rectifiers>LeakyReLU"]
found = {
    name: keras.saving.get_registered_object(name) is not None for name in names
}
made = map(keras.saving.deserialize_keras_object, json.loads(sys.argv[1]))
print(json.dumps(found | {"made": [each.name for each in made]}))
"""
    return made, fresh.run(tmp_path_factory.mktemp("keras"), code, json.dumps(made))


@pytest.fixture(scope="module")
def package_first(tmp_path_factory):
    """What a fresh interpreter finds that loads this package, then Keras."""
    code = """
import json, keras_rectifiers as package, keras
dense = keras.layers.Dense(3, activation="relu")
model = keras.Sequential([keras.Input((4,)), dense, keras.layers.Dense(1)])
parameters = package.convert(model, "prelu").count_params()
missing = [name for name in dir(package) if not hasattr(package, name)]
print(json.dumps({"parameters": parameters, "missing": missing}))
"""
    return fresh.run(tmp_path_factory.mktemp("package"), code)


def test_every_public_name_can_be_imported(package_first):
    """The table of lazy names holds no name that leads nowhere."""
    assert package_first["missing"] == []


def test_layers_are_registered_where_keras_was_loaded_first(keras_first):
    """`load_model` finds them after the bare import of the package."""
    _, found = keras_first

    assert found["keras_rectifiers>PReLU"]
    assert found["keras_rectifiers>LeakyReLU"]


def test_what_a_file_holds_is_made_where_keras_was_loaded_first(keras_first):
    """With Keras loaded, `import keras_rectifiers` is all that a file needs."""
    made, found = keras_first

    assert found["made"] == [each["config"]["name"] for each in made]


def test_models_are_converted_whichever_was_imported_first(package_first):
    """The package before Keras: the layers are registered when they are needed."""
    assert package_first["parameters"] == 15 + 3 + 4


def test_imports_point_down():
    """The contracts of the import linter hold."""
    pytest.importorskip("importlinter")
    command = shutil.which("lint-imports", path=Path(sys.executable).parent)
    if command is None:
        pytest.skip("lint-imports is not beside this interpreter")
    done = subprocess.run(
        [command, "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )

    assert done.returncode == 0, done.stdout + done.stderr


_LOOKED = "import keras_rectifiers, importlib.util as u; u.find_spec('keras')\n"
_OPENS = """
import json, sys
FIRST
model = keras.saving.load_model(sys.argv[1])
print(json.dumps([type(each).__name__ for each in model.layers]))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import keras, keras_rectifiers",
        "import keras_rectifiers, keras",
        _LOOKED + "import keras",
    ],
    ids=["keras first", "keras last", "looked for before"],
)
def test_keras_opens_a_converted_file_in_any_order(run, tmp_path, imports):
    """Its classes are found by name, and imported when a file has one."""
    model = keras.Sequential([keras.Input((3,)), PReLU(name="slopes")])
    model.save(tmp_path / "converted.keras")
    code = _OPENS.replace("FIRST", imports)

    assert run(code, tmp_path / "converted.keras") == ["PReLU"]


def test_every_registered_class_has_its_name_in_the_list(tmp_path):
    """What Keras may look up is what modules of this package register."""
    registered = fresh.run(
        tmp_path,
        "import importlib, json, keras, keras_rectifiers\n"
        "importlib.import_module('keras_rectifiers.surgery.converted')\n"
        "found = keras.saving.get_custom_objects().items()\n"
        "print(json.dumps({name.partition('>')[2]: value.__module__ for name, value"
        " in found if name.startswith('keras_rectifiers>')}))",
    )

    assert registered == CLASSES
