"""What is inferred of a call is what Keras itself says of it."""

import inspect
import itertools
import json

import keras
import pytest
from keras import layers
from keras import ops

from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.graph.inference.outputs import outputs_of
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.survey import Survey

_FORMATS = ("channels_last", "channels_first")


def _grid(class_name, shape, dtype="float32", **choices):
    """One case for each combination of arguments."""
    made = []
    for values in itertools.product(*choices.values()):
        arguments = dict(zip(choices, values, strict=True))
        made.append((class_name, arguments, (shape,), dtype))
    return made


def _windows(rank, kind, **choices):
    """Cases of a layer with a window, in both formats, open lengths among them."""
    shape = (None, 11, *((9, None)[: rank - 1]), 6)
    for data_format in choices.pop("data_format", _FORMATS):
        first = data_format == "channels_first"
        moved = (shape[0], shape[-1], *shape[1:-1]) if first else shape
        yield from _grid(kind, moved, data_format=[data_format], **choices)


def _convolutions():
    for rank in (1, 2, 3):
        common = {"filters": [4], "kernel_size": [3, 2]}
        paddings = ["valid", "same"]
        yield from _windows(
            rank, f"Conv{rank}D", padding=paddings, strides=[1, 2], **common
        )
        yield from _windows(
            rank, f"Conv{rank}D", padding=paddings, dilation_rate=[2], **common
        )
        yield from _windows(rank, f"Conv{rank}D", groups=[2], **common)
        yield from _windows(
            rank,
            f"Conv{rank}DTranspose",
            padding=paddings,
            strides=[2, 3],
            output_padding=[None, 1],
            **common,
        )
        yield from _windows(
            rank,
            f"Conv{rank}DTranspose",
            padding=paddings,
            dilation_rate=[2],
            **common,
        )
    yield from _windows(
        1,
        "Conv1D",
        data_format=["channels_last"],
        filters=[4],
        kernel_size=[3],
        padding=["causal"],
        dilation_rate=[1, 2],
    )
    yield from _windows(
        2, "Conv2D", filters=[4], kernel_size=[(3, 2)], strides=[(1, 2)]
    )
    for rank, kind in itertools.product((1, 2), ("Depthwise", "Separable")):
        own = {"filters": [4]} if kind == "Separable" else {}
        for settings in ({"strides": [1, 2]}, {"dilation_rate": [2]}):
            yield from _windows(
                rank,
                f"{kind}Conv{rank}D",
                kernel_size=[3],
                depth_multiplier=[1, 2],
                padding=["valid", "same"],
                **own,
                **settings,
            )


def _conv_lstms():
    for rank in (1, 2, 3):
        shape = (2, 5, *((7, 6, 5)[:rank]), 3)
        for data_format in _FORMATS if rank == 2 else _FORMATS[:1]:
            first = data_format == "channels_first"
            moved = (*shape[:2], shape[-1], *shape[2:-1]) if first else shape
            yield from _grid(
                f"ConvLSTM{rank}D",
                moved,
                data_format=[data_format],
                filters=[4],
                kernel_size=[2],
                padding=["valid", "same"],
                strides=[1, 2] if rank == 2 else [1],
                return_sequences=[False, True],
                return_state=[False, True],
            )


def _poolings():
    for rank, kind in itertools.product((1, 2, 3), ("Max", "Average")):
        yield from _windows(
            rank,
            f"{kind}Pooling{rank}D",
            pool_size=[2, 3],
            strides=[None, 1, 2],
            padding=["valid", "same"],
        )
        yield from _windows(rank, f"Global{kind}Pooling{rank}D", keepdims=[False, True])
        yield from _windows(rank, f"Adaptive{kind}Pooling{rank}D", output_size=[2])


