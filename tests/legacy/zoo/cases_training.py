"""Models that were compiled, and trained a little."""

import keras

from tests.legacy.zoo.cases import CASES
from tests.legacy.zoo.cases import Case
from tests.legacy.zoo.cases import backbone
from tests.legacy.zoo.cases import case
from tests.legacy.zoo.cases import floats

layers = keras.layers
Input = keras.Input
Model = keras.Model
Sequential = keras.Sequential


def _plain(rng):
    x = Input((6,))
    y = layers.Dense(4, activation="relu")(x)
    y = layers.BatchNormalization()(y)
    return Model(x, layers.Dense(3, name="head")(y)), floats(rng, 8, 6)


def _compiled(*, steps=1, targets=None, **arguments):
    """Compile with arguments (made when they are needed), and fit so many steps."""

    def after(model, inputs, rng):
        given = {
            key: each() if callable(each) else each for key, each in arguments.items()
        }
        model.compile(**given)
        if steps:
            y = targets(rng) if targets else floats(rng, 8, 3)
            model.fit(inputs, y, epochs=steps, batch_size=8, verbose=0)

    return after


@case(after=_compiled(optimizer="adam", loss="mse", metrics=lambda: ["mae"]))
def compiled_by_names(rng):
    """Strings only."""
    return _plain(rng)


@case(after=_compiled(steps=0, optimizer="adam", loss="mse"))
def compiled_only(rng):
    """Compiled and never trained."""
    return _plain(rng)


@case(
    after=_compiled(
        optimizer=lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        loss=lambda: keras.losses.Huber(delta=0.7),
        metrics=lambda: [
            keras.metrics.MeanSquaredError(name="squares"),
            keras.metrics.RootMeanSquaredError(),
        ],
        weighted_metrics=lambda: ["mae"],
    )
)
def compiled_by_objects(rng):
    """Objects only."""
    return _plain(rng)


@case(
    after=_compiled(
        optimizer=lambda: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.01, 100, warmup_target=0.1)
        ),
        loss="mse",
    )
)
def compiled_with_schedule(rng):
    """A rate that follows a schedule."""
    return _plain(rng)


@case(
    after=_compiled(
        optimizer=lambda: keras.optimizers.AdamW(
            weight_decay=0.01, clipnorm=1.0, use_ema=True, ema_momentum=0.9
        ),
        loss="mse",
    )
)
def compiled_with_average(rng):
    """An optimizer that averages the weights."""
    return _plain(rng)


@case(
    since=(3, 1),
    after=_compiled(
        steps=3,
        optimizer=lambda: keras.optimizers.Adam(gradient_accumulation_steps=2),
        loss="mse",
    ),
)
def compiled_with_accumulation(rng):
    """Gradients of several steps together."""
    return _plain(rng)


@case(
    after=_compiled(
        optimizer=lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.01, momentum=0.5)
        ),
        loss="mse",
    )
)
def compiled_with_scaling(rng):
    """A loss that is scaled."""
    return _plain(rng)


@case(after=_compiled(optimizer="adam", loss="mse"))
def compiled_mixed(rng):
    """Mixed precision, in which Keras scales the loss by itself."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    model, x = _plain(rng)
    keras.config.set_dtype_policy(before)
    return model, x


@case(
    after=_compiled(
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        metrics=lambda: ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
        targets=lambda rng: rng.integers(0, 3, (8,)),
    )
)
def compiled_classifier(rng):
    """A frozen backbone, and a head that was trained."""
    inner = backbone()
    inner.trainable = False
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    return Sequential([Input((8, 8, 3)), inner, *head]), floats(rng, 8, 8, 8, 3)


def _two(rng):
    x = Input((6,))
    y = layers.Dense(4, activation="relu")(x)
    return x, layers.Dense(3, name="b")(y), layers.Dense(2, name="a")(y)


@case(
    after=_compiled(
        optimizer="rmsprop",
        loss=lambda: {"b": "mse", "a": keras.losses.MeanAbsoluteError()},
        loss_weights=lambda: {"b": 0.5, "a": 2.0},
        metrics=lambda: {"b": ["mae"], "a": ["mse", "mae"]},
        targets=lambda rng: {"b": floats(rng, 8, 3), "a": floats(rng, 8, 2)},
    )
)
def compiled_two_by_name(rng):
    """Two outputs in a dict, losses and metrics by name."""
    x, b, a = _two(rng)
    return Model(x, {"b": b, "a": a}), floats(rng, 8, 6)


@case(
    after=_compiled(
        optimizer="rmsprop",
        loss=lambda: ["mse", "mae"],
        loss_weights=lambda: [0.5, 2.0],
        metrics=lambda: [["mae"], ["mse"]],
        targets=lambda rng: [floats(rng, 8, 3), floats(rng, 8, 2)],
    )
)
def compiled_two_by_order(rng):
    """Two outputs in a list, losses and metrics by order."""
    x, b, a = _two(rng)
    return Model(x, [b, a]), floats(rng, 8, 6)


@keras.saving.register_keras_serializable("zoo", name="own_loss")
def own_loss(truth, found):
    """A loss of one's own."""
    return keras.ops.mean(keras.ops.abs(truth - found), axis=-1)


@case(after=_compiled(optimizer="adam", loss=lambda: own_loss))
def compiled_own_loss(rng):
    """A loss that is registered."""
    return _plain(rng)


@case(after=_compiled(optimizer="adam", loss="mse"))
def compiled_text(rng):
    """Trained with a recurrent layer, whose dropout has a generator."""
    x = Input((5,), dtype="int32")
    y = layers.Embedding(9, 4, mask_zero=True)(x)
    y = layers.Bidirectional(layers.LSTM(3, dropout=0.1))(y)
    model = Model(x, layers.Dense(3)(layers.Dropout(0.1)(y)))
    return model, rng.integers(0, 9, (8, 5)).astype("int32")


@case(after=_compiled(optimizer="adam", loss="mse"))
def compiled_attention(rng):
    """Trained with attention."""
    x = Input((3, 4))
    y = layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x)
    y = layers.LayerNormalization()(layers.Add()([x, y]))
    return Model(x, layers.Dense(3)(layers.Flatten()(y))), floats(rng, 8, 3, 4)


#: Optimizer -> release with which it came.
OPTIMIZERS = {
    "SGD": (3, 0),
    "RMSprop": (3, 0),
    "Adagrad": (3, 0),
    "Adadelta": (3, 0),
    "Adamax": (3, 0),
    "Nadam": (3, 0),
    "Ftrl": (3, 0),
    "Adafactor": (3, 0),
    "Lion": (3, 0),
    "Lamb": (3, 7),
    "Muon": (3, 11),
}


def _with(name):
    def make():  # when its case is written: not every release has it
        return getattr(keras.optimizers, name)()

    return _compiled(optimizer=make, loss="mse")


for _name, _since in OPTIMIZERS.items():
    _key = f"trained_{_name.lower()}"
    CASES[_key] = Case(_key, _plain, since=_since, after=_with(_name), forms=False)
