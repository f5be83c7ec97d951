"""A file that one backend writes is the same model on the others."""

import importlib.util
import warnings

import keras
import numpy as np
import pytest

import keras_rectifiers
from tests import fresh
from tests.backends import some_by_default
from tests.surgery import crossing
from tests.surgery.crossing import X

_BACKENDS = ("tensorflow", "jax", "torch")
_WRITE = """
import json, os, sys
os.environ["KERAS_BACKEND"] = sys.argv[1]
from tests.surgery import crossing
crossing.write(sys.argv[2])
print(json.dumps(crossing.keras.config.backend()))
"""


@pytest.fixture(
    scope="session",
    params=some_by_default(
        [each for each in _BACKENDS if each != keras.config.backend()],
        ["tensorflow", "jax"],
    ),
)
def written(request, tmp_path_factory):
    """A folder with files that another backend wrote."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    assert fresh.run(folder, _WRITE, request.param, folder) == request.param
    return folder


@pytest.fixture(params=crossing.MODELS)
def folder(written, request):
    """The files of one model."""
    return written / request.param


def _kept(folder, name, what):
    with np.load(folder / f"{name}.npz") as file:
        if what == "outputs":
            return file["outputs"]
        found = [key for key in file.files if key.startswith(f"{what} ")]
        return [file[key] for key in found]


def _same(found, expected):
    """Whether arrays are equal bit for bit; a counter has the backend's own width."""
    return len(found) == len(expected) > 0 and all(
        one.tobytes() == other.astype(one.dtype).tobytes()
        and one.dtype.kind == other.dtype.kind
        for one, other in zip(found, expected, strict=True)
    )


def _is_as_written(model, folder, name):
    assert _same(crossing.state(model, "weight"), _kept(folder, name, "weight"))
    outputs = model.predict(X, verbose=0)
    np.testing.assert_allclose(outputs, _kept(folder, name, "outputs"), atol=1e-5)


@pytest.mark.parametrize("module", [keras.saving, keras_rectifiers])
def test_a_converted_file_is_opened(module, folder):
    """Weights and the optimizer's state are there bit for bit."""
    model = module.load_model(folder / "trained.keras")

    _is_as_written(model, folder, "trained")
    assert _same(crossing.state(model, "slot"), _kept(folder, "trained", "slot"))


def test_training_goes_on(folder):
    """The optimizer that torch has of its own is that of the backend at work."""
    model = keras_rectifiers.load_model(folder / "trained.keras")
    before = int(model.optimizer.iterations)

    model.train_on_batch(X, crossing.Y)

    assert type(model.optimizer) is type(keras.optimizers.Adam())
    assert int(model.optimizer.iterations) == before + 1


def test_an_h5_file_is_opened(written):
    """One of a Functional model; Keras itself leaves its optimizer's state out."""
    folder = written / "functional"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls the form legacy
        model = keras.saving.load_model(folder / "trained.h5")

    _is_as_written(model, folder, "trained")


def test_an_h5_file_is_opened_with_the_state_of_its_optimizer(written):
    """The function of this package finds it."""
    folder = written / "functional"

    model = keras_rectifiers.load_model(folder / "trained.h5")

    _is_as_written(model, folder, "trained")
    assert _same(crossing.state(model, "slot"), _kept(folder, "trained", "slot"))


def test_weights_are_loaded_into_a_conversion_made_here(folder):
    """Code that makes and converts the model needs the weights alone."""
    model = crossing.MODELS[folder.name]()
    model(X)
    converted = keras_rectifiers.convert(model, alpha=0.25)

    converted.load_weights(folder / "trained.weights.h5")

    _is_as_written(converted, folder, "trained")


def test_a_file_is_converted_and_verified(folder, tmp_path):
    """The state of the optimizer goes along, as on the backend that wrote it."""
    source, target = folder / "original.keras", tmp_path / "new.keras"

    made = keras_rectifiers.convert_file(source, target, keep_training_state=True)

    of_torch = "torch" in str(folder) and folder.name == "functional"
    assert [each.rule for each in made.repairs] == ["optimizer"] * of_torch
    assert keras_rectifiers.verify(source, target, X).holds
    assert keras_rectifiers.verify(source, folder / "plain.keras", X).holds
    kept = _kept(folder, "original", "slot")
    model = keras.saving.load_model(target)
    slots = crossing.state(model, "slot")
    assert type(model.optimizer) is type(keras.optimizers.Adam())
    assert len(slots) > len(kept)
    assert all(any(_same([slot], [each]) for slot in slots) for each in kept)


def test_a_conversion_is_undone(folder, tmp_path):
    """By file where the config lists the layers, else of the opened model."""
    if folder.name == "functional":
        keras_rectifiers.convert_file(folder / "original.keras", tmp_path / "a.keras")
        keras_rectifiers.revert_file(tmp_path / "a.keras", tmp_path / "b.keras")
        model = keras.saving.load_model(tmp_path / "b.keras")
    else:
        opened = keras.saving.load_model(folder / "plain.keras")
        model = keras_rectifiers.revert(opened)

    _is_as_written(model, folder, "original")
    assert _same(crossing.state(model, "slot"), _kept(folder, "original", "slot"))