def _resizings():
    for rank in (1, 2, 3):
        formats = _FORMATS if rank > 1 else ["channels_last"]
        pairs = [tuple((1, 2) for _ in range(rank))] if rank > 1 else [(1, 2)]
        several = [tuple(range(1, rank + 1))] if rank > 1 else []
        own = {} if rank == 1 else {"data_format": formats}
        for kind, key, values in (
            ("UpSampling", "size", [2, *several]),
            ("ZeroPadding", "padding", [2, *several, *pairs]),
            ("Cropping", "cropping", [2, *several, *pairs]),
        ):
            shape = (None, *((12, 11, 13)[:rank]), 4)
            for data_format in formats:
                first = data_format == "channels_first"
                moved = (shape[0], shape[-1], *shape[1:-1]) if first else shape
                settings = {"data_format": [data_format]} if own else {}
                yield from _grid(f"{kind}{rank}D", moved, **{key: values}, **settings)
    for data_format in _FORMATS:
        shape = (None, 3, 9, 8) if data_format == "channels_first" else (None, 9, 8, 3)
        for kind in ("Resizing", "CenterCrop", "RandomCrop"):
            yield from _grid(
                kind, shape, height=[4], width=[6], data_format=[data_format]
            )


def _recurrents():
    both = [False, True]
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        flags = {"return_sequences": both, "return_state": both}
        yield from _grid(kind, (None, None, 3), units=[4], **flags)
        cell = getattr(layers, kind)
        for merge, sequences, state in itertools.product(
            ("concat", "sum", "mul", "ave", None), both, both
        ):
            arguments = {"return_sequences": sequences, "return_state": state}
            inner = cell(4, **arguments)
            settings = {"layer": inner, "merge_mode": merge}
            yield "Bidirectional", settings, ((None, 6, 3),), "float32"
        for sequences, state in itertools.product(both, both):
            arguments = {"return_sequences": sequences, "return_state": state}
            made = getattr(layers, f"{kind}Cell")
            for inner in (made(4), layers.StackedRNNCells([made(4), made(5)])):
                settings = {"cell": inner, **arguments}
                yield "RNN", settings, ((None, 6, 3),), "float32"


def _shapes():
    shape = (None, 6, 4)
    yield from _grid("Reshape", shape, target_shape=[(24,), (-1,), (2, -1, 4), (3, 8)])
    yield from _grid("Reshape", (2, None, 4), target_shape=[(-1, 2), (-1,)])
    yield from _grid("Flatten", shape, data_format=_FORMATS)
    yield from _grid("Flatten", (3, None, 4))
    yield from _grid("Flatten", (3,))
    yield from _grid("Permute", (None, 6, 4, 5), dims=[(2, 1, 3), (3, 1, 2)])
    yield from _grid("RepeatVector", (None, 4), n=[3])
    yield from _grid("Dense", shape, units=[5])
    yield from _grid("Dense", (None, 4), units=[5])
    yield from _grid("Embedding", (None, 6), "int32", input_dim=[9], output_dim=[5])
    yield from _grid("Embedding", (None,), "int32", input_dim=[9], output_dim=[5])
    for equation, output in (
        ("ab,bc->ac", 5),
        ("abc,cd->abd", (None, 5)),
        ("abc,cde->abde", (None, 2, 5)),
        ("...x,xy->...y", 5),
        ("ab...,bc->ac...", (5,)),
    ):
        shape = (None, 6) if equation.startswith(("ab,", "ab...")) else (None, 7, 6)
        arguments = {"equation": equation, "output_shape": output}
        yield "EinsumDense", arguments, (shape,), "float32"
    for axis in (-1, 1, 2):
        yield "Concatenate", {"axis": axis}, ((None, 6, 4), (None, 6, 4)), "float32"
    for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        yield kind, {}, ((None, 6, 4), (None, 6, 4)), "float32"
        yield kind, {}, ((None, 6, 4), (None, 1, 4)), "float32"


def _attentions():
    query, value = (None, 5, 8), (None, 7, 8)
    for kind in ("Attention", "AdditiveAttention"):
        yield kind, {}, (query, value), "float32"
        yield kind, {}, (query, value, value), "float32"
    for kind, arguments in (
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 4}),
        (
            "GroupQueryAttention",
            {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 4},
        ),
    ):
        yield kind, arguments, (query, value), "float32"


def _wrappers():
    for inner in (layers.Dense(5), layers.Conv1D(5, 3)):
        shape = (None, 7, 6, 4)
        yield "TimeDistributed", {"layer": inner}, (shape,), "float32"
    for inner in (layers.Dense(5), layers.Conv2D(5, 3)):
        yield "SpectralNormalization", {"layer": inner}, ((None, 7, 6, 4),), "float32"


