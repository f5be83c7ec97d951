"""What is told of devices, and that their own tools say the same."""

import importlib.util
import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers import layers
from keras_rectifiers.cli import export as cli
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import ExportTargetError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting import targets
from keras_rectifiers.exporting.inspectors.found import Operation

BACKEND = keras.config.backend()
LITERT = formats.FORMATS["litert"]
INT8 = frozenset({"int8"})

on_tensorflow = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="LiteRT is written by TensorFlow"
)
#: Its runtime has a newer one, of which it speaks at each use.
quiet = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")


def node(name, *constants, types=INT8, **more):
    return Operation(name, f"at/{name.lower()}", frozenset(types), constants, **more)


# What the documentation says of rectifiers.

_PER_CHANNEL = (1, 1, 4)
_PER_PLACE = (6, 6, 4)


@pytest.mark.parametrize(
    ("operation", "runs_on"),
    [
        (node("RELU"), {"edgetpu", "tflite-micro", "ethos-u"}),
        (node("RELU6"), {"edgetpu", "tflite-micro", "ethos-u"}),
        (node("RELU_N1_TO_1"), {"edgetpu", "ethos-u"}),
        (node("RELU_0_TO_1"), {"ethos-u"}),
        (node("MINIMUM", ()), {"edgetpu", "tflite-micro", "ethos-u"}),
        (node("LEAKY_RELU", slope=0.1), {"tflite-micro", "ethos-u"}),
        (node("PRELU", _PER_CHANNEL), {"edgetpu", "tflite-micro", "ethos-u"}),
        (node("PRELU", (4,)), {"edgetpu", "tflite-micro", "ethos-u"}),
        (node("PRELU", _PER_PLACE), {"tflite-micro", "ethos-u"}),
        (node("MUL", _PER_PLACE, fused=True), {"edgetpu", "tflite-micro", "ethos-u"}),
        (node("MAX_POOL_2D", fused=True), {"tflite-micro", "ethos-u"}),
        (node("MAX_POOL_2D"), {"edgetpu", "tflite-micro", "ethos-u"}),
        (node("RELU", types={"float32"}), {"tflite-micro"}),
        (node("RELU", types={"int16"}), {"tflite-micro", "ethos-u"}),
        (node("DEQUANTIZE", types={"float16", "float32"}), set()),
    ],
    ids=lambda each: each.name if isinstance(each, Operation) else "",
)
def test_each_device_runs_what_it_is_documented_to_run(operation, runs_on):
    found = {name for name in targets.TARGETS if not targets.refusal(name, [operation])}

    assert found == runs_on


@pytest.mark.parametrize("name", ["edgetpu", "ethos-u"])
def test_a_file_may_have_float_inputs_and_outputs(name):
    both = frozenset({"int8", "float32"})
    ends = [
        node("QUANTIZE", types=both, at_edge=True),
        node("RELU"),
        node("DEQUANTIZE", types=both, at_edge=True),
    ]
    within = [node("DEQUANTIZE", types=both), node("QUANTIZE", types=both)]

    assert targets.refusal(name, ends) == ""
    assert "2 of 5 operations do not run" in targets.refusal(name, [*ends, *within])


def test_a_refusal_names_operations_and_places_and_a_way_out():
    nodes = [node("CONV_2D", (4, 3, 3, 3), (4,)), node("LEAKY_RELU", slope=0.1)]

    assert targets.refusal("edgetpu", nodes) == (
        "1 of 2 operations does not run on the Edge TPU: LEAKY_RELU (in "
        "at/leaky_relu). From there on, the model would run on the host CPU. "
        "Make it a PReLU with the same slope: keras-rectifiers convert --of "
        "leaky_relu --to prelu --alpha 0.1."
    )


def test_a_refusal_of_slopes_for_each_place_proposes_shared_axes():
    said = targets.refusal("edgetpu", [node("PRELU", _PER_PLACE)])

    assert "shared_axes=[1, 2]" in said
    assert "keras-rectifiers fold --tolerance" in said


def test_a_refusal_names_each_kind_once_and_few_of_them():
    nodes = [node(name) for name in ("POW", "POW", "SIGN", "WHERE", "TOPK_V2")]
    said = targets.refusal("tflite-micro", nodes)

    assert said.startswith("5 of 5 operations do not run on LiteRT for Microcontr")
    assert said.count("POW") == 1
    assert "WHERE (in at/where) and others." in said
    assert "TOPK_V2" not in said


# What can be told before anything is done.


