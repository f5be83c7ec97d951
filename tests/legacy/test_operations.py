"""TensorFlow's functions in old models: each against TF-Keras' own results."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.legacy.dialects.modernize import Modern
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin

tf_keras = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")


def modern(old: Any) -> Modern:
    """The modern document of a model of TF-Keras."""
    document = json.loads(old.to_json())
    return modernize(document, Origin((2, 15, 0), "tensorflow"))


def opened(result: Modern, tmp_path: Any) -> Any:
    """The model that Keras 3 makes of a modern document."""
    wellformed.check(Survey(result.document), tmp_path)
    return keras.models.model_from_json(json.dumps(result.document))


def same(old: Any, new: Any, values: Any) -> None:
    """Both models give the same results on equal inputs."""
    before = tf_keras.models.Model.__call__(old, values, training=False)
    after = new(values, training=False)
    before, after = tf.nest.flatten(before), tf.nest.flatten(after)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(
            np.asarray(one, "float64"), np.asarray(other, "float64"), 1e-5, 1e-6
        )


SHAPE = (4, 6)
X = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")

#: What users write between layers -> the function that makes it.
FUNCTIONS: dict[str, Any] = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "1 - x": lambda x: 1 - x,
    "x - 1": lambda x: x - 1,
    "x + x": lambda x: x + x,
    "2 / x": lambda x: 2 / x,
    "x / 2": lambda x: x / 2,
    "-x": lambda x: -x,
    "x ** 2": lambda x: x**2,
    "2 ** x": lambda x: 2**x,
    "x // 2": lambda x: x // 2,
    "x % 2": lambda x: x % 2,
    "abs(x)": abs,
    "x > 0": lambda x: tf.cast(x > 0, "float32"),
    "x <= y": lambda x: tf.cast(
        (x <= 0.5) & tf.not_equal(x, 0.1) | ~(x >= 0), tf.float32
    ),
    "array * x": lambda x: np.arange(6, dtype="float32") * x,
    "x * constant": lambda x: x * tf.constant([[1.0], [2.0], [3.0], [4.0]]),
    "x - mean": lambda x: x - tf.reduce_mean(x, axis=-1, keepdims=True),
    "slices": lambda x: x[:, 1:, tf.newaxis, ..., 0],
    "steps": lambda x: x[..., ::-1],
    "last": lambda x: x[:, -1],
    "concat": lambda x: tf.concat([x, x * 2], -1),
    "concat constant": lambda x: tf.concat([x, tf.zeros((3, 4, 2))], axis=2),
    "stack": lambda x: tf.stack([x, x + 1], axis=1),
    "split": lambda x: tf.split(x, 2, axis=1),
    "split sizes": lambda x: tf.split(x, [1, 2, 3], axis=-1)[1:],
    "unstack": lambda x: tf.unstack(x, axis=1)[2] + tf.unstack(x, axis=1)[0],
    "reshape": lambda x: tf.reshape(x, (-1, 24)),
    "reshape by shape": lambda x: tf.reshape(x, (tf.shape(x)[0], 24)),
    "reshape by shapes": lambda x: tf.reshape(
        x, [tf.shape(x)[0], tf.shape(x)[1] * tf.shape(x)[2]]
    ),
    "reshape free": lambda x: tf.reshape(x, [tf.shape(x)[0], -1, 3]),
    "reshape of shape": lambda x: tf.reshape(
        x, tf.concat([tf.shape(x)[:1], [3, 8]], axis=0)
    ),
    "reshape of stack": lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 8, 3])),
    "reshape of more": lambda x: tf.reshape(x, [tf.shape(x)[0], 2 * tf.shape(x)[1], 3]),
    "diag_part": lambda x: tf.linalg.diag_part(x[:, :4, :4]),
    "cast": lambda x: tf.cast(x * 3, "int32"),
    "mean": lambda x: tf.reduce_mean(x, [1, 2]),
    "sum": lambda x: tf.reduce_sum(x, axis=1, keepdims=True),
    "max": lambda x: tf.reduce_max(x, 1) - tf.reduce_min(x, 1),
    "prod": lambda x: tf.reduce_prod(x, -1),
    "std": lambda x: tf.math.reduce_std(x, 1) + tf.math.reduce_variance(x, 1),
    "logsumexp": lambda x: tf.reduce_logsumexp(x, -1),
    "any": lambda x: tf.cast(tf.reduce_any(x > 1, -1), "float32"),
    "K.mean": lambda x: tf_keras.backend.mean(x, axis=1),
    "K.clip": lambda x: tf_keras.backend.clip(x, 0, 1),
    "K.relu": lambda x: tf_keras.backend.relu(x, max_value=6),
    "K.relu slope": lambda x: tf_keras.backend.relu(x, alpha=0.1, max_value=1.0),
    "K.relu threshold": lambda x: tf_keras.backend.relu(x, threshold=0.5),
    "K.hard_sigmoid": tf_keras.backend.hard_sigmoid,
    "K.l2_normalize": lambda x: tf_keras.backend.l2_normalize(x, axis=-1),
    "K.concatenate": lambda x: tf_keras.backend.concatenate([x, x], axis=-1),
    "K.permute": lambda x: tf_keras.backend.permute_dimensions(x, (0, 2, 1)),
    "K.batch_dot": lambda x: tf_keras.backend.batch_dot(x, x, axes=(2, 2)),
    "K.expand_dims": lambda x: tf_keras.backend.expand_dims(x, 1),
    "K.sqrt": lambda x: tf_keras.backend.sqrt(tf_keras.backend.square(x)),
    "K.sigmoid": tf_keras.backend.sigmoid,
    "K.softmax": tf_keras.backend.softmax,
    "K.repeat_elements": lambda x: tf_keras.backend.repeat_elements(x, 2, axis=1),
    "K.flatten": tf_keras.backend.batch_flatten,
    "K.tile": lambda x: tf_keras.backend.tile(x, [1, 2, 1]),
    "K.dot": lambda x: tf_keras.backend.dot(x, tf.ones((6, 2))),
    "K.repeat": lambda x: tf_keras.backend.repeat(x[:, 0], 3),
    "K.padding": lambda x: tf_keras.backend.temporal_padding(x, (1, 2)),
    "K.spatial_padding": lambda x: tf_keras.backend.spatial_2d_padding(x[..., None]),
    "K.pool2d": lambda x: tf_keras.backend.pool2d(x[..., None], (2, 2), (2, 2)),
    "K.reverse": lambda x: tf_keras.backend.reverse(x, 1),
    "K.var": lambda x: tf_keras.backend.var(x, 1) + tf_keras.backend.std(x, 1),
    "K.gather": lambda x: tf_keras.backend.gather(x, [0, 1]),
    "K.stack": lambda x: tf_keras.backend.stack([x, x]),
    "K.squeeze": lambda x: tf_keras.backend.squeeze(x[:, :1], 1),
    "K.reshape": lambda x: tf_keras.backend.reshape(x, (-1, 6)),
    "K.elu": lambda x: tf_keras.backend.elu(x) + tf_keras.backend.elu(x, 0.5),
    "K.argmax": tf_keras.backend.argmax,
    "K.cast": lambda x: tf_keras.backend.cast(x, "int32"),
    "K.greater": lambda x: tf_keras.backend.cast(
        tf_keras.backend.greater(x, 0.0), "float32"
    ),
    "K.pow": lambda x: tf_keras.backend.pow(x, 2),
    "K.exp": lambda x: tf_keras.backend.exp(-tf_keras.backend.square(x)),
    "K.sum": lambda x: tf_keras.backend.sum(x, axis=(1, 2), keepdims=True),
    "K.softplus": lambda x: tf_keras.backend.softplus(x) * tf_keras.backend.tanh(x),
    "K.flatten all": tf_keras.backend.flatten,
    "K.conv1d": lambda x: tf_keras.backend.conv1d(x, tf.ones((3, 6, 2))),
    "K.one_hot": lambda x: tf_keras.backend.one_hot(
        tf_keras.backend.cast(x > 0, "int32"), 2
    ),
    "K.epsilon": lambda x: x / (tf_keras.backend.max(x) + tf_keras.backend.epsilon()),
    "K.bias_add": lambda x: tf_keras.backend.bias_add(x, tf.range(6.0)),
    "K.separable": lambda x: tf_keras.backend.depthwise_conv2d(
        x[..., None], tf.ones((3, 3, 1, 2))
    ),
    "K.shape": lambda x: tf_keras.backend.reshape(
        x, (tf_keras.backend.shape(x)[0], 2, 12)
    ),
    "lookup": lambda x: tf.gather(tf.range(9.0), tf.cast(tf.abs(x), "int32")),
    "where": lambda x: tf.where(x > 0, x, 0.0),
    "where_like": lambda x: tf.where(x > 0, tf.zeros_like(x), tf.ones_like(x)),
    "matmul": lambda x: tf.matmul(x, x, transpose_b=True),
    "matmul a": lambda x: tf.matmul(x, x, transpose_a=True),
    "matmul constant": lambda x: x @ tf.ones((6, 2)),
    "tensordot": lambda x: tf.tensordot(x, tf.ones((6, 2)), axes=1),
    "maximum": lambda x: tf.maximum(x, 0.0),
    "maximum right": lambda x: tf.maximum(0.0, x),
    "minimum": lambda x: tf.minimum(x, 0.5),
    "add_n": lambda x: tf.add_n([x, x, x]),
    "squeeze": lambda x: tf.squeeze(tf.expand_dims(x, 1), axis=1),
    "squeeze all": lambda x: tf.squeeze(x[:, :1]),
    "transpose": lambda x: tf.transpose(x, [0, 2, 1]),
    "matrix_transpose": tf.linalg.matrix_transpose,
    "pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]]),
    "pad value": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]], constant_values=3.0),
    "pad reflect": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0]], "REFLECT"),
    "tile": lambda x: tf.tile(x, [1, 2, 1]),
    "repeat": lambda x: tf.repeat(x, 2, axis=1),
    "reverse": lambda x: tf.reverse(x, [1]),
    "roll": lambda x: tf.roll(x, 1, axis=1),
    "gather": lambda x: tf.gather(x, [0, 2], axis=1),
    "sort": lambda x: tf.sort(x, direction="DESCENDING"),
    "argmax": lambda x: tf.argmax(x, axis=-1),
    "one_hot": lambda x: tf.one_hot(tf.argmax(x, -1), 6),
    "top_k": lambda x: tf.math.top_k(x, 2),
    "cumsum": lambda x: tf.cumsum(x, axis=1),
    "cumsum back": lambda x: tf.cumsum(x, axis=1, reverse=True),
    "moments": lambda x: tf.nn.moments(x, [1]),
    "batch_normalization": lambda x: tf.nn.batch_normalization(
        x, tf.ones(6), tf.ones(6) * 2, tf.ones(6), tf.ones(6) * 3, 1e-3
    ),
    "squared_difference": lambda x: tf.math.squared_difference(x, x * 2),
    "atan2": lambda x: tf.atan2(x, x + 1),
    "scalar_mul": lambda x: tf.scalar_mul(2.0, x),
    "clip": lambda x: tf.clip_by_value(x, -0.5, 0.5),
    "l2_normalize": lambda x: tf.nn.l2_normalize(x, axis=-1),
    "norm": lambda x: tf.norm(x, axis=-1),
    "bias_add": lambda x: tf.nn.bias_add(x, tf.range(6.0)),
    "stop_gradient": tf.stop_gradient,
    "identity": lambda x: tf.identity(x) + 1,
    "crelu": tf.nn.crelu,
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, alpha=0.3),
    "leaky_relu default": tf.nn.leaky_relu,
    "elu": tf.nn.elu,
    "selu": tf.nn.selu,
    "gelu": tf.nn.gelu,
    "gelu tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "silu": tf.nn.silu,
    "silu beta": lambda x: tf.nn.silu(x, beta=2.0),
    "swish": tf_keras.activations.swish,
    "x * sigmoid": lambda x: x * tf.nn.sigmoid(x),
    "mish": lambda x: x * tf.tanh(tf.nn.softplus(x)),
    "softmax": lambda x: tf.nn.softmax(x, axis=1),
    "log_softmax": tf.nn.log_softmax,
    "activation": lambda x: tf_keras.activations.relu(x, max_value=3.0),
    "activation gelu": tf_keras.activations.gelu,
    "erf": lambda x: 0.5 * x * (1.0 + tf.math.erf(x / np.sqrt(2.0))),
    **{
        name: lambda x, name=name: getattr(tf.math, name)(x)
        for name in [
            *("tanh", "sigmoid", "softplus", "softsign", "log_sigmoid", "exp"),
            *("square", "abs", "sign", "negative", "floor", "ceil", "round", "rint"),
            *("sin", "cos", "tan", "atan", "sinh", "cosh", "asinh", "expm1"),
            *("reciprocal", "erf", "erfc"),
        ]
    },
    **{
        f"{name} of |x|": lambda x, name=name: getattr(tf.math, name)(tf.abs(x) + 0.1)
        for name in ("log", "log1p", "sqrt", "rsqrt")
    },
    "zeros_like": lambda x: x + tf.zeros_like(x) + tf.ones_like(x),
    "images": lambda x: tf.image.resize(x[..., None], (8, 9)),
    "images nearest": lambda x: tf.image.resize(x[..., None], (8, 9), "nearest"),
    "images v1": lambda x: tf.compat.v1.image.resize_nearest_neighbor(
        x[..., None], (8, 12)
    ),
    "K.resize_images": lambda x: tf_keras.backend.resize_images(
        x[..., None], 2, 2, "channels_last"
    ),
    "gray": lambda x: tf.image.rgb_to_grayscale(tf.stack([x, x, x], -1)),
    "flip": lambda x: tf.image.flip_left_right(x[..., None]),
    "standardization": lambda x: tf.image.per_image_standardization(x[..., None]),
    "depth_to_space": lambda x: tf.nn.depth_to_space(tf.stack([x] * 4, -1), 2),
    "space_to_depth": lambda x: tf.nn.space_to_depth(x[..., None], 2),
    "max_pool2d": lambda x: tf.nn.max_pool2d(x[..., None], 2, 2, "VALID"),
    "avg_pool": lambda x: tf.nn.avg_pool2d(x[..., None], 3, 1, "SAME"),
    "conv2d": lambda x: tf.nn.conv2d(x[..., None], tf.ones((3, 3, 1, 2)), 1, "SAME"),
    "conv1d": lambda x: tf.nn.conv1d(x, tf.ones((3, 6, 2)), 2, "SAME"),
    "depthwise": lambda x: tf.nn.depthwise_conv2d(
        x[..., None], tf.ones((3, 3, 1, 2)), [1, 1, 1, 1], "VALID"
    ),
    "v1 mean": lambda x: tf.compat.v1.reduce_mean(x, axis=1, keep_dims=True),
    "broadcast_to": lambda x: tf.broadcast_to(x[:, None, :1], (3, 2, 1, 6)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gives_the_same_in_keras_3(name: str, tmp_path: Any) -> None:
    inputs = tf_keras.Input(SHAPE)
    old = tf_keras.Model(inputs, FUNCTIONS[name](inputs))
    same(old, opened(modern(old), tmp_path), X)


def tensors_of(value: Any) -> Any:
    """Where each tensor of a document comes from, its shape and dtype."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            config = value["config"]
            yield tuple(config["keras_history"]), config["shape"], config["dtype"]
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from tensors_of(each)