def _kept():
    """Layers that put out the shape they take."""
    for kind, arguments in {
        "BatchNormalization": {},
        "GroupNormalization": {"groups": 3},
        "LayerNormalization": {},
        "RMSNormalization": {},
        "UnitNormalization": {},
        "Normalization": {"mean": 0.0, "variance": 1.0},
        "Activation": {"activation": "relu"},
        "ReLU": {},
        "LeakyReLU": {},
        "PReLU": {},
        "ELU": {},
        "Softmax": {},
        "Rescaling": {"scale": 2.0},
        "Masking": {},
        "RandomFlip": {},
        "RandomRotation": {"factor": 0.1},
        "RandomZoom": {"height_factor": 0.1},
        "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
        "RandomContrast": {"factor": 0.1},
        "RandomBrightness": {"factor": 0.1},
        "ActivityRegularization": {"l1": 0.1},
        "AlphaDropout": {"rate": 0.1},
        "Dropout": {"rate": 0.1},
        "GaussianDropout": {"rate": 0.1},
        "GaussianNoise": {"stddev": 0.1},
        "Identity": {},
        "SpatialDropout2D": {"rate": 0.1},
        "AugMix": {},
        "AutoContrast": {},
        "ContrastLimitedAdaptiveHistogramEqualization": {},
        "RandAugment": {},
        "RandomColorDegeneration": {"factor": 0.1},
        "RandomColorJitter": {},
        "RandomElasticTransform": {},
        "RandomErasing": {},
        "RandomGaussianBlur": {},
        "RandomGrayscale": {},
        "RandomHue": {"factor": 0.1},
        "RandomInvert": {},
        "RandomPerspective": {},
        "RandomPosterization": {"factor": 4},
        "RandomSaturation": {"factor": 0.1},
        "RandomSharpness": {"factor": 0.1},
        "RandomShear": {"x_factor": 0.1},
        "Solarization": {},
    }.items():
        yield kind, arguments, ((None, 8, 6, 3),), "float32"
    yield "SpatialDropout1D", {"rate": 0.1}, ((None, 8, 4),), "float32"
    yield "SpatialDropout3D", {"rate": 0.1}, ((None, 8, 6, 5, 4),), "float32"
    yield "Dropout", {"rate": 0.1, "dtype": "mixed_float16"}, ((None, 4),), "float32"


_CASES = [
    *_convolutions(),
    *_conv_lstms(),
    *_poolings(),
    *_resizings(),
    *_recurrents(),
    *_shapes(),
    *_attentions(),
    *_wrappers(),
    *_kept(),
]
#: Why nothing is inferred of what other classes that Keras exports put out.
_LEFT_OUT = {
    "they only stand in configs of models, or are the base of others": (
        "InputLayer Layer Wrapper"
    ),
    "what they put out depends on code, or on a file": (
        "FlaxLayer JaxLayer Lambda TFSMLayer TorchModuleWrapper"
    ),
    "they take several tensors, or dicts of them, in forms of their own": (
        "CutMix Dot MaxNumBoundingBoxes MixUp Pipeline"
    ),
    "they make numbers out of words and categories, before a network": (
        "CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup "
        "StringLookup TextVectorization"
    ),
    "they run inside an RNN, and are compared there": (
        "GRUCell LSTMCell SimpleRNNCell StackedRNNCells"
    ),
    "nothing can be made of it on tensors without values": "Equalization",
    "they make spectrograms": "MelSpectrogram STFTSpectrogram",
    "one layer that reads a table both ways": "ReversibleEmbedding",
}


