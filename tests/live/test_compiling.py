"""How a model that another backend saved runs here."""

import keras
import pytest

from keras_rectifiers import load_model
from keras_rectifiers.live.compiling import suit_backend

BACKEND = keras.config.backend()
#: What models of each backend are by default; None where it is left alone.
DEFAULT = {"jax": True, "torch": False, "tensorflow": None}[BACKEND]


def _saved(path, **compiling):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "relu")])
    model.compile("sgd", "mse", **compiling)
    model.save(path)
    return path


@pytest.mark.parametrize("saved", [True, False])
def test_a_loaded_model_runs_as_its_backend_runs_models(saved, tmp_path):
    """JAX compiles and torch does not, whatever the file says; the file says it on."""
    path = _saved(tmp_path / "m.keras", jit_compile=saved)

    model = load_model(path)

    assert model.jit_compile == (saved if DEFAULT is None else DEFAULT)
    assert model.get_compile_config()["jit_compile"] == saved


def test_what_is_changed_is_said():
    """The sentence has both values; a second call changes nothing."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", jit_compile=not DEFAULT)

    said = suit_backend(model)

    if DEFAULT is None:
        assert said == ""
    else:
        assert f"jit_compile={not DEFAULT} on another backend" in said
        assert f"with jit_compile={DEFAULT}." in said
    assert suit_backend(model) == ""


def test_a_model_that_runs_eagerly_is_left_alone():
    """`run_eagerly` is a choice that no backend makes."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", run_eagerly=True)

    assert suit_backend(model) == ""
    assert not model.jit_compile


def test_layers_that_cannot_be_compiled_are_respected():
    """A layer that says so keeps its model from being compiled."""
    layer = keras.layers.Dense(2)
    layer.supports_jit = False
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse", jit_compile=False)

    suit_backend(model)

    assert not model.jit_compile
