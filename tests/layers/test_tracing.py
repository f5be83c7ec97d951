"""The form in which the layers are traced for an export, and who counts as one."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_rectifiers import layers
from keras_rectifiers.layers import tracing

BACKEND = keras.config.backend()
tensorflow_only = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="what TensorFlow's exporters trace"
)
torch_only = pytest.mark.skipif(BACKEND != "torch", reason="what torch's tracers do")
old_interpreter = pytest.mark.filterwarnings(
    "ignore:.*tf.lite.Interpreter is deprecated:UserWarning"
)
jax_only = pytest.mark.skipif(BACKEND != "jax", reason="what JAX' exporter traces")

#: Operations of the training kernels that runtimes do not know.
_FOREIGN = {"IdentityN", "MulNoNan", "SelectV2", "LessEqual", "Equal"}


def _prelu(slopes, **options):
    return layers.PReLU(
        alpha_initializer=keras.initializers.Constant(slopes), **options
    )


def _model(*rectifiers, shape=(6, 6, 3)):
    stack = [keras.Input(shape)]
    for rectifier in rectifiers:
        convolution = {3: keras.layers.Conv2D, 4: keras.layers.Conv3D}[len(shape)]
        stack += [convolution(4, 2), rectifier]
    return keras.Sequential([*stack, keras.layers.Flatten(), keras.layers.Dense(2)])


def _samples(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


SLOPES = [[0.25, -0.5, 0.0, 1.0], [2.0, 0.1, -3.0, 0.5]]


@pytest.mark.parametrize("form", ["prelu", "sum"])
@pytest.mark.parametrize("slopes", SLOPES, ids=["up-to-1", "above-1"])
@pytest.mark.parametrize("max_value", [None, 0.75])
@pytest.mark.parametrize("rank", [2, 4, 5])
def test_forms_have_the_values_of_the_kernel(form, slopes, max_value, rank):
    """Both forms give what the layer gives, for any slope, cap and rank."""
    layer = _prelu(slopes, max_value=max_value)
    x = _samples((2, *(3,) * (rank - 2), 4))
    expected = ops.convert_to_numpy(layer(x))

    with tracing.exporting(form):
        got = ops.convert_to_numpy(layer(x))

    _assert_same(got, expected, form)


def _assert_same(got, expected, form):
    """Equal, bit for bit; the sum rounds a negative value twice."""
    if form == "sum":
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate_multiplier": 4.0},
        {"trained_channels": [1, 3]},
        {"shared_axes": [1]},
        {"shared_axes": None},
    ],
    ids=str,
)
def test_every_way_to_hold_slopes_is_exported(options):
    """Slopes that are computed, held or shared otherwise mean the same."""
    layer = layers.PReLU(keras.initializers.RandomUniform(-0.5, 0.9, 3), **options)
    x = _samples((2, 3, 5, 4))
    expected = ops.convert_to_numpy(layer(x))

    for form in ("prelu", "sum"):
        with tracing.exporting(form):
            _assert_same(ops.convert_to_numpy(layer(x)), expected, form)


def test_slopes_of_the_first_axis_stay_with_their_channels():
    """Channels first: the slopes keep their axis, in both forms."""
    layer = _prelu([0.1, 0.2, 0.3], data_format="channels_first")
    x = _samples((2, 3, 4, 5))
    expected = ops.convert_to_numpy(layer(x))

    for form in ("prelu", "sum"):
        with tracing.exporting(form):
            _assert_same(ops.convert_to_numpy(layer(x)), expected, form)


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", *(["float64"] if BACKEND != "jax" else [])]
)
def test_forms_keep_the_dtype(dtype):
    """An export computes in the layer's dtype, as the layer does."""
    layer = _prelu([0.25, 0.5, 0.0, -1.0], dtype=dtype)
    leaky = layers.LeakyReLU(0.25, max_value=0.5, dtype=dtype)
    x = ops.cast(_samples((2, 4)), dtype)

    for each in (layer, leaky):
        expected = each(x)
        with tracing.exporting():
            got = each(x)
        assert keras.backend.standardize_dtype(got.dtype) == dtype
        assert bool(ops.all(got == expected))


def test_the_choice_ends_with_the_block():
    """After the block, also after an error in it, training kernels are back."""
    x = ops.zeros((1, 2))
    seen = []

    def fail():
        with tracing.exporting("sum"):
            seen.append(tracing.form(x))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()

    assert seen == ["sum"]
    assert tracing.form(x) is None


def test_training_and_prediction_are_no_export():
    """`fit`, `evaluate` and `predict` trace the kernels that hold at -inf."""
    seen = []

    class Watched(layers.PReLU):
        def call(self, inputs):
            seen.append(tracing.form(inputs))
            return super().call(inputs)

    model = _model(Watched())
    model.compile("sgd", "mse")
    x, y = _samples((4, 6, 6, 3)), np.zeros((4, 2), "float32")
    model.fit(x, y, verbose=0)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)

    assert seen
    assert set(seen) == {None}