#: Functions whose output's shape is not worked out.
UNKNOWN = {
    *("conv1d", "conv2d", "depthwise", "K.conv1d", "K.separable"),
    *("tensordot", "diag_part", "gray", "moments"),
}


@pytest.mark.parametrize("part", range(6))
def test_shapes_and_dtypes_are_those_that_keras_3_finds(
    part: int, tmp_path: Any
) -> None:
    inputs = tf_keras.Input(SHAPE)
    names = sorted(set(FUNCTIONS) - UNKNOWN)[part::6]
    results = tf.nest.flatten([FUNCTIONS[name](inputs) for name in names])
    result = modern(tf_keras.Model(inputs, [x + x for x in results]))
    new = json.loads(opened(result, tmp_path).to_json())
    found = {key: (s, d) for key, s, d in tensors_of(new["config"]["layers"])}
    stated = tensors_of(result.document["config"]["layers"])
    assert {key: (s, d) for key, s, d in stated} == found


@pytest.mark.parametrize("part", range(6))
def test_nodes_of_a_graph_give_the_same_in_keras_3(part: int, tmp_path: Any) -> None:
    """Before TensorFlow 2.4 a model kept the graph's nodes, not the functions."""
    with tf.Graph().as_default():
        inputs = tf_keras.Input(SHAPE)
        results = [FUNCTIONS[name](inputs) for name in sorted(FUNCTIONS)[part::6]]
        old = tf_keras.Model(inputs, tf.nest.flatten(results))
        classes = {type(layer).__name__ for layer in old.layers}
        expected = tf_keras.backend.function(old.inputs, old.outputs)([X])
        result = modern(old)
    assert classes == {"InputLayer", "TensorFlowOpLayer"}
    got = opened(result, tmp_path)(X)
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_allclose(
            np.asarray(one, "float64"), np.asarray(other, "float64"), 1e-5, 1e-6
        )


