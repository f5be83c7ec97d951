"""Every stranger's model becomes one that plain Keras opens, as the same function.

The files were written by Keras 2.0.5 to 3.10. The reference is `tf_keras`, where it
opens the original, and Keras itself for what Keras 3 wrote.
"""

import dataclasses
import functools
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.conversion.upgrade import upgrade_file
from keras_rectifiers.layers import LeakyReLU
from tests.legacy.corpus import difference
from tests.legacy.corpus import flat
from tests.legacy.corpus import random_inputs
from tests.legacy.corpus import randomize
from tests.legacy.corpus import run
from tests.legacy.corpus import tf_keras

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "models"
pytestmark = [
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="the reference runs on TensorFlow, and outputs are held to its kernels",
    ),
    pytest.mark.skipif(
        not _SHARED.is_dir(),
        reason="the strangers' models are not beside this checkout",
    ),
]

#: Largest difference of outputs, relative to their scale.
TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class File:
    """A stranger's file: where it is, how many rectifiers are in it, who wrote it."""

    owner: str
    name: str
    sites: int
    by_keras_3: bool = False

    @property
    def path(self):
        return next(iter(sorted((_SHARED / self.owner).rglob(self.name))))


FILES = [
    File("mlcommons+tiny", "pretrainedResnet.h5", 7),
    File("mlcommons+tiny", "model_ToyCar.hdf5", 9),
    File("mlcommons+tiny", "vww_96.h5", 27),
    File("oarriaga+face_classification", "fer2013_mini_XCEPTION.119-0.65.hdf5", 6),
    File("AIAnytime+Waste-Classifier-Sustainability-App", "keras_model.h5", 36),
    File("57cell+nlf-classifier", "best_model.keras", 2),
    File(
        "gperdrizet+perdrizet_breast_cancer_diagnosis_mohadia", "model.keras", 3, True
    ),
    File("Menashe-Lorenzi+kepler-exoplanet-classifier", "best_model.keras", 2, True),
    File("goldsmdn+Streamlit", "encoder.keras", 4, True),
    File("louisetxz+m6a-detection-project", "cnn_selected.h5", 4),
    File("AndreiSva+ReversiML", "model", 6),
]
JSON = File("serengil+tensorflow-101", "inceptionv3_model.json", 94)


@functools.cache
def _reference(file):
    """The original, opened by the Keras that can."""
    if file.by_keras_3:
        return keras.saving.load_model(file.path, compile=False)
    return tf_keras.models.load_model(file.path, compile=False)


def _inputs(model):
    rng = np.random.default_rng(0)
    return random_inputs(model, rng)


def _outputs(file, model, inputs):
    if file.by_keras_3:
        return flat(keras.tree.map_structure(np.asarray, model(inputs)))
    return run(model, inputs)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_strangers_model_is_brought_up_to_date(file, tmp_path):
    """Stock Keras opens the result: same outputs, same weights, same names."""
    target = tmp_path / "new.keras"
    old = _reference(file)
    inputs = _inputs(old)

    record = upgrade_file(file.path, target)
    new = keras.saving.load_model(target, compile=False)

    assert difference(_outputs(file, old, inputs), run(new, inputs)) <= TOLERANCE
    assert [layer.name for layer in new.layers] == [layer.name for layer in old.layers]
    assert len(new.weights) == len(old.weights)
    assert record.parameters >= new.count_params()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_strangers_model_is_converted(file, tmp_path):
    """All its rectifiers are found; at slope 0 it is the same function."""
    target = tmp_path / "leaky.keras"
    old = _reference(file)
    inputs = _inputs(old)

    plan = keras_rectifiers.convert_file(
        file.path, target, "leaky_relu", negative_slope=0.0
    )
    new = keras.saving.load_model(target, compile=False)

    assert len(plan.steps) + len(plan.skips) == file.sites
    assert plan.steps
    assert difference(_outputs(file, old, inputs), run(new, inputs)) <= TOLERANCE


def test_a_strangers_architecture_becomes_one_that_keras_opens(tmp_path):
    """An architecture of Keras 2.0.8 comes out as JSON of Keras 3."""
    target = tmp_path / "new.json"

    upgrade_file(JSON.path, target)
    new = keras.models.model_from_json(target.read_text())

    old = tf_keras.models.model_from_json(JSON.path.read_text())
    assert [layer.name for layer in new.layers] == [layer.name for layer in old.layers]
    assert new.count_params() == old.count_params()
    assert new.output_shape == old.output_shape


def test_a_strangers_architecture_is_converted(tmp_path):
    """JSON in, JSON out, with Leaky ReLUs in it."""
    target = tmp_path / "leaky.json"

    plan = keras_rectifiers.convert_file(JSON.path, target, "leaky_relu")
    new = keras.models.model_from_json(target.read_text())

    assert len(plan.steps) == JSON.sites
    leaky = [e for e in new.layers if isinstance(e, LeakyReLU)]
    assert len(leaky) == JSON.sites


def test_a_strangers_architecture_with_weights_is_the_same_function(tmp_path):
    """With the weights of a model that the old Keras made of it."""
    old = tf_keras.models.model_from_json(JSON.path.read_text())
    rng = np.random.default_rng(0)
    randomize(old, rng)
    inputs = rng.normal(size=(1, 96, 96, 3)).astype("float32")
    weights, target = tmp_path / "weights.h5", tmp_path / "new.keras"
    old.save_weights(weights)

    upgrade_file(JSON.path, target, weights=weights)
    new = keras.saving.load_model(target)

    assert difference(run(old, inputs), run(new, inputs)) <= TOLERANCE
