"""Old models in which functions of TensorFlow stand between the layers."""

import tensorflow as tf

from tests.legacy.corpus import case
from tests.legacy.corpus import tf_keras

layers = tf_keras.layers
Input = tf_keras.Input
Model = tf_keras.Model


@case()
def arithmetic():
    a, b = Input((4, 6), name="a"), Input((4, 6), name="b")
    x = layers.Dense(6, activation="relu")(a)
    return Model(
        [a, b],
        [
            x + b,
            x + 1.5,
            2.0 - x,
            x - b,
            x * b,
            3.0 * x,
            x / 2.0,
            x / (tf.abs(b) + 1.0),
            -x,
            (tf.abs(x) + 0.5) ** 2.0,
            x // 0.7,
            x % 0.7,
            a @ tf.transpose(b, [0, 2, 1]),
            tf.matmul(a, b, transpose_b=True),
            abs(b),
            tf.cast(x > b, "float32"),
            tf.cast((x >= 0.1) & (b < 0.5), "float32"),
        ],
    )


@case()
def functions():
    a, b = Input((4, 6), name="a"), Input((4, 6), name="b")
    positive = tf.abs(a) + 0.1
    return Model(
        [a, b],
        [
            tf.add(a, b),
            tf.subtract(a, b),
            tf.multiply(a, 2.0),
            tf.divide(a, positive),
            tf.maximum(a, b),
            tf.minimum(a, 0.3),
            tf.square(a),
            tf.sqrt(positive),
            tf.math.rsqrt(positive),
            tf.exp(a),
            tf.math.log(positive),
            tf.math.log1p(positive),
            tf.pow(positive, 1.5),
            tf.sin(a),
            tf.cos(a),
            tf.tanh(a),
            tf.sigmoid(a),
            tf.round(a),
            tf.floor(a),
            tf.math.ceil(a),
            tf.sign(a),
            tf.negative(a),
            tf.math.squared_difference(a, b),
            tf.clip_by_value(a, -0.5, 0.5),
            tf.where(a > 0.0, a, b),
            tf.zeros_like(a),
            tf.ones_like(a) + a,
        ],
    )


@case()
def reductions():
    a = Input((4, 6))
    return Model(
        a,
        [
            tf.reduce_mean(a, axis=1),
            tf.reduce_mean(a, axis=[1, 2], keepdims=True),
            tf.reduce_sum(a, -1),
            tf.reduce_max(a, axis=1, keepdims=True),
            tf.reduce_min(a, axis=2),
            tf.reduce_prod(a, axis=1),
            tf.math.reduce_std(a, axis=1),
            tf.math.reduce_variance(a, axis=1),
            tf.math.reduce_logsumexp(a, axis=1),
            tf.argmax(a, axis=-1),
            tf.norm(a, axis=-1),
            tf.math.cumsum(a, axis=1),
            tf.math.l2_normalize(a, axis=-1),
        ],
    )


@case()
def shapes():
    a, b = Input((4, 6), name="a"), Input((4, 6), name="b")
    first, second = tf.split(a, 2, axis=-1)
    rows = tf.unstack(a, axis=1)
    return Model(
        [a, b],
        [
            tf.reshape(a, [-1, 24]),
            tf.reshape(a, (-1, 3, 8)),
            tf.expand_dims(a, 1),
            tf.expand_dims(a, axis=-1),
            tf.squeeze(a[:, :1], axis=1),
            tf.squeeze(tf.expand_dims(a, 1), [1]),
            tf.transpose(a, perm=[0, 2, 1]),
            tf.concat([a, b], axis=-1),
            tf.concat([a, b, a], 1),
            tf.stack([a, b], axis=1),
            first,
            second,
            rows[0],
            rows[3],
            tf.tile(a, [1, 2, 1]),
            tf.repeat(a, 2, axis=1),
            tf.pad(a, [[0, 0], [1, 2], [0, 1]]),
            tf.pad(a, [[0, 0], [1, 1], [0, 0]], mode="REFLECT"),
            tf.reverse(a, axis=[1]),
            tf.gather(a, [2, 0], axis=1),
            tf.cast(a, "int32"),
            tf.roll(a, shift=1, axis=1),
            tf.linalg.diag_part(tf.matmul(a, a, transpose_b=True)),
        ],
    )


@case(absent={"keras": "an Ellipsis"})
def slices():
    a = Input((5, 6, 4))
    return Model(
        a,
        [
            a[..., 0],
            a[..., 1:, ::2],
        ],
    )


@case()
def more_slices():
    a = Input((5, 6, 4))
    return Model(
        a,
        [
            a[:, 0],
            a[:, -1],
            a[:, 1:3],
            a[:, ::-1],
            a[:, tf.newaxis],
            a[:, 1:, :-2, 1],
            a[:, :, None, 2:3],
        ],
    )


@case()
def networks():
    a = Input((8, 8, 3))
    return Model(
        a,
        [
            tf.nn.relu(a),
            tf.nn.relu6(a),
            tf.nn.leaky_relu(a, alpha=0.1),
            tf.nn.elu(a),
            tf.nn.gelu(a),
            tf.nn.selu(a),
            tf.nn.silu(a),
            tf.nn.softplus(a),
            tf.nn.softmax(a),
            tf.nn.softmax(a, axis=1),
            tf.nn.log_softmax(a),
            tf.nn.l2_normalize(a, axis=-1),
            tf.nn.max_pool2d(a, 2, 2, "VALID"),
            tf.nn.avg_pool2d(a, ksize=2, strides=2, padding="SAME"),
            tf.image.resize(a, [5, 7]),
            tf.image.resize(a, (16, 16), method="nearest"),
            tf.nn.depth_to_space(layers.Conv2D(4, 1)(a), 2),
            tf.one_hot(tf.cast(tf.abs(a[:, :, 0, 0]), "int32"), 3),
        ],
    )


@case()
def old_backend():
    """The functions of `keras.backend`, which is where old models got them."""
    k = tf_keras.backend
    a, b = Input((4, 6), name="a"), Input((4, 6), name="b")
    return Model(
        [a, b],
        [
            k.mean(a, axis=1),
            k.sum(a, axis=-1, keepdims=True),
            k.sqrt(k.sum(k.square(a - b), axis=1, keepdims=True) + 1e-3),
            k.relu(a),
            k.softmax(a),
            k.concatenate([a, b]),
            k.expand_dims(a, 1),
            k.l2_normalize(a, axis=-1),
            k.batch_dot(a, b, axes=2),
            k.permute_dimensions(a, (0, 2, 1)),
            k.clip(a, -1.0, 1.0),
            k.sigmoid(a),
            k.tanh(a),
            k.abs(a),
            k.max(a, axis=1),
        ],
    )


@case()
def dynamic_shape():
    """Shapes that are asked for as the model runs."""
    a = Input((4, 6))
    return Model(
        a, [tf.reshape(a, (tf.shape(a)[0], 24)), tf.reshape(a, (-1, a.shape[2]))]
    )


@case()
def residual():
    """How tutorials write a residual block: with a plus."""
    a = Input((8, 8, 4))
    x = layers.Conv2D(4, 3, padding="same")(a)
    x = tf.nn.relu(x) + a
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    return Model(a, layers.Dense(2)(tf.reduce_mean(x, [1, 2])))


@case()
def constants():
    """Tensors that stand in the model itself."""
    a = Input((4,))
    x = a * tf.constant([1.0, 2.0, 3.0, 4.0])
    return Model(a, layers.Dense(3, activation="relu")(x - [0.1, 0.2, 0.3, 0.4]))