@pytest.mark.parametrize("part", range(2))
def test_nodes_in_binary_are_those_in_words(part: int) -> None:
    """TensorFlow 2.1 kept the bytes of a node, as text."""
    with tf.Graph().as_default():
        inputs = tf_keras.Input(SHAPE)
        results = [FUNCTIONS[name](inputs) for name in sorted(FUNCTIONS)[part::2]]
        old = tf_keras.Model(inputs, tf.nest.flatten(results))
        words = json.loads(old.to_json())
        nodes = {layer.name: getattr(layer, "node_def", None) for layer in old.layers}
    binary = json.loads(json.dumps(words))
    turned = 0
    for entry in binary["config"]["layers"][1:]:
        try:
            text = nodes[entry["name"]].SerializeToString().decode("utf-8")
        except UnicodeDecodeError:
            continue  # such a model could not be saved then
        entry["config"]["node_def"] = text
        turned += 1
    assert turned > len(nodes) / 2
    origin = Origin((2, 2, 4), "tensorflow")
    assert modernize(binary, origin).document == modernize(words, origin).document


def test_einsum_in_a_graph_keeps_its_operands(tmp_path: Any) -> None:
    with tf.Graph().as_default():
        inputs = tf_keras.Input(SHAPE)
        old = tf_keras.Model(inputs, tf.einsum("bij,bkj->bik", inputs, inputs))
        result = modern(old)
    got = opened(result, tmp_path)(X)
    np.testing.assert_allclose(got, np.einsum("bij,bkj->bik", X, X), 1e-5)


