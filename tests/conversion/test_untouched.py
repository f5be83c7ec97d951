"""What is known to need no repair, held to the rules that would make one."""

import copy
import json

import keras
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import layers

from keras_rectifiers.conversion import untouched
from keras_rectifiers.conversion.untouched import is_untouched
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.layers import PReLU
from keras_rectifiers.legacy.compile import moved
from keras_rectifiers.legacy.dialects import keras3
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin

_NOW = (3, 15, 0)


def _image():
    inputs = keras.Input((8, 8, 3))
    x = layers.ZeroPadding2D(1)(inputs)
    x = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2")(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, activation="relu6")(x)
    x = PReLU(shared_axes=[1, 2])(x) * layers.Rescaling(2.0)(x)
    x = layers.GlobalAveragePooling2D()(keras.ops.maximum(x, 0.0))
    model = keras.Model(inputs, layers.Dense(2, "softmax")(x))
    model.compile("adam", "mse")
    return model


def _sequence():
    return keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.RNN([layers.SimpleRNNCell(2)], return_sequences=True),
            layers.TimeDistributed(layers.Dense(3, "relu")),
            layers.LayerNormalization(),
            layers.Dropout(0.2),
            layers.Lambda(lambda x: x + 1, output_shape=(5, 3)),
        ]
    )


def _nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, "relu")], name="in")
    inputs = keras.Input((4,))
    outputs = layers.Add()([inner(inputs), layers.Dense(4)(inputs)])
    return keras.Model(inputs, {"out": outputs})


_MODELS = {"image": _image, "sequence": _sequence, "nested": _nested}


def _document(model):
    return json.loads(
        json.dumps(keras.saving.serialize_keras_object(model), default=str)
    )


@pytest.fixture(scope="module", params=_MODELS)
def document(request):
    """The config of a model as this release of Keras writes it."""
    return _document(_MODELS[request.param]())


def _needs_repair(document, version=_NOW):
    """Whether the rules change something, or refuse the document."""
    document = copy.deepcopy(document)
    compiled = document.pop("compile_config", None)
    try:
        made = modernize(document, Origin(version))
    except RectifierError:
        return True
    left_open = keras3.any_open(document) or moved.may_be_scaled(compiled, document)
    other = moved.is_moved(compiled, version) or moved.is_of_torch(compiled)
    return bool(made.repairs) or left_open or other


def test_what_keras_writes_now_is_untouched(document):
    """Nothing for old formats has to be loaded to know that."""
    assert is_untouched(document, _NOW)
    assert not _needs_repair(document)


@pytest.mark.parametrize("version", [(), (2, 15), (3, 2, 1)])
def test_other_releases_are_left_to_the_rules(document, version):
    """Keras 3.2 lost which call was meant; no version may be any."""
    assert not is_untouched(document, version)


@pytest.mark.parametrize(
    ("optimizer", "version", "same"),
    [
        ("adam", (3, 3), True),
        ("nadam", (3, 9), False),
        ("nadam", (3, 10), True),
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.Nadam()), (3, 9), False),
    ],
)
def test_an_optimizers_state_may_be_in_another_order(optimizer, version, same):
    """Nadam's product was once stored before the slots."""
    model = _image()
    model.compile(optimizer, "mse")

    assert is_untouched(_document(model), version) is same


def test_a_scaled_loss_may_be_in_the_weights():
    """Keras scales the loss of a model of float16, and does not say so."""
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, dtype="mixed_float16")]
    )
    assert is_untouched(_document(model), _NOW)
    model.compile("sgd", "mse")
    found = _document(model)
    found["compile_config"]["optimizer"] = {
        **found["compile_config"]["optimizer"],
        "class_name": "SGD",
    }

    assert not is_untouched(found, _NOW)


#: Values that some release wrote somewhere.
_OLD = [
    None,
    [3],
    [1, 2, 3, 4],
    {"top_pad": 1},
    True,
    "full",
    "a/b",
    "<lambda>",
    "relu",
    "hard_sigmoid",
    "keras.src.layers",
    "tf_keras.layers",
    34,
    {},
    {"class_name": "__tuple__", "items": [1]},
    {"class_name": "__ellipsis__"},
    {"class_name": "__bytes__", "value": "x"},
    {"class_name": "__lambda__", "config": {"code": "", "defaults": None}},
    {"class_name": "function", "config": "<lambda>"},
    {"class_name": "Policy", "config": {"name": "mixed_float16"}},
    {"class_name": "Sequential", "config": []},
    [["in", 0, 0, {}]],
    *("Merge", "Graph", "Model", "RandomCrop", "Convolution2D", "MaxPool2D", "LSTM"),
    *("ZeroPadding1D", "TFOpLambda", "AddLoss", "BatchNormalization", "Sequential"),
    *(
        "Bidirectional",
        "RandomRotation",
        "InputLayer",
        "CuDNNGRU",
        "LayerNormalization",
    ),
]
_KEYS = [
    *("class_name", "module", "registered_name", "config", "name", "build_config"),
    *("inbound_nodes", "shared_object_id", "activation", "padding", "axis", "dtype"),
    *("border_mode", "input_dtype", "value_range", "batch_input_shape", "dim_ordering"),
    *("output_layers", "standardize", "backward_layer", "recurrent_activation"),
    *("kernel_initializer", "layers", "layer", "reset_after", "rms_scaling", "shape"),
]


def _dicts(value):
    if isinstance(value, dict):
        yield value
        value = value.values()
    elif not isinstance(value, list):
        return
    for each in value:
        yield from _dicts(each)


def _is_dict(value):
    return isinstance(value, dict)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_is_changed_nothing_that_needs_a_repair_passes(document, data):
    """A value of an older release, at any place of a modern document."""
    changed = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 2))):
        found = list(_dicts(changed))
        layered = [each for each in found if "build_config" in each] or found
        layered += [each["config"] for each in layered if _is_dict(each.get("config"))]
        where = data.draw(st.sampled_from(layered) | st.sampled_from(found))
        key = data.draw(st.sampled_from([*_KEYS, *where]))
        if key in where and data.draw(st.booleans()):
            del where[key]
        else:
            where[key] = copy.deepcopy(data.draw(st.sampled_from(_OLD)))

    if is_untouched(changed, _NOW):
        assert not _needs_repair(changed)


def test_the_names_of_old_classes_are_those_of_the_rules():
    """Both lists are written down, so that neither loads the other."""
    assert known.CALLS | known.NOTES <= untouched._OLD_CLASSES
    assert not untouched._KNOWN & set(known.ALIASES)
    assert all(map(known.is_layer_class, untouched._KNOWN))
    assert set(untouched._NAMED["standardize"]) <= known.FUNCTIONS
    assert set(untouched._NAMED["split"]) <= known.FUNCTIONS