@pytest.mark.parametrize(
    ("name", "form", "precision", "told"),
    [
        ("edgetpu", "litert", "float32", "int8=True and data= "),
        ("edgetpu", "litert", "float16", "int8 models only. Received: float16"),
        ("ethos-u", "litert", "dynamic", "The Ethos-U runs int8 models only"),
        ("tflite-micro", "litert", "float16", "float32 and int8 models only"),
        ("tflite-micro", "onnx", "float32", "Received: format='onnx'"),
        ("hailo", "litert", "int8", "one of edgetpu, tflite-micro, ethos-u"),
    ],
)
def test_what_a_device_cannot_run_is_refused_at_once(name, form, precision, told):
    with pytest.raises(ArgumentError, match=re.escape(told)):
        targets.check(name, formats.FORMATS[form], precision)


def test_what_a_device_can_run_is_not_refused():
    for name, target in targets.TARGETS.items():
        for precision in target.precisions:
            targets.check(name, LITERT, precision)


def test_the_command_line_offers_each_device():
    (option,) = [each for each in cli.command.params if each.name == "device"]
    assert tuple(option.type.choices) == tuple(targets.TARGETS)


# The whole way, with files.


def model_of(rectifier):
    """A convolution, a rectifier, and a dense layer."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            rectifier,
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )


def slopes(low=0.1, high=0.4):
    return keras.initializers.RandomUniform(low, high, seed=1)


def steep():
    """With a slope above 1 int8 keeps the operation PRELU."""
    return slopes(0.5, 1.5)


VARIANTS = {
    "relu": keras.layers.ReLU,
    "relu6": lambda: keras.layers.ReLU(6.0),
    "capped": lambda: keras.layers.ReLU(2.0),
    "elu": keras.layers.ELU,
    "leaky": lambda: layers.LeakyReLU(0.125),
    "leaky_capped": lambda: layers.LeakyReLU(0.125, max_value=2.0),
    "channels": lambda: layers.PReLU(slopes()),
    "places": lambda: layers.PReLU(slopes(), shared_axes=None),
    "steep_channels": lambda: layers.PReLU(steep()),
    "steep_places": lambda: layers.PReLU(steep(), shared_axes=None),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Each variant as a file with its operations; made when it is first asked for."""
    from keras_rectifiers.exporting import job
    from keras_rectifiers.exporting import processes
    from keras_rectifiers.exporting.child import Progress
    from keras_rectifiers.exporting.inspectors import litert
    from keras_rectifiers.exporting.request import Request

    folder = tmp_path_factory.mktemp("targets")
    data = folder / "data.npy"
    numbers = np.random.default_rng(0)
    np.save(data, numbers.normal(size=(32, 8, 8, 3)).astype("float32"))
    made = {}

    def exported(variant, precision):
        key = (variant, precision)
        if key not in made:
            place = folder / "-".join(key)
            place.mkdir()
            model_of(VARIANTS[variant]()).save(place / "model.keras")
            request = Request(
                model=str(place / "model.keras"),
                shown_as=variant,
                format="litert",
                target=str(place / "model.tflite"),
                precision=precision,
                data=str(data),
                limit=32,
                tolerance=1.0,
                twin=False,
                device="tflite-micro",
            )
            job.run(request, Progress(place))
            result = json.loads((place / processes.RESULT).read_text())
            path = place / "model.tflite"
            made[key] = path, litert.inspect(path).nodes, result
        return made[key]

    return exported


@on_tensorflow
@quiet
@pytest.mark.parametrize(
    ("variant", "device", "refused"),
    [
        ("channels", "edgetpu", None),
        ("places", "edgetpu", None),
        ("steep_channels", "edgetpu", None),
        ("steep_places", "edgetpu", "PRELU with slopes for each place"),
        ("leaky", "edgetpu", "LEAKY_RELU"),
        ("elu", "edgetpu", "ELU"),
        ("leaky", "ethos-u", None),
        ("elu", "ethos-u", "ELU in float32"),
    ],
)
def test_what_a_file_consists_of_decides(exported, variant, device, refused):
    said = targets.refusal(device, exported(variant, "int8")[1])

    assert (f"{refused} (in " in said) if refused else said == ""


@on_tensorflow
@quiet
def test_the_result_of_an_export_says_what_was_checked(exported):
    """The fixture exports for microcontrollers."""
    result = exported("channels", "int8")[2]

    assert result["device"] == "tflite-micro"
    assert result["batch"] == 1
    assert any(
        each.startswith("The batch size is fixed at 1") for each in result["fallbacks"]
    )
    assert result["refusal"] == ""