def test_a_relu_is_found_however_tensorflow_wrote_it() -> None:
    inputs = tf_keras.Input(SHAPE)
    x = tf_keras.layers.Dense(5)(inputs)
    found = [
        *(tf.nn.relu(x), tf.maximum(x, 0.0), tf.maximum(0.0, x), tf.nn.relu6(x)),
        *(tf.where(x > 0, x, 0.0), tf.clip_by_value(x, 0.0, 3.0)),
        *(tf.nn.leaky_relu(x, 0.1), tf_keras.backend.relu(x)),
    ]
    result = modern(tf_keras.Model(inputs, [y + 1 for y in found]))
    sites = [each.site for each in Survey(result.document).found]
    assert [(s.kind, s.max_value, s.negative_slope) for s in sites] == [
        ("relu", None, 0),
        ("relu", None, 0),
        ("relu", None, 0),
        ("relu", 6, 0),
        ("relu", None, 0),
        ("relu", 3, 0),
        ("leaky_relu", None, 0.1),
        ("relu", None, 0),
    ]
    assert {s.channels for s in sites} == {5}
    assert {s.form for s in sites} == {"op"}


def test_each_call_of_one_function_becomes_an_operation(tmp_path: Any) -> None:
    """A Keras 3 operation has one call; TF-Keras let a layer for it be shared."""
    inputs = tf_keras.Input(SHAPE, name="x")
    old = tf_keras.Model(inputs, tf.nn.relu(inputs))
    document = json.loads(old.to_json())
    relu = document["config"]["layers"][1]
    relu["inbound_nodes"].append([relu["name"], 0, 0, {}])
    document["config"]["output_layers"] = [[relu["name"], 0, 0], [relu["name"], 1, 0]]
    result = modernize(document, Origin((2, 15, 0), "tensorflow"))
    names = [entry["name"] for entry in result.document["config"]["layers"]]
    assert names == ["x", relu["name"], f"{relu['name']}_1"]
    for got in opened(result, tmp_path)(X):
        np.testing.assert_array_equal(got, np.maximum(X, 0))


