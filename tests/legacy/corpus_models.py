"""Old models in models, names that clash, operations, precision, applications."""

import functools

import numpy as np

from tests.legacy.corpus import case
from tests.legacy.corpus import tf_keras
from tests.legacy.corpus_layers import chain

layers = tf_keras.layers
Input = tf_keras.Input
Model = tf_keras.Model
Sequential = tf_keras.Sequential


def small(name, units=4, size=4):
    """A Functional model of two layers."""
    x = Input((size,), name=f"{name}_in")
    y = layers.Dense(units, activation="relu", name=f"{name}_dense")(x)
    return Model(x, layers.BatchNormalization(name=f"{name}_norm")(y), name=name)


@case()
def nested():
    """A model called twice, one in another, a Sequential inside a Functional."""
    shared = small("shared")
    deep = Sequential([small("deep"), layers.Dense(4, activation="relu")], name="mid")
    a, b = Input((4,), name="a"), Input((4,), name="b")
    joined = layers.Concatenate()([shared(a), shared(b), deep(a)])
    return Model([a, b], layers.Dense(2)(joined), name="nested")


@case()
def shared_layer():
    layer = layers.Dense(4, activation="relu", name="twice")
    a, b = Input((4,)), Input((4,))
    return Model([a, b], layers.Subtract()([layer(layer(a)), layer(b)]))


@case()
def nested_sequential():
    """As Teachable Machine exports: Sequential models all the way."""
    features = Sequential([small("base"), layers.Dropout(0.1)], name="features")
    head = Sequential(
        [layers.Dense(5, activation="relu"), layers.Dense(2)], name="head"
    )
    return Sequential([features, head], name="outer")


@case()
def unbuilt_sequential():
    """Without an input shape: it was built by being called."""
    model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)])
    model(np.zeros((1, 5), "float32"))
    return model


@case()
def several_outputs():
    image, extra = Input((6, 6, 3), name="image"), Input((2,), name="extra")
    x = layers.Flatten()(layers.Conv2D(3, 3, activation="relu")(image))
    x = layers.Concatenate()([x, extra])
    return Model(
        {"image": image, "extra": extra},
        {"one": layers.Dense(1, name="one")(x), "two": layers.Dense(2, name="two")(x)},
    )


@case()
def nested_several():
    a, b = Input((3,), name="p"), Input((3,), name="q")
    inner = Model(
        [a, b], [layers.Add()([a, b]), layers.Dense(2)(layers.Multiply()([a, b]))]
    )
    x = Input((3,))
    one, two = inner([x, layers.Dense(3, activation="relu")(x)])
    return Model(x, layers.Concatenate()([one, two]))


@case()
def frozen():
    """Frozen layers: `.h5` keeps weights that train before those that do not."""
    base = small("base")
    base.get_layer("base_dense").trainable = False
    closed = small("closed")
    closed.trainable = False
    x = Input((4,))
    normed = layers.BatchNormalization(trainable=False, name="outer_norm")
    y = normed(layers.Dense(4, trainable=False, name="outer_dense")(closed(base(x))))
    return Model(x, layers.Dense(2)(y))


@case()
def partly_frozen():
    """Within a nested model, a frozen layer before one that is not."""
    inner = Sequential(
        [
            layers.Dense(4, name="d1", input_shape=(4,), trainable=False),
            layers.BatchNormalization(name="n1"),
            layers.Dense(4, name="d2", activation="relu"),
            layers.BatchNormalization(name="n2", trainable=False),
            layers.Dense(4, name="d3", trainable=False),
        ],
        name="inner",
    )
    return Sequential([inner, layers.Dense(3)])


@case()
def frozen_wrappers():
    """Frozen from outside: what is within may have been saved as trainable."""
    frozen = [
        layers.Bidirectional(layers.GRU(4, return_sequences=True)),
        layers.Bidirectional(
            layers.LSTM(2, return_sequences=True),
            backward_layer=layers.GRU(2, return_sequences=True, go_backwards=True),
        ),
        layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)], return_sequences=True),
        layers.RNN(layers.SimpleRNNCell(4), return_sequences=True),
        layers.TimeDistributed(small("spread")),
        layers.TimeDistributed(layers.Dense(4, activation="relu")),
        layers.GRU(4, return_sequences=True),
        layers.SeparableConv1D(4, 2),
    ]
    x = y = Input((6, 4))
    for layer in frozen:
        y = layer(y)
        layer.trainable = False
    return Model(x, layers.LSTM(2)(y))


@case()
def clashing_names():
    """The same names in two nested models, and outside."""

    def part(name):
        return Sequential(
            [
                layers.Dense(4, activation="relu", name="dense", input_shape=(4,)),
                layers.BatchNormalization(name="norm"),
            ],
            name=name,
        )

    x = Input((4,))
    one = layers.Dense(4, name="dense")(x)
    return Model(x, layers.Add()([part("left")(one), part("right")(one)]))


@case(renamed=True)
def slashes():
    x = Input((4,), name="in/put")
    y = layers.Dense(4, name="block/dense", activation="relu")(x)
    z = layers.Dense(4, name="block/dense_1")(y)
    return Model(x, layers.Add(name="block/add")([y, z]))