_X, _Y = (None, 4, 6, 8), (None, 1, 6, 8)
#: Calls of operations, and the shapes of the tensors that they take.
_OPERATIONS = {
    **{
        name: (getattr(ops, name), (_X,))
        for name in (
            *("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax", "gelu"),
            *("silu", "selu", "elu", "softplus", "softsign", "log_sigmoid", "abs"),
            *("negative", "sign", "exp", "log", "log1p", "expm1", "sqrt", "square"),
            *("reciprocal", "floor", "ceil", "round", "sin", "cos", "tan", "arcsin"),
            *("sinh", "cosh", "arcsinh", "rsqrt", "erf", "isnan", "isfinite"),
            *("stop_gradient", "flip", "zeros_like", "ones_like", "log_softmax"),
            *("sort", "transpose", "cumsum", "argmax", "nanmax", "ravel"),
        )
    },
    "activation relu": (lambda x: keras.activations.relu(x, max_value=6), (_X,)),
    "clip": (lambda x: ops.clip(x, 0, 6), (_X,)),
    "cast": (lambda x: ops.cast(x, "float16"), (_X,)),
    "cumsum of an axis": (lambda x: ops.cumsum(x, axis=1), (_X,)),
    "roll": (lambda x: ops.roll(x, 1, axis=1), (_X,)),
    **{
        name: (getattr(ops, name), (_X, _Y))
        for name in (
            *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"),
            *("mod", "floor_divide", "arctan2", "greater", "less_equal", "equal"),
            *("not_equal", "logical_and"),
        )
    },
    "add a number": (lambda x: x + 1.0, (_X,)),
    "maximum of a number": (lambda x: ops.maximum(0, x), (_X,)),
    "where": (lambda x: ops.where(x > 0, x, 0), (_X,)),
    **{
        f"{name} {settings}": (
            lambda x, name=name, settings=settings: getattr(ops, name)(x, **settings),
            (_X,),
        )
        for name in ("mean", "sum", "max", "min", "prod", "std", "var", "logsumexp")
        for settings in (
            {},
            {"axis": 1},
            {"axis": (1, 2)},
            {"axis": -1, "keepdims": True},
        )
    },
    "argmax of an axis": (lambda x: ops.argmax(x, axis=-1), (_X,)),
    "any": (lambda x: ops.any(x > 0, axis=1), (_X,)),
    "quantile": (lambda x: ops.quantile(x, 0.5, axis=1), (_X,)),
    "split": (lambda x: ops.split(x, 2, axis=1), (_X,)),
    "split at": (lambda x: ops.split(x, [1, 4], axis=2), (_X,)),
    "unstack": (lambda x: ops.unstack(x, axis=1), (_X,)),
    "top_k": (lambda x: ops.top_k(x, 3), (_X,)),
    "concatenate": (lambda x, y: ops.concatenate([x, y], axis=1), (_X, _Y)),
    "stack": (lambda x, y: ops.stack([x, y], axis=-1), (_X, _X)),
    "matmul": (ops.matmul, (_X, (None, 4, 8, 5))),
    "take": (lambda x: ops.take(x, [0, 2], axis=1), (_X,)),
    "item": (lambda x: x[:, 1, ..., 2:5], (_X,)),
    "new axis": (lambda x: x[:, None, 0], (_X,)),
    "reshape": (lambda x: ops.reshape(x, (-1, 4, 48)), ((2, 4, 6, 8),)),
    "squeeze": (lambda x: ops.squeeze(x, axis=1), (_Y,)),
    "expand_dims": (lambda x: ops.expand_dims(x, axis=-2), (_X,)),
    "transpose by axes": (lambda x: ops.transpose(x, (0, 3, 1, 2)), (_X,)),
    "swapaxes": (lambda x: ops.swapaxes(x, 1, -1), (_X,)),
    "pad": (lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0), (3, 0))), (_X,)),
    "tile": (lambda x: ops.tile(x, (1, 2, 1, 3)), (_X,)),
    "repeat": (lambda x: ops.repeat(x, 3, axis=1), (_X,)),
    "broadcast_to": (lambda x: ops.broadcast_to(x, (2, 4, 6, 8)), ((2, 1, 6, 8),)),
    "resize": (lambda x: ops.image.resize(x, (5, 7)), (_X,)),
    "one_hot": (lambda x: ops.one_hot(ops.cast(x, "int32"), 5), ((None, 4),)),
    "max_pool": (lambda x: ops.max_pool(x, 2, strides=1, padding="same"), (_X,)),
    "average_pool": (lambda x: ops.average_pool(x, (2, 3)), (_X,)),
    "depth_to_space": (lambda x: ops.depth_to_space(x, 2), (_X,)),
    "space_to_depth": (lambda x: ops.space_to_depth(x, 2), (_X,)),
}


@pytest.mark.parametrize("name", _OPERATIONS)
def test_the_output_of_an_operation_is_inferred_as_keras_makes_it(name):
    """Nothing is inferred of the others, such as a quantile."""
    function, shapes = _OPERATIONS[name]
    inputs = [keras.Input(batch_shape=shape) for shape in shapes]

    _compare(inputs, keras.tree.flatten(function(*inputs)), name)


