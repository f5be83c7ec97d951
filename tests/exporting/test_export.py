"""`export`, with its child process."""

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import ExportError
from keras_rectifiers.errors import ExportVerificationError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting import own_code
from keras_rectifiers.exporting.export import _model
from keras_rectifiers.exporting.result import ExportResult
from keras_rectifiers.exporting.samples import gathered
from keras_rectifiers.types import Data
from tests.exporting.conftest import BACKEND
from tests.exporting.conftest import Doubled
from tests.exporting.conftest import small


def _names(folder):
    return sorted(each.name for each in folder.iterdir())


def test_a_live_model_is_exported_with_its_twin(tmp_path):
    """The file, and a report that is plain data and tables; with a user's class."""
    x = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype("float32")
    data = (x, np.arange(6) % 3)
    model = small(last=Doubled())
    before = [np.array(each) for each in model.get_weights()]

    result = keras_rectifiers.export(model, tmp_path / "a.tflite", data=data)

    assert _names(tmp_path) == ["a.tflite"]
    assert result.holds
    assert result.size == (tmp_path / "a.tflite").stat().st_size
    assert result.twin.size < result.size
    assert result.twin.ratio > 0
    assert bool(result.fallbacks) == (BACKEND != "tensorflow")
    assert result.differences.metric == "accuracy"
    assert "LEAKY_RELU" in str(result)
    assert result.headline.startswith("small as litert (float32)")
    again = result.to_dict()
    assert again.pop("holds")
    again["twin"].pop("ratio")
    assert ExportResult.from_dict(again) == result
    assert len(result.parts()) > 3
    assert all(
        np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)
    )