@on_tensorflow
@quiet
def test_nothing_is_written_for_a_device_that_does_not_run_it(tmp_path):
    model = model_of(VARIANTS["leaky"]())
    data = np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype("float32")
    options = {"data": data, "int8": True, "device": "edgetpu", "twin": False}
    target = tmp_path / "model.tflite"

    with pytest.raises(ExportTargetError, match="LEAKY_RELU") as info:
        keras_rectifiers.export(model, target, **options)
    assert list(tmp_path.iterdir()) == []
    assert info.value.result.refusal in str(info.value)

    result = keras_rectifiers.export(model, target, force=True, **options)
    assert result.refusal == info.value.result.refusal
    assert result.refusal in str(result)
    assert target.exists()


# The devices' own tools.


def _vela(path):
    """The operations that vela leaves to the processor, and those of the NPU."""
    command = [sys.executable, "-m", "ethosu.vela", str(path), "--output-dir"]
    command += [str(path.parent), "--show-cpu-operations"]
    command += ["--accelerator-config", "ethos-u55-128"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    counts = {}
    for kind in ("CPU", "NPU"):
        counts[kind] = int(re.search(rf"{kind} operators = (\d+)", done.stdout)[1])
    return counts["CPU"], counts["NPU"]


@on_tensorflow
@quiet
@pytest.mark.skipif(
    importlib.util.find_spec("ethosu") is None, reason="needs ethos-u-vela"
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_vela_leaves_to_the_processor_what_is_told(exported, variant):
    path, nodes, _ = exported(variant, "int8")
    told = [
        each
        for each in nodes
        if targets.refusal("ethos-u", [each])
        or (each.at_edge and each.name in {"QUANTIZE", "DEQUANTIZE"})
    ]
    on_cpu, on_npu = _vela(path)

    assert on_cpu == len(told)
    assert on_npu > 0


@on_tensorflow
@quiet
@pytest.mark.skipif(
    importlib.util.find_spec("ethosu") is None, reason="needs ethos-u-vela"
)
def test_the_operations_of_the_ethos_u_are_those_that_vela_documents(tmp_path):
    command = [sys.executable, "-m", "ethosu.vela", "--supported-ops-report"]
    subprocess.run(
        [*command, "--output-dir", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    report = (tmp_path / "SUPPORTED_OPS.md").read_text()
    tables = re.split(r"^## ", report, flags=re.MULTILINE)
    for device in ("Ethos-U55 and Ethos-U65 TFLite Summary", "Ethos-U85 TFLite Summ"):
        (table,) = [each for each in tables if each.startswith(device)]
        listed = set(re.findall(r"^\| ([A-Z0-9_]+) \|", table, flags=re.MULTILINE))
        assert targets.TARGETS["ethos-u"].operations <= listed


@pytest.fixture(scope="module")
def micro():
    """The interpreter of LiteRT for Microcontrollers."""
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="needs tflite-micro"
    )

    def run(content, x):
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=200_000)
        interpreter.set_input(x, 0)
        interpreter.invoke()
        return interpreter.get_output(0)

    return run


@on_tensorflow
@quiet
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_litert_for_microcontrollers_computes_the_same(
    exported, micro, variant, precision
):
    from keras_rectifiers.exporting.runners import litert
    from keras_rectifiers.exporting.signature import of_model

    path, nodes, result = exported(variant, precision)

    assert targets.refusal("tflite-micro", nodes) == ""

    x = np.random.default_rng(3).normal(size=(1, 8, 8, 3)).astype("float32")
    model = keras.saving.load_model(path.parent / "model.keras")
    (expected,) = litert.Runner(path, of_model(model, 1)).run([x])
    step = result["differences"]["scale"] / 100
    tolerance = 1e-5 if precision == "float32" else step

    np.testing.assert_allclose(micro(path.read_bytes(), x), expected, atol=tolerance)


@on_tensorflow
@quiet
def test_litert_for_microcontrollers_refuses_what_is_told(exported, micro):
    path, nodes, _ = exported("relu", "float16")
    x = np.zeros((1, 8, 8, 3), "float32")

    assert "DEQUANTIZE in float16" in targets.refusal("tflite-micro", nodes)
    with pytest.raises(RuntimeError, match="failed to allocate tensors"):
        micro(path.read_bytes(), x)


@on_tensorflow
@pytest.mark.parametrize("name", ["RELU_N1_TO_1", "RELU_0_TO_1", "GELU"])
def test_litert_for_microcontrollers_lacks_what_is_told(exported, micro, name):
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    path, _, _ = exported("leaky", "float32")
    model = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)
    leaky = schema.BuiltinOperator.LEAKY_RELU
    (code,) = [each for each in model.operatorCodes if each.builtinCode == leaky]
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")

    assert name not in targets.TARGETS["tflite-micro"].operations
    with pytest.raises(RuntimeError, match="failed to allocate tensors"):
        micro(bytes(builder.Output()), np.zeros((1, 8, 8, 3), "float32"))