@case(renamed=True)
def slashes_nested():
    x = Input((4,))
    y = layers.Dense(4, name="a/b", activation="relu")(x)
    inner = Model(x, layers.BatchNormalization(name="a/c")(y), name="in/ner")
    return Sequential([inner, layers.Dense(2, name="out/1")])


@case(renamed=True)
def slashes_within_each_other():
    """As in MobileNetV3: the arrays of one layer lie among those of another."""
    return chain(
        (4,),
        layers.Dense(4, name="Conv", use_bias=False),
        layers.BatchNormalization(name="Conv/BatchNorm"),
        layers.ReLU(name="Conv/Relu"),
        layers.Dense(4, name="Conv/Other"),
        layers.Dense(2, name="Conv/Other/Last"),
    )


@case(opening=lambda: {"safe_mode": False})
def with_lambda():
    return chain(
        (4,),
        layers.Lambda(lambda x: x * 2.0 + 1.0, name="twice"),
        layers.Dense(3, activation="relu"),
    )


class Scale(layers.Layer):
    """A layer of the user's own."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight("gain", shape=(input_shape[-1],))

    def call(self, inputs):
        return inputs * self.gain * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def _scale():
    import keras

    class Scale(keras.layers.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def build(self, input_shape):
            self.gain = self.add_weight(shape=(input_shape[-1],), name="gain")

        def call(self, inputs):
            return inputs * self.gain * self.factor

    return {"custom_objects": {"Scale": Scale}}


@case(opening=_scale)
def custom_layer():
    return chain((4,), layers.Dense(4, activation="relu"), Scale(3.0), layers.Dense(2))


@case(opening=_scale, name="custom_in_nested")
def custom_in_nested():
    inner = chain((4,), layers.Dense(4), Scale(0.5), name="inner")
    return chain((4,), inner, layers.Dense(2, activation="relu"))


def _policy(name):
    policy = tf_keras.mixed_precision.Policy(name)
    return chain(
        (8, 8, 3),
        layers.Conv2D(4, 3, activation="relu", dtype=policy),
        layers.BatchNormalization(dtype=policy),
        layers.Flatten(dtype=policy),
        layers.Dense(3, dtype=policy),
        layers.Activation("softmax", dtype="float32"),
    )


case(name="mixed_float16", tolerance=2e-2)(functools.partial(_policy, "mixed_float16"))
case(name="mixed_bfloat16", tolerance=1e-1)(
    functools.partial(_policy, "mixed_bfloat16")
)


@case()
def float64():
    return chain(
        (4,), layers.Dense(3, activation="relu", dtype="float64"), dtype="float64"
    )


def _trained(optimizer, loss="mse", metrics=("mae",)):
    model = Sequential(
        [
            layers.Dense(6, activation="relu", input_shape=(4,)),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, loss=loss, metrics=list(metrics))
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 4)), rng.normal(size=(8, 1)), epochs=2, verbose=0)
    return model


def _optimizers():
    made = tf_keras.optimizers
    return {
        "adam": lambda: made.Adam(1e-2, weight_decay=1e-3),
        "sgd": lambda: made.SGD(1e-2, momentum=0.9, nesterov=True),
        "rmsprop": lambda: made.RMSprop(centered=True, momentum=0.1),
        "adam_schedule": lambda: made.Adam(
            made.schedules.ExponentialDecay(1e-2, 10, 0.9)
        ),
        "legacy_adam": lambda: made.legacy.Adam(1e-2, decay=1e-3, amsgrad=True),
        "legacy_sgd": lambda: made.legacy.SGD(1e-2, momentum=0.9),
        "nadam": made.Nadam,
        "adagrad": made.Adagrad,
        "adadelta": made.Adadelta,
        "adamax": made.Adamax,
        "ftrl": made.Ftrl,
        "adamw": made.AdamW,
    }


for _name, _make in _optimizers().items():
    case(name=f"trained_{_name}", weights=False)(
        functools.partial(lambda make: _trained(make()), _make)
    )


_APPLICATIONS = {
    "MobileNetV2": {"input_shape": (64, 64, 3), "classes": 10},
    "EfficientNetB0": {"input_shape": (64, 64, 3), "classes": 10},
    "ResNet50": {"input_shape": (64, 64, 3), "classes": 10},
    "DenseNet121": {"input_shape": (64, 64, 3), "classes": 10},
    "Xception": {"input_shape": (96, 96, 3), "classes": 10},
    "InceptionV3": {"input_shape": (96, 96, 3), "classes": 10},
    "NASNetMobile": {"input_shape": (64, 64, 3), "include_top": False},
    "MobileNetV3Small": {"input_shape": (64, 64, 3), "classes": 10},
}

_WITH_SLASHES = {"DenseNet121", "MobileNetV3Small"}

for _name, _arguments in _APPLICATIONS.items():
    case(name=_name, slow=True, tolerance=1e-4, renamed=_name in _WITH_SLASHES)(
        functools.partial(
            getattr(tf_keras.applications, _name), weights=None, **_arguments
        )
    )