def test_models_inside_models_state_what_they_put_out(tmp_path: Any) -> None:
    inner_input = tf_keras.Input(SHAPE)
    y = tf.nn.relu(tf_keras.layers.Dense(7)(inner_input))
    inner = tf_keras.Model(inner_input, y, name="inner")
    inputs = tf_keras.Input(SHAPE)
    old = tf_keras.Model(inputs, tf.nn.relu(inner(inputs) - 1))
    result = modern(old)
    new = opened(result, tmp_path)
    new.set_weights(old.get_weights())
    same(old, new, X)
    assert [s.site.channels for s in Survey(result.document).found] == [7, 7]


def test_many_calls_of_models_inside_models_take_no_longer() -> None:
    """Twice at each of 20 levels would be a million times at the lowest."""
    inputs = tf_keras.Input((4,), name="x")
    document = json.loads(tf_keras.Model(inputs, tf.nn.relu(inputs)).to_json())
    first = document["config"]["layers"][0]
    for _ in range(20):
        inner = {**document, "class_name": "Functional", "name": "inner"}
        inner["config"]["name"] = "inner"
        inner["inbound_nodes"] = [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]
        config = {"name": "m", "layers": [dict(first), inner]}
        config |= {"input_layers": [["x", 0, 0]], "output_layers": [["inner", 2, 0]]}
        document = {"class_name": "Functional", "config": config}
    result = modernize(document, Origin((2, 15, 0), "tensorflow"))
    outer = result.document["config"]
    assert outer["output_layers"] == ["inner", 2, 0]
    assert {tuple(s) for _, s, _ in tensors_of(outer["layers"])} == {(None, 4)}


