"""Real architectures and strangers' files, converted and compared bit for bit."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_rectifiers

#: Name, arguments that keep it small, and (sites, converted) by default.
APPLICATIONS = [
    ("ResNet50", {"input_shape": (64, 64, 3), "classes": 10}, (49, 49)),
    ("VGG16", {"input_shape": (32, 32, 3), "include_top": False}, (13, 13)),
    ("MobileNetV2", {"input_shape": (64, 64, 3), "classes": 10}, (35, 35)),
    ("MobileNetV3Small", {"input_shape": (64, 64, 3), "classes": 10}, (23, 14)),
    ("NASNetMobile", {"input_shape": (64, 64, 3), "include_top": False}, (192, 191)),
    ("DenseNet121", {"input_shape": (64, 64, 3), "classes": 10}, (121, 121)),
]
#: The others take minutes together; they run with the slow sweeps.
SMALL = ("VGG16", "MobileNetV3Small")
SAME_FUNCTION = [("prelu", {}), ("leaky_relu", {"negative_slope": 0.0})]

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "models"
#: Strangers' files that stock Keras opens, and how many rectifiers they hold.
FILES = [
    ("mlcommons+tiny", "pretrainedResnet.h5", 7),
    ("mlcommons+tiny", "model_ToyCar.hdf5", 9),
    ("oarriaga+face_classification", "fer2013_mini_XCEPTION.119-0.65.hdf5", 6),
    ("gperdrizet+perdrizet_breast_cancer_diagnosis_mohadia", "model.keras", 3),
    ("Menashe-Lorenzi+kepler-exoplanet-classifier", "best_model.keras", 2),
    ("goldsmdn+Streamlit", "encoder.keras", 4),
    ("louisetxz+m6a-detection-project", "cnn_selected.h5", 4),
]


@pytest.mark.parametrize(
    ("name", "arguments", "counts"),
    [
        pytest.param(*each, marks=() if each[0] in SMALL else pytest.mark.slow)
        for each in APPLICATIONS
    ],
)
def test_an_application_is_converted_bit_for_bit(name, arguments, counts, tmp_path):
    """Live and by file, to Leaky and to PReLU, nothing but rectifiers changes."""
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, **arguments)
    model.save(tmp_path / "model.keras")
    shape = (2, *model.input_shape[1:])
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    _, converted = counts

    for to, options in SAME_FUNCTION:
        plan = keras_rectifiers.plan(model, to, **options)
        assert (len(plan.steps) + len(plan.skips), len(plan.steps)) == counts
        live = keras_rectifiers.verify(model, plan.apply(model), inputs)
        keras_rectifiers.convert_file(
            tmp_path / "model.keras", tmp_path / f"{to}.keras", plan
        )
        filed = keras_rectifiers.verify(model, tmp_path / f"{to}.keras", inputs)

        assert live.bit_equal
        assert live.weights_equal
        assert filed.bit_equal
        assert filed.weights_equal
        assert len(live.replaced) == len(filed.replaced) == converted


def test_gates_of_mobilenet_stay_hard():
    """Each hard sigmoid of MobileNetV3 is recognized as a gate."""
    model = keras.applications.MobileNetV3Small(
        weights=None, input_shape=(64, 64, 3), classes=10
    )

    plan = keras_rectifiers.plan(model)

    assert {skip.reason for skip in plan.skips} == {"gate"}
    assert len(plan.skips) == 9
    assert all(step.site.max_value is None for step in plan.steps)


@pytest.mark.filterwarnings("ignore:.* was loaded without its compile state")
@pytest.mark.parametrize(("owner", "name", "sites"), FILES)
def test_a_strangers_file_is_converted_bit_for_bit(owner, name, sites, tmp_path):
    """A file that stock Keras opens comes out as the same function."""
    if not _SHARED.is_dir():
        pytest.skip("the strangers' models are not beside this checkout")
    source = next((_SHARED / owner).rglob(name))
    before = source.read_bytes()

    for to, options in SAME_FUNCTION:
        target = tmp_path / f"{to}.keras"
        plan = keras_rectifiers.convert_file(source, target, to, **options)
        verification = keras_rectifiers.verify(source, target)

        assert len(plan.steps) + len(plan.skips) == sites
        assert verification.bit_equal
        assert verification.weights_equal
    assert source.read_bytes() == before