@pytest.mark.parametrize("class_name", sorted({case[0] for case in _CASES}))
def test_the_output_of_a_layer_is_inferred_as_keras_makes_it(class_name):
    """Shape and dtype, for every combination of arguments that changes them."""
    for case_class, arguments, shapes, dtype in _CASES:
        if case_class != class_name:
            continue
        layer = getattr(layers, class_name)(**arguments)
        inputs = [keras.Input(batch_shape=shape, dtype=dtype) for shape in shapes]
        apart = class_name in ("MultiHeadAttention", "GroupQueryAttention")
        made = layer(*inputs) if apart or len(inputs) == 1 else layer(inputs)
        _compare(inputs, keras.tree.flatten(made), (class_name, arguments, shapes))


def _compare(inputs, outputs, told):
    """Compare what is inferred of the last call with the tensors of Keras."""
    last, number, _ = outputs[0]._keras_history
    entries = layers_of(json.loads(keras.Model(inputs, outputs).to_json()))
    entry = next(each for each in entries if name_of(each) == last.name)
    node = nodes_of(entry)[number]

    found = outputs_of(entry, _read(node["args"]), _read(node["kwargs"]))

    assert len(found) == len(outputs), told
    if told == "quantile":
        assert found[0].shape is None
        return
    for ours, theirs in zip(found, outputs, strict=True):
        # Keras may leave open what can be known.
        pairs = zip(ours.shape, theirs.shape, strict=True)
        assert all(length in (None, known) for known, length in pairs), (told, ours)
    assert [each.dtype for each in found] == [each.dtype for each in outputs], told


def _read(value):
    """A value of a call, with what is stated of tensors in their place."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            stated = config_of(value)
            return TensorSpec(tuple(stated["shape"]), stated["dtype"])
        return {key: _read(each) for key, each in value.items()}
    return [_read(each) for each in value] if isinstance(value, list) else value


def test_every_layer_of_keras_is_compared_or_left_out_for_a_reason():
    """A class that Keras adds is noticed here."""
    exported = {
        value.__name__
        for value in vars(layers).values()
        if inspect.isclass(value) and issubclass(value, layers.Layer)
    }
    compared = {getattr(layers, case[0]).__name__ for case in _CASES}
    left_out = set(" ".join(_LEFT_OUT.values()).split())

    assert not compared & left_out
    assert exported - compared == left_out


def test_shapes_that_a_document_does_not_state_are_inferred_alike():
    """Through models inside models, steps of sequences, and states."""
    inner_in = keras.Input((8, 6, 3))
    made = layers.Conv2D(4, 3, activation="relu")(inner_in)
    inner = keras.Model(inner_in, [layers.GlobalAveragePooling2D()(made), made])
    chain = keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(7)])
    inputs = keras.Input((5, 8, 6, 3))
    steps = layers.TimeDistributed(chain)(inputs)
    deep = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(3)))(inputs)
    whole, state, _ = layers.LSTM(4, return_sequences=True, return_state=True)(steps)
    first = inner(inputs[:, 0])
    second = inner(ops.relu(inputs[:, 1]))
    joined = layers.Concatenate()([first[0], second[0], state, whole[:, -1]])
    outputs = [layers.Dense(2)(joined), deep, first[1]]
    document = json.loads(keras.Model(inputs, outputs).to_json())
    bare = _without_shapes(document)

    shapes, stated = Survey(bare).shapes, Survey(document).calls

    assert len(stated) == len(shapes.calls)
    for call in stated:
        for tensor in stated.outputs(call):
            wanted = stated.stated(tensor).shape
            if wanted is not None:
                assert shapes.of(tensor).shape == wanted, call.place.path
    found = [shapes.at(tensor, 0).shape for tensor in shapes.calls.ends]
    assert found == [(None, 2), (None, 5, 8, 6, 3), (None, 6, 4, 4)]


def _without_shapes(value):
    """A document that states shapes of inputs only."""
    if isinstance(value, list):
        return [_without_shapes(each) for each in value]
    if not isinstance(value, dict):
        return value
    gone = {"build_config", "shape"}
    return {
        key: _without_shapes(each) for key, each in value.items() if key not in gone
    }