def test_losses_and_metrics_are_left_out_and_told(tmp_path: Any) -> None:
    inputs = tf_keras.Input(SHAPE)
    x = tf_keras.layers.Dense(3, name="d")(inputs)
    old = tf_keras.Model(inputs, tf.nn.relu(x))
    old.add_loss(tf.reduce_mean(tf.square(x)))
    old.add_metric(tf.reduce_mean(x), name="mean")
    assert {"AddLoss", "AddMetric"} <= {type(each).__name__ for each in old.layers}
    result = modern(old)
    new = opened(result, tmp_path)
    new.set_weights(old.get_weights())
    same(old, new, X)
    assert [each["class_name"] for each in result.document["config"]["layers"]] == [
        *("InputLayer", "Dense", "Relu")
    ]
    told = [repair.text.split()[0] for repair in result.repairs if repair.caution]
    assert sorted(told) == ["AddLoss", "AddMetric"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: tf.nn.dropout(x, 0.5), "at random"),
        (lambda x: tf.einsum("bij,bkj->bik", x, x), "did not save"),
        (lambda x: tf.linalg.svd(x)[0], "'linalg.svd'"),
        (lambda x: tf.tile(x, [1, tf.shape(x)[0], 1]), "known only at run time"),
        (tf.shape, "a shape as an output"),
        (lambda x: tf.compat.v1.image.resize_bilinear(x[..., None], (9, 9)), "grid"),
        (lambda x: tf.cumsum(x, exclusive=True), "exclusive=True"),
        (lambda x: x * tf.cast(tf.shape(x)[0], "float32"), "length of an axis"),
    ],
)
def test_what_keras_3_lacks_is_one_sentence(make: Any, said: str) -> None:
    inputs = tf_keras.Input(SHAPE)
    with pytest.raises(UnsupportedModelError) as caught:
        modern(tf_keras.Model(inputs, make(inputs)))
    message = str(caught.value)
    assert said in message
    assert message.startswith("Every layer must have a Keras 3 form. Received: ")
    assert message.endswith("load the weights into it.")
    assert "'tf." in message


