"""Old models as people write them: the idioms of tutorials and published code."""

import numpy as np
import tensorflow as tf

from tests.legacy.corpus import case
from tests.legacy.corpus import tf_keras
from tests.legacy.corpus_models import small

layers = tf_keras.layers
Input = tf_keras.Input
Model = tf_keras.Model
Sequential = tf_keras.Sequential


@case()
def fine_tuning():
    """A base that always runs as at inference, as the guide to transfer has it."""
    base = small("base", 6, 6)
    base.trainable = False
    x = Input((6,))
    y = base(x, training=False)
    y = layers.Dropout(0.2)(y)
    y = layers.BatchNormalization()(y, training=False)
    return Model(x, layers.Dense(2, name="head")(y))


@case(absent={"keras": "an Ellipsis"})
def inputs_in_the_graph():
    """`preprocess_input` of two applications, and an augmentation, in the model."""
    x = Input((16, 16, 3), dtype="uint8")
    y = tf.cast(x, "float32")
    y = layers.RandomFlip("horizontal")(y)
    one = tf_keras.applications.mobilenet_v2.preprocess_input(y)
    two = tf_keras.applications.resnet50.preprocess_input(y)
    shared = layers.Conv2D(3, 3, activation="relu")
    return Model(x, layers.Add()([shared(one), shared(two)]))


@case()
def activations_by_object():
    """Functions of TensorFlow, and layers, given as activations."""
    x = Input((6,))
    return Model(
        x,
        [
            layers.Dense(3, activation=tf.nn.relu)(x),
            layers.Dense(3, activation=tf.nn.swish)(x),
            layers.Dense(3, activation=tf.nn.relu6)(x),
            layers.Dense(3, activation=tf.nn.tanh)(x),
            layers.Activation(tf.nn.softmax)(x),
            layers.Dense(3, activation=layers.LeakyReLU(alpha=0.1))(x),
            layers.Dense(3, activation=layers.ReLU(max_value=1.0))(x),
            layers.Activation(tf_keras.activations.elu)(x),
            layers.Activation("relu6")(x),
            layers.Activation("leaky_relu")(x),
        ],
    )


@case()
def first_layers():
    """Input shapes at first layers of every kind."""
    parts = [
        Sequential([layers.Flatten(input_shape=(4, 3)), layers.Dense(2)]),
        Sequential([layers.Reshape((12,), input_shape=(4, 3)), layers.Dense(2)]),
        Sequential([layers.Bidirectional(layers.LSTM(2), input_shape=(4, 3))]),
        Sequential(
            [layers.TimeDistributed(layers.Dense(2), input_shape=(4, 3)), layers.GRU(2)]
        ),
        Sequential([layers.Masking(input_shape=(4, 3)), layers.SimpleRNN(2)]),
        Sequential([layers.Conv1D(2, 2, input_shape=(4, 3)), layers.Flatten()]),
        Sequential([layers.BatchNormalization(input_shape=(4, 3))]),
        Sequential([layers.Dropout(0.1, input_shape=(4, 3)), layers.ReLU()]),
    ]
    x = Input((4, 3))
    return Model(x, [part(x) for part in parts])


@case(inputs=lambda rng: rng.integers(0, 5, (3, 8)))
def classifier_of_texts():
    return Sequential(
        [
            layers.Embedding(5, 4, input_length=8),
            layers.SpatialDropout1D(0.2),
            layers.Conv1D(6, 3, activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


_ONCE = "TF-Keras writes the weights of only one of the models"


@case(unshared=True, absent={"keras": _ONCE, "json+weights.h5": _ONCE})
def shared_across_models():
    """One layer that stands in two nested models, and outside of them."""
    layer = layers.Dense(4, activation="relu", name="everywhere")

    def part(name):
        x = Input((4,))
        return Model(x, layers.Dense(4, name=f"{name}_own")(layer(x)), name=name)

    x = Input((4,))
    return Model(x, layers.Add()([part("left")(x), part("right")(x), layer(x)]))


@case()
def part_of_another():
    """A model cut out of another, and grown on."""
    base = small("base")
    cut = base.get_layer("base_dense").output
    return Model(base.input, [layers.Dense(2, name="head")(cut), base.output])


@case()
def autoencoder():
    x = Input((6,))
    encoder = Model(x, layers.Dense(3, activation="relu")(x), name="encoder")
    z = Input((3,))
    decoder = Model(z, layers.Dense(6, activation="sigmoid")(z), name="decoder")
    return Model(x, decoder(encoder(x)), name="autoencoder")


@case()
def siamese():
    """Two branches with one encoder, and a distance of `keras.backend`."""
    k = tf_keras.backend
    encoder = Sequential(
        [layers.Dense(5, activation="relu", input_shape=(6,)), layers.Dense(3)]
    )
    a, b = Input((6,)), Input((6,))
    one, two = encoder(a), encoder(b)
    distance = k.abs(one - two)
    return Model([a, b], layers.Dense(1, activation="sigmoid")(distance))


@case()
def same_tensor_twice():
    x = Input((4,))
    y = layers.Dense(4, activation="relu")(x)
    return Model(x, [layers.Add()([y, y]), y, y, layers.Multiply()([x, y])])


@case()
def an_input_that_is_not_used():
    a, b = Input((4,), name="used"), Input((4,), name="unused")
    return Model([a, b], layers.Dense(2, activation="relu")(a))


@case(absent={"saved_model": "names that no signature can have"})
def odd_names():
    x = Input((4,), name="the_input")
    y = layers.Dense(4, activation="relu", name="Dense.1>a-b")(x)
    y = layers.BatchNormalization(name="norm_-1")(y)
    return Model(x, layers.Dense(2, name="out-put_1")(y), name="My Model, v1.0")


@case()
def fixed_batch():
    x = Input(batch_shape=(3, 4))
    return Model(x, layers.Dense(2, activation="relu")(x))


@case()
def squeeze_and_excite():
    x = Input((8, 8, 4))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    s = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(y))
    s = layers.Dense(2, activation="relu")(s)
    s = layers.Dense(8, activation="hard_sigmoid")(s)
    return Model(x, layers.GlobalMaxPooling2D()(layers.multiply([y, s])))


@case()
def transformer():
    """The block of the text-classification example, and positions by range."""
    x = Input((7, 8))
    positions = layers.Embedding(7, 8)(tf.range(start=0, limit=7, delta=1))
    y = x + positions
    attended = layers.MultiHeadAttention(2, 4)(y, y)
    y = layers.LayerNormalization(epsilon=1e-6)(y + layers.Dropout(0.1)(attended))
    inner = Sequential([layers.Dense(6, activation="relu"), layers.Dense(8)])
    y = layers.LayerNormalization(epsilon=1e-6)(y + inner(y))
    return Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(y)))


