"""The steps of an export, in this process: what a small model becomes."""

import importlib.util
import json

import keras
import numpy as np
import pytest

from keras_rectifiers import layers
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting import prepare
from keras_rectifiers.exporting import processes
from keras_rectifiers.exporting.child import Progress
from keras_rectifiers.exporting.request import Request
from tests.exporting.conftest import BACKEND
from tests.exporting.conftest import slopes
from tests.exporting.conftest import small

pytestmark = [
    pytest.mark.skipif(BACKEND != "tensorflow", reason="most formats are TensorFlow's"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated"),
    # tf2onnx asks NumPy for names that it no longer has.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def needs(name):
    """Skip where what a format needs is not installed."""
    lacking = formats.missing(formats.FORMATS[name], "tensorflow")
    return pytest.mark.skipif(bool(lacking), reason=f"needs {', '.join(lacking)}")


@pytest.fixture
def run(tmp_path):
    """Do a job in this process; give the result that it leaves."""
    from keras_rectifiers.exporting import job

    def run(model, target, **options):
        form = formats.wanted(options.pop("format", None), tmp_path / target)
        request = Request(
            model=str(model),
            shown_as=str(model),
            format=form.name,
            target=str(tmp_path / target),
            limit=24,
            **{"twin": False, **options},
        )
        job.run(request, Progress(tmp_path))
        return json.loads((tmp_path / processes.RESULT).read_text())

    return run


def _operations(result):
    return {each["path"]: each["operations"] for each in result["rectifiers"]}


_EXPANDED = ["Relu", "Neg", "Relu", "Mul", "AddV2"]


@pytest.mark.parametrize(
    ("target", "form", "prelu", "cap", "leaky"),
    [
        ("a.tflite", "litert", ["PRELU"], ["MINIMUM"], ["LEAKY_RELU"]),
        ("served", "savedmodel", _EXPANDED, ["Minimum"], ["LeakyRelu"]),
        pytest.param(
            *("a.onnx", "onnx", ["PRelu"], ["Min"], ["LeakyRelu"]),
            marks=needs("onnx"),
        ),
        pytest.param(
            *("a.xml", "openvino", ["PRelu"], ["Minimum"], ["PRelu"]),
            marks=needs("openvino"),
        ),
    ],
    ids=["litert", "savedmodel", "onnx", "openvino"],
)
def test_each_rectifier_is_the_operation_of_its_format(
    run, saved, target, form, prelu, cap, leaky
):
    """One operation where the format has one, a minimum for a cap, equal outputs."""
    result = run(saved / "small.keras", target, format=form)

    assert _operations(result) == {
        "own": prelu,
        "second": [*prelu, *cap],
        "leaky": leaky,
    }
    assert all(each["native"] for each in result["rectifiers"])
    assert result["differences"]["maximum"] < 1e-5
    assert result["size"] > 1000
    assert result["versions"]["keras"] == keras.__version__


def test_int8_is_a_sum_and_as_good_as_plain_relus(run, saved):
    """PRELU is slow in 8 bits; the twin is exported in the same way."""
    data = {"data": str(saved / "data.npz"), "precision": "int8"}
    result = run(saved / "small.keras", "a.tflite", twin=True, **data)

    made = _operations(result)
    own, twin = result["differences"], result["twin"]["differences"]
    assert made["own"] == ["MUL", "ADD"]
    assert made["second"] == ["MUL", "ADD", "MINIMUM"]
    assert "PRELU" not in result["operations"]
    assert own["samples"] == 24
    assert own["metric"] == twin["metric"] == "accuracy"
    assert 0 < own["maximum"] < 0.1 * own["scale"]
    assert all(each > 0 for each in result["twin"]["milliseconds"])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("a.tflite", "PRELU"),
        pytest.param("a.onnx", "PRelu", marks=needs("onnx")),
        pytest.param("a.xml", "PRelu", marks=needs("openvino")),
    ],
)
@pytest.mark.parametrize("own", [True, False], ids=["own", "stock"])
def test_slopes_for_each_position_are_one_operation(
    run, tmp_path, target, expected, own
):
    """tf2onnx keeps transpositions around such slopes, and around no others."""
    prelu = layers.PReLU if own else keras.layers.PReLU
    model = keras.Sequential(
        [
            keras.Input((8, 7, 3)),
            keras.layers.Conv2D(4, 3),
            prelu(slopes(), shared_axes=None, name="every"),
            keras.layers.Conv2D(4, 3),
            prelu(slopes(), shared_axes=[1], name="columns"),
            keras.layers.MaxPooling2D(),
            prelu(slopes(), shared_axes=[1, 2], name="channels"),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    model.save(tmp_path / "a.keras")

    result = run(tmp_path / "a.keras", target)

    names = ("every", "columns", "channels")
    assert _operations(result) == {name: [expected] for name in names}
    assert result["differences"]["maximum"] < 1e-5


@needs("onnx")
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_onnx_has_plain_operations_on_request(run, saved, precision):
    """Faster in ONNX Runtime on CPUs than its PRelu, in float and beside 8 bits."""
    data = {"data": str(saved / "data.npz"), "precision": precision}

    result = run(saved / "small.keras", "a.onnx", arithmetic=True, **data)

    expected = {"float32": ["Mul", "Relu", "Add"], "int8": ["Mul", "Add"]}
    assert _operations(result)["own"] == expected[precision]
    assert "PRelu" not in result["operations"]
    assert result["differences"]["maximum"] < (1e-5 if precision == "float32" else 0.1)


@pytest.mark.slow
def test_slopes_above_1_stay_prelu_in_8_bits(run, tmp_path):
    """The sum holds for slopes up to 1 only."""
    model = small()
    model.get_layer("own").weights[0].assign([0.5, 0.5, 1.5, 0.5])
    model.save(tmp_path / "steep.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(8, 8, 8, 3)))

    result = run(
        *(tmp_path / "steep.keras", "a.tflite"),
        data=str(tmp_path / "x.npy"),
        precision="int8",
    )

    assert _operations(result)["own"] == ["PRELU"]


def test_slopes_of_0_are_folded_first(run, tmp_path):
    """A converted model that did not train is exported as a ReLU model."""
    model = small()
    for name in ("own", "second"):
        model.get_layer(name).weights[0].assign(np.zeros(4))
    model.save(tmp_path / "zero.keras")

    # A module that is not needed need not be there.
    result = run(tmp_path / "zero.keras", "a.tflite", modules=("no_such_module",))

    assert list(_operations(result)) == ["leaky"]
    assert "PRELU" not in result["operations"]
    assert result["fallbacks"] == [
        "2 rectifiers with slopes of 0 became plain ReLUs, bit for bit."
    ]


@pytest.mark.slow
def test_recurrent_layers_get_a_batch_of_1(run, tmp_path):
    """An open batch needs operations that LiteRT does not have."""
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            keras.layers.LSTM(4),
            layers.PReLU(slopes(), name="p"),
            keras.layers.Dense(2),
        ]
    )
    model.save(tmp_path / "lstm.keras")

    result = run(tmp_path / "lstm.keras", "a.tflite")

    assert result["batch"] == 1
    assert "batch size is fixed at 1" in result["fallbacks"][0]
    assert result["differences"]["maximum"] < 1e-5


@pytest.mark.slow
def test_inputs_of_rank_5_run(run, tmp_path):
    """PRELU takes no such tensor, so several operations do."""
    model = keras.Sequential(
        [
            keras.Input((4, 4, 4, 2)),
            keras.layers.Conv3D(3, 2),
            layers.PReLU(slopes(), name="p"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    model.save(tmp_path / "deep.keras")

    result = run(tmp_path / "deep.keras", "a.tflite")

    assert _operations(result)["p"] == ["RELU", "NEG", "RELU", "MUL", "SUB"]
    assert not result["rectifiers"][0]["native"]
    assert "The format has no single operation" in result["fallbacks"][0]
    assert result["differences"]["maximum"] < 1e-5


def test_mixed_precision_becomes_float32(tmp_path):
    """Policies are those of the weights, and the notes say so."""
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_float16")]
    )

    notes = prepare.in_float32(model)

    assert model.layers[0].compute_dtype == "float32"
    assert model(np.ones((1, 4))).dtype == "float32"
    assert "mixed_float16" in notes[0]
    assert prepare.in_float32(model) == []


def test_several_inputs_and_outputs_keep_their_order(run, tmp_path):
    """Names that sort otherwise than they are listed, outputs of one shape."""
    a, b = keras.Input((4,), name="zz"), keras.Input((3,), name="aa")
    h = keras.layers.Concatenate()([a, b])
    outputs = [keras.layers.Dense(2, name=name)(h) for name in ("y", "x", "w")]
    keras.Model([a, b], outputs).save(tmp_path / "many.keras")

    for target in ("a.tflite", "served"):
        form = None if "." in target else "savedmodel"
        result = run(tmp_path / "many.keras", target, format=form)

        assert result["differences"]["maximum"] < 1e-5
        assert result["differences"]["scale"] > 0.1


class _Unknown(keras.layers.Layer):
    def call(self, x):
        return x


def _saved(path, *stack, shape=(4,)):
    keras.Sequential([keras.Input(shape), *stack]).save(path)
    return path


def test_operations_without_a_counterpart_are_named(run, tmp_path):
    """With the layer that they belong to; the runtime would need Flex for them."""
    i = keras.Input((4,))
    h = keras.layers.Dense(3)(i)
    h = keras.ops.erfinv(keras.ops.tanh(h) * 0.9)
    keras.Model(i, keras.layers.Dense(2)(h)).save(tmp_path / "odd.keras")

    targets = {"litert": "a.tflite", "onnx": "a.onnx", "openvino": "a.xml"}
    for name, target in targets.items():
        if formats.missing(formats.FORMATS[name], "tensorflow"):
            continue
        with pytest.raises(UnsupportedModelError, match=r"Erfinv \(in \S*erfinv"):
            run(tmp_path / "odd.keras", target)


def test_what_cannot_be_exported_is_refused(run, saved, tmp_path):
    """Open axes, data of another shape, a class that nobody knows, no slopes yet."""
    conv = keras.layers.Conv1D(2, 2)
    opened = _saved(tmp_path / "open.keras", conv, shape=(None, 2))
    unknown = _saved(tmp_path / "unknown.keras", _Unknown())
    host = keras.layers.Dense(3, activation=layers.PReLU())
    unbuilt = _saved(tmp_path / "unbuilt.keras", host)

    with pytest.raises(ArgumentError, match="fixed lengths"):
        run(opened, "a.tflite")
    with pytest.raises(DataError, match="9 x 9 x 3"):
        run(saved / "small.keras", "a.tflite", data=str(saved / "wide.npz"))
    lost = {"modules": ("no_such_module",)}
    with pytest.raises(UnknownClassError, match=r"_Unknown.*import no_such_module"):
        run(unknown, "a.tflite", **lost)
    with pytest.raises(UnsupportedModelError, match="no slopes yet"):
        run(unbuilt, "a.tflite")
    assert not (tmp_path / "a.tflite").exists()


def test_litert_has_an_interpreter_of_its_own():
    """The one that the extra installs is preferred to TensorFlow's."""
    from keras_rectifiers.exporting.runners import litert

    own = importlib.util.find_spec("ai_edge_litert") is not None

    assert litert._interpreter()[0] == ("ai-edge-litert" if own else "tensorflow")


def test_outputs_are_compared_on_test_arrays(run, saved, tmp_path):
    """What a model was trained on says little about it."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.normal(size=(20, 8, 8, 3)),
        "x_test": rng.normal(size=(6, 8, 8, 3)),
        "y_train": np.zeros(20),
        "y_test": np.zeros(6),
    }
    np.savez(tmp_path / "parts.npz", **arrays)

    result = run(saved / "small.keras", "a.tflite", data=str(tmp_path / "parts.npz"))

    assert result["differences"]["samples"] == 6
    assert result["inputs"].endswith("parts.npz (x_test)")