@pytest.mark.parametrize("streams", [False, True], ids=["arrays", "streams"])
def test_outputs_are_compared_on_test_arrays_that_python_gives(streams, tmp_path):
    """As for a file: what a model was trained on says little about it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 8, 8, 3)).astype("float32")
    x_test = rng.normal(size=(6, 8, 8, 3)).astype("float32")
    data = Data(x, np.zeros(20), x_test=x_test, y_test=np.zeros(6))
    if streams:
        parts = (x[:8], x[8:]), (x_test[:4], x_test[4:])
        data = Data(iter(parts[0]), x_test=iter(parts[1]))

    result = keras_rectifiers.export(small(), tmp_path / "a.tflite", data=data)

    assert result.differences.samples == 6
    assert result.inputs.endswith("(x_test)")


def test_past_the_tolerance_nothing_is_written(saved, tmp_path):
    """The target stays what it was, and the error has the whole result."""
    target = tmp_path / "a.tflite"
    target.write_text("before")
    asked = {"float16": True, "tolerance": 0.0, "twin": False, "overwrite": True}

    with pytest.raises(ExportVerificationError, match="Verification failed") as error:
        keras_rectifiers.export(saved / "small.keras", target, **asked)

    assert target.read_text() == "before"
    assert _names(tmp_path) == ["a.tflite"]
    assert error.value.result.target is None
    assert error.value.result.differences.maximum > 0

    result = keras_rectifiers.export(saved / "small.keras", target, force=True, **asked)

    assert not result.holds
    assert target.read_bytes()[4:8] == b"TFL3"


@pytest.mark.slow
@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize(
    "kind",
    [
        *("prelu", "capped", "leaky_relu", "folded"),
        *("portable", "portable capped", "portable capped leaky_relu"),
    ],
)
def test_every_format_takes_every_kind(name, kind, tmp_path):
    """Equal to 1e-5, with exactly one operation where the format has one."""
    form = formats.FORMATS[name]
    try:
        formats.backend_for(form, keras.config.backend())
    except ExportError as error:
        pytest.skip(str(error))
    relus = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.ReLU(6.0 if "capped" in kind else None, name="a"),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="relu", name="b"),
            keras.layers.Dense(2),
        ],
    )
    to = "leaky_relu" if "leaky_relu" in kind else "prelu"
    model = keras_rectifiers.convert(relus, to, portable="portable" in kind)
    for each in ("a", "b") if to == "prelu" and kind != "folded" else ():
        layer = model.get_layer(each)
        slopes = getattr(layer, "activation", layer).weights[0]
        slopes.assign(
            np.linspace(0.1, 0.3, int(np.prod(slopes.shape))).reshape(slopes.shape)
        )
    target = tmp_path / f"a{form.suffix}"

    result = keras_rectifiers.export(model, target, name, twin=False)

    assert result.holds
    assert result.differences.maximum < 1e-5
    assert all(each.native for each in result.rectifiers)
    assert len(result.rectifiers) == (0 if kind == "folded" else 2)
    if name in ("litert", "onnx", "openvino"):
        longest = 2 if "capped" in kind else 1
        assert all(len(each.operations) <= longest for each in result.rectifiers)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "onnxx"}, "Did you mean 'onnx'"),
        ({"int8": True, "float16": True}, "int8 and float16"),
        ({"int8": True}, "int8 must be calibrated on data"),
        ({"format": "savedmodel", "int8": True}, "litert"),
        ({"opset": 17}, "opset is only available for the format onnx"),
        ({"arithmetic": True}, "arithmetic is only available for the format onnx"),
        ({"batch": 0}, "batch must be"),
        ({"limit": True}, "limit must be"),
        ({"tolerance": float("nan")}, "tolerance must be"),
        ({"timeout": 0}, "timeout must be"),
    ],
    ids=str,
)
def test_options_that_contradict_are_refused(options, words, saved, tmp_path):
    """Before any work, in one sentence, with nothing left behind."""
    target = tmp_path / (
        "served" if options.get("format") == "savedmodel" else "a.tflite"
    )

    with pytest.raises(ArgumentError, match=words):
        keras_rectifiers.export(saved / "small.keras", target, **options)

    assert _names(tmp_path) == []


def test_what_is_no_model_is_a_type_error(tmp_path):
    """A path is text, or a path object."""
    with pytest.raises(TypeError, match=r"keras\.Model or a path"):
        keras_rectifiers.export(3, tmp_path / "a.tflite")


def test_own_classes_are_found_by_their_modules(monkeypatch):
    """Those of the program itself are not there for another process."""
    model = keras.Sequential([keras.Input((4,)), Doubled()])
    assert "tests.exporting.conftest" in own_code.modules(model)
    own = own_code.places({"small": small, "made": lambda: None, "number": 3})
    assert own == {"small": "tests.exporting.conftest:small"}

    class Main(keras.layers.Layer):
        pass

    monkeypatch.setattr(Main, "__module__", "__main__")
    model = keras.Sequential([keras.Input((2,)), Main()])
    with pytest.raises(UnsupportedModelError, match="Move it to a separate module"):
        own_code.modules(model)


def test_a_model_that_keras_cannot_save_is_refused(tmp_path):
    """The message says what it lacks."""

    class Stubborn(keras.Model):
        def __init__(self, size):
            super().__init__()
            self.size = size

        def save(self, path):
            raise NotImplementedError("no config")

    with pytest.raises(UnsupportedModelError, match="no config"):
        _model(Stubborn(3), tmp_path, None)


def test_streams_give_their_first_samples():
    """A generator may never end; one that gives nothing is an error."""

    def forever():
        while True:
            yield np.ones((4, 2), "float32"), np.zeros(4)

    assert gathered(forever(), 10, "stream").x.shape == (10, 2)
    with pytest.raises(DataError, match="no samples"):
        gathered(iter(()), 10, "stream")


def test_importing_the_verb_loads_no_framework():
    """The parent process needs none for a file."""
    from tests import fresh

    code = """
import json, sys
import keras_rectifiers
keras_rectifiers.export
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    loaded = set(fresh.run(".", code))

    assert "keras_rectifiers" in loaded
    assert not loaded & {"keras", "tensorflow", "torch", "jax", "onnx", "openvino"}
