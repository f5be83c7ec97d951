import sys

import pytest

from keras_rectifiers.cli import models
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError


@pytest.mark.parametrize("name", ["model.keras", "legacy.h5"])
def test_whole_models_are_loaded(made, name):
    """Both file formats of Keras give the model."""
    assert models.load_model(made / name).get_layer("rectified") is not None


def test_an_unknown_class_is_named(made):
    """The message has the class, the file, and the option that helps."""
    with pytest.raises(UnsupportedModelError, match=r"'Tripled'.*--import MODULE"):
        models.load_model(made / "unknown.keras")


def test_import_makes_a_class_known(made, tmp_path, monkeypatch):
    """A module named with --import registers the classes of the model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "tripled_layers.py").write_text(
        "import keras\n"
        "@keras.saving.register_keras_serializable('elsewhere', 'Tripled')\n"
        "class Tripled(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return 3 * x\n"
    )

    model = models.load_model(made / "unknown.keras", OwnCode(("tripled_layers",)))

    assert "Tripled" in {type(layer).__name__ for layer in model.layers}
    _forget("elsewhere>Tripled")


def _forget(name):
    import keras

    keras.saving.get_custom_objects().pop(name, None)
    sys.modules.pop("tripled_layers", None)


def test_a_module_that_fails_is_named(made, tmp_path, monkeypatch):
    """A module that cannot be imported is named with its error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    with pytest.raises(UnsupportedModelError, match=r"no_such_layers.*ModuleNotFound"):
        models.load_model(made / "model.keras", OwnCode(("no_such_layers",)))


@pytest.mark.parametrize("name", ["cut.keras", "text.keras", "data.npz"])
def test_other_files_are_refused(made, name):
    """A damaged or foreign file is an error of the archive, by its name."""
    with pytest.raises(ArchiveError, match=name):
        models.load_model(made / name)