@case()
def unet():
    x = Input((8, 8, 2))
    one = layers.Conv2D(3, 3, activation="relu", padding="same")(x)
    two = layers.Conv2D(4, 3, activation="relu", padding="same")(
        layers.MaxPooling2D()(one)
    )
    up = layers.Conv2DTranspose(3, 2, strides=2, padding="same")(two)
    joined = layers.concatenate([up, one], axis=3)
    return Model(x, layers.Conv2D(1, 1, activation="sigmoid")(joined))


@case(weights=False)
def classifier_compiled():
    """Losses, metrics and weights of losses, by object and by output."""
    x = Input((4,))
    y = layers.Dense(6, activation="relu")(x)
    one = layers.Dense(3, name="one")(y)
    two = layers.Dense(1, activation="sigmoid", name="two")(y)
    model = Model(x, [one, two])
    model.compile(
        optimizer=tf_keras.optimizers.Adam(clipnorm=1.0),
        loss={
            "one": tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "two": "binary_crossentropy",
        },
        loss_weights={"one": 0.3, "two": 1.0},
        metrics={
            "one": [tf_keras.metrics.SparseCategoricalAccuracy(name="acc")],
            "two": ["accuracy", tf_keras.metrics.AUC(num_thresholds=20)],
        },
    )
    rng = np.random.default_rng(0)
    model.fit(
        rng.normal(size=(8, 4)),
        [rng.integers(0, 3, (8, 1)), rng.integers(0, 2, (8, 1))],
        verbose=0,
    )
    return model


@case(weights=False)
def custom_loss():
    """A loss that Keras does not know: the model is opened all the same."""

    def my_loss(true, predicted):
        return tf.reduce_mean(tf.abs(true - predicted), axis=-1)

    model = Sequential([layers.Dense(3, activation="relu", input_shape=(4,))])
    model.compile("sgd", loss=my_loss)
    model.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    return model


@case(left=("tf.math.square", "tf.math.reduce_mean", "add_loss"))
def variational():
    """A loss that is added from within the graph."""
    x = Input((6,))
    mean = layers.Dense(2, name="mean")(x)
    spread = layers.Dense(2, name="spread")(x)
    out = layers.Dense(6, activation="relu")(mean + 0.1 * spread)
    model = Model(x, out)
    model.add_loss(tf.reduce_mean(tf.square(spread)))
    return model


@case(opening=lambda: {"safe_mode": False})
def lambdas():
    """Lambdas with arguments, and of a slice."""
    x = Input((4, 6))
    y = layers.Lambda(lambda t: t[:, :, None], name="grow")(x)
    power = layers.Lambda(lambda t, by=1: t**by, arguments={"by": 2})
    return Model(x, layers.Dense(2, activation="relu")(layers.Flatten()(power(y))))


_IN_ASSETS = {
    "h5": "a table",
    "json+h5": "a table",
    "json+weights.h5": "no vocabulary",
}


@case(
    weights=False,
    inputs=lambda rng: np.array([["a"], ["c"], ["zz"]]),
    absent=_IN_ASSETS,
)
def adapted_strings():
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(np.array(["c", "b", "c", "a"]))
    return Sequential([Input((1,), dtype="string"), lookup, layers.Dense(2)])


@case(
    weights=False,
    inputs=lambda rng: np.array([["a b c"], ["c, C a?"], ["d"]]),
    absent=_IN_ASSETS,
)
def adapted_texts():
    vector = layers.TextVectorization(output_mode="tf_idf")
    vector.adapt(np.array(["c b", "c", "a b", "a d e"]))
    return Sequential([Input((1,), dtype="string"), vector, layers.Dense(2)])