def _operations(path):
    """Names of all operations of a SavedModel, functions included."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    functions = [node for each in graph.library.function for node in each.node_def]
    return {node.op for node in [*graph.node, *functions]}


@tensorflow_only
@pytest.mark.parametrize("way", ["model.export", "tf.saved_model.save"])
def test_saved_models_hold_plain_operations(way, tmp_path):
    """No operation of a stated gradient is left in a SavedModel, by either way."""
    import tensorflow as tf

    model = _model(_prelu(SLOPES[0], max_value=2.0), layers.LeakyReLU(0.1))
    if way == "model.export":
        model.export(tmp_path, verbose=False)
    else:
        tf.saved_model.save(model, tmp_path)

    operations = _operations(tmp_path)
    assert {"Relu", "LeakyRelu", "Minimum"} <= operations
    assert not operations & _FOREIGN


@tensorflow_only
@old_interpreter
@pytest.mark.parametrize("way", ["model.export", "TFLiteConverter"])
@pytest.mark.parametrize("max_value", [None, 2.0])
def test_litert_fuses_each_rectifier_to_one_operation(way, max_value, tmp_path):
    """One PRELU for each PReLU with slopes of all axes but the batch, equal values."""
    import tensorflow as tf

    rectifiers = [_prelu(SLOPES[0], max_value=max_value), layers.LeakyReLU(0.1)]
    model = _model(*rectifiers)
    if way == "model.export":
        model.export(tmp_path / "m.tflite", format="litert", verbose=False)
        content = (tmp_path / "m.tflite").read_bytes()
    else:
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()

    interpreter = tf.lite.Interpreter(model_content=content)
    names = [each["op_name"] for each in interpreter._get_ops_details()]
    assert names.count("PRELU") == names.count("LEAKY_RELU") == 1
    assert names.count("MINIMUM") == (max_value is not None)
    x = _samples((1, 6, 6, 3))
    np.testing.assert_allclose(_run_litert(interpreter, x), model(x), atol=1e-5)


@tensorflow_only
@old_interpreter
def test_litert_runs_what_has_no_fused_form(tmp_path):
    """Five axes are too many for PRELU: plain operations, and the file runs."""
    import tensorflow as tf

    model = _model(_prelu(SLOPES[1]), shape=(4, 4, 4, 2))
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()

    x = _samples((1, 4, 4, 4, 2))
    got = _run_litert(tf.lite.Interpreter(model_content=content), x)
    np.testing.assert_allclose(got, model(x), atol=1e-5)


def _run_litert(interpreter, x):
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@tensorflow_only
def test_a_function_traced_before_the_converter_needs_the_block():
    """`exporting` reaches a trace that no exporter makes."""
    import tensorflow as tf

    model = _model(_prelu(SLOPES[0]))
    spec = tf.TensorSpec((1, 6, 6, 3))

    def operations():
        traced = tf.function(model.call).get_concrete_function(spec)
        return {operation.type for operation in traced.graph.get_operations()}

    assert operations() & _FOREIGN
    with tracing.exporting():
        assert not operations() & _FOREIGN
    with tracing.exporting("sum"):
        assert not operations() & {*_FOREIGN, "Neg"}


@torch_only
def test_torch_exports_plain_operations():
    """A program of `torch.export` holds no function of ours and the same values."""
    import torch

    model = _model(_prelu(SLOPES[0], max_value=2.0), layers.LeakyReLU(0.1))
    x = torch.from_numpy(_samples((2, 6, 6, 3)))
    program = torch.export.export(model.eval(), (x,))

    names = {str(node.target) for node in program.graph.nodes}
    assert any("relu" in name for name in names)
    assert not any("autograd" in name or "select" in name for name in names)
    assert torch.allclose(program.module()(x), model(x), atol=1e-6)


@torch_only
@pytest.mark.filterwarnings("ignore")
def test_torch_traces_the_same_graph_twice():
    """`torch.jit.trace` compares two traces, which a stated gradient made differ."""
    import torch

    model = _model(_prelu(SLOPES[0]), layers.LeakyReLU(0.1))
    x = torch.from_numpy(_samples((2, 6, 6, 3)))
    traced = torch.jit.trace(model.eval(), (x,))

    assert "PythonOp" not in str(traced.inlined_graph)
    assert torch.allclose(traced(x), model(x), atol=1e-6)


@jax_only
@pytest.mark.filterwarnings("ignore:.*native_serialization:DeprecationWarning")
def test_jax_exports_plain_operations(tmp_path):
    """A SavedModel that JAX wrote gives the layer's values in TensorFlow."""
    tf = pytest.importorskip("tensorflow")
    model = _model(_prelu(SLOPES[0], max_value=2.0), layers.LeakyReLU(0.1))
    model.export(tmp_path, verbose=False)
    x = _samples((2, 6, 6, 3))

    served = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(served.serve(x), model(x), atol=1e-5)