def test_constants_have_the_dtype_of_the_tensor_beside_them(tmp_path: Any) -> None:
    """Under mixed precision a float32 array would turn the result to float32."""
    inputs = tf_keras.Input((4,), dtype="float16")
    x = tf_keras.layers.Dense(4, dtype="mixed_float16")(inputs)
    old = tf_keras.Model(inputs, tf.nn.relu(x * tf.constant([1, 2, 3, 4], x.dtype)))
    result = modern(old)
    new = opened(result, tmp_path)
    new.set_weights(old.get_weights())
    assert new.outputs[0].dtype == "float16"
    same(old, new, X[:, 0, :4].astype("float16"))
    assert [each.site.dtype for each in Survey(result.document).found] == [
        "mixed_float16"
    ]


@pytest.mark.parametrize(
    ("take", "kept"),
    [
        (lambda x: x[:, ::-1], ["Flip"]),
        (lambda x: x[..., ::-1], ["Flip"]),
        (lambda x: x[:, ::-1, None, ::-1], ["Flip", "GetItem"]),
        (lambda x: x[:, None, ..., ::-1], ["Flip", "GetItem"]),
        (lambda x: x[:, ::-1, 1:4], ["Flip", "GetItem"]),
        (lambda x: x[:, 1, ::-1], ["Flip", "GetItem"]),
        (lambda x: x[:, 3:1:-1], ["GetItem"]),
    ],
)
def test_what_is_read_backwards_is_turned_over(
    take: Any, kept: list[str], tmp_path: Any
) -> None:
    """On torch, Keras 3 slices with positive steps only."""
    inputs = tf_keras.Input(SHAPE)
    old = tf_keras.Model(inputs, take(inputs))
    result = modern(old)
    same(old, opened(result, tmp_path), X)
    found = [each["class_name"] for each in result.document["config"]["layers"]]
    assert found == ["InputLayer", *kept]
    assert kept == ["GetItem"] or '"step": -1' not in json.dumps(result.document)


@pytest.mark.parametrize(("size", "written"), [([2, 2], 2), ([2, 1], [2, 1])])
def test_square_windows_are_one_number(size: Any, written: Any, tmp_path: Any) -> None:
    """On JAX, Keras 3 does not run an operation whose window is a list."""
    inputs = tf_keras.Input((4, 6, 2))
    made = tf.nn.avg_pool2d(inputs, size, size, "VALID")
    old = tf_keras.Model(inputs, tf.nn.max_pool2d(made, size, size, "SAME"))
    result = modern(old)
    same(old, opened(result, tmp_path), X.reshape(-1, 4, 6, 1) * np.ones(2, "float32"))
    for entry in result.document["config"]["layers"][1:]:
        assert entry["config"]["pool_size"] == entry["config"]["strides"] == written
