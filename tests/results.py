"""One real instance of each type of result, made from one small model."""

import keras
import numpy as np

import keras_rectifiers
from keras_rectifiers import revival
from keras_rectifiers.types import ExportResult
from keras_rectifiers.types import Timeline


def every_result(folder):
    """Type name -> an instance, as a user gets it.

    Only the export is put together here: it would start a process.

    Args:
        folder: An empty folder.
    """
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int32")
    model = _model()
    model.save(folder / "model.keras")
    converted = keras_rectifiers.convert(model)
    plan = keras_rectifiers.convert_file(folder / "model.keras", folder / "c.keras")
    diagnosis = keras_rectifiers.diagnose(model, x)
    timeline = Timeline("small")
    timeline.append(diagnosis, epoch=1, step=2)
    timeline.append(diagnosis, epoch=2, step=4)
    revived, restarted = _model(), _model()
    model.save(folder / "old.h5")
    made = [
        plan,
        diagnosis,
        timeline,
        keras_rectifiers.explain(diagnosis),
        keras_rectifiers.estimate(model),
        keras_rectifiers.verify(model, converted, x),
        keras_rectifiers.diff(model, converted),
        keras_rectifiers.revert_file(folder / "c.keras", folder / "back.keras"),
        keras_rectifiers.upgrade_file(folder / "old.h5", folder / "new.keras"),
        keras_rectifiers.fold(converted),
        keras_rectifiers.calibrate(model, (x, y)),
        keras_rectifiers.finetune(model, (x, y), treatment="revive", epochs=1),
        revival.revive(revived, {"first": [0, 1]}),
        revival.restart(restarted),
        _exported(),
    ]
    return {type(each).__name__: each for each in made}


def _model():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu", name="first"),
            keras.layers.Dense(6, activation="relu", name="second"),
            keras.layers.Dense(2, activation="softmax", name="last"),
        ],
        name="small",
    )
    model.layers[0].bias.assign([-100.0] * 2 + [1.0] * 6)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _exported():
    differences = {"samples": 16, "maximum": 1e-6, "mean": 1e-7, "scale": 1.0}
    rectifier = {
        "path": "first",
        "kind": "prelu",
        "operations": ["PRELU"],
        "slope_shape": [8],
        "native": True,
    }
    return ExportResult.from_dict(
        {
            "model": "small",
            "format": "litert",
            "target": "small.tflite",
            "precision": "float32",
            "size": 2048,
            "backend": "tensorflow",
            "batch": None,
            "rectifiers": [rectifier],
            "operations": {"PRELU": 1},
            "fallbacks": [],
            "differences": differences,
            "tolerance": 1e-4,
            "judged": "maximum",
            "inputs": "16 samples that were made up",
            "twin": None,
            "advice": [],
            "versions": {"keras": "3.15"},
        }
    )
