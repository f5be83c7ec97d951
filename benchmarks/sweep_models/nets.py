"""Subclassed networks made of blocks, as people write them."""

import keras
from keras import layers
from keras import ops

from benchmarks.sweep_models.case import Family
from benchmarks.sweep_models.case import Made
from benchmarks.sweep_models.case import indices
from benchmarks.sweep_models.case import normal

CASES = Family()


class DoubleConv(layers.Layer):
    """Twice convolution, normalization, ReLU."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv1 = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        self.bn1 = layers.BatchNormalization()
        self.conv2 = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        self.bn2 = layers.BatchNormalization()
        self.relu = layers.ReLU()

    def call(self, x, training=None):
        x = self.relu(self.bn1(self.conv1(x), training=training))
        return self.relu(self.bn2(self.conv2(x), training=training))


class UNet(keras.Model):
    """Blocks down and up, in lists."""

    def __init__(self, widths=(4, 8), classes=2, **kwargs):
        super().__init__(**kwargs)
        self.down = [DoubleConv(width) for width in widths]
        self.pool = layers.MaxPooling2D()
        self.bottom = DoubleConv(2 * widths[-1])
        self.ups = [
            layers.Conv2DTranspose(width, 2, strides=2) for width in widths[::-1]
        ]
        self.convs = [DoubleConv(width) for width in widths[::-1]]
        self.head = layers.Conv2D(classes, 1)

    def call(self, x, training=None):
        skips = []
        for block in self.down:
            x = block(x, training=training)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x, training=training)
        for up, block, skip in zip(self.ups, self.convs, skips[::-1], strict=True):
            x = block(ops.concatenate([up(x), skip], axis=-1), training=training)
        return self.head(x)


class ResidualTCNBlock(layers.Layer):
    """Two causal convolutions around which the input goes."""

    def __init__(self, filters, kernel_size, dilation_rate, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.dilation_rate = dilation_rate
        self.dropout_rate = dropout

    def build(self, input_shape):
        self.convs = [
            layers.Conv1D(
                self.filters,
                self.kernel_size,
                padding="causal",
                dilation_rate=self.dilation_rate,
                activation="relu",
            )
            for _ in range(2)
        ]
        self.dropout = layers.SpatialDropout1D(self.dropout_rate)
        self.match = (
            layers.Conv1D(self.filters, 1)
            if input_shape[-1] != self.filters
            else layers.Identity()
        )
        self.activation = layers.Activation("relu")
        shape = tuple(input_shape)
        self.match.build(shape)
        for conv in self.convs:
            conv.build(shape)
            shape = (*shape[:-1], self.filters)
        super().build(input_shape)

    def call(self, x, training=None):
        y = x
        for conv in self.convs:
            y = self.dropout(conv(y), training=training)
        return self.activation(y + self.match(x))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation_rate": self.dilation_rate,
            "dropout": self.dropout_rate,
        }


class TCN(keras.Model):
    """A stack of dilated blocks."""

    def __init__(self, filters=4, dilations=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.blocks = [ResidualTCNBlock(filters, 3, d) for d in dilations]
        self.head = layers.Dense(1)

    def call(self, x, training=None):
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(x[:, -1])


class TransformerBlock(layers.Layer):
    """As on keras.io: attention, and a Sequential of two dense layers."""

    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential(
            [layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)]
        )
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs):
        attention = self.dropout1(self.att(inputs, inputs))
        out = self.layernorm1(inputs + attention)
        return self.layernorm2(out + self.dropout2(self.ffn(out)))


class TokenAndPositionEmbedding(layers.Layer):
    """As on keras.io."""

    def __init__(self, maxlen, vocab_size, embed_dim):
        super().__init__()
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        positions = ops.arange(0, ops.shape(x)[-1], 1)
        return self.token_emb(x) + self.pos_emb(positions)


class TransformerEncoder(keras.Model):
    """A text classifier of such blocks."""

    def __init__(self, vocab_size=20, maxlen=6, embed_dim=4, depth=2):
        super().__init__()
        self.embedding = TokenAndPositionEmbedding(maxlen, vocab_size, embed_dim)
        self.blocks = [TransformerBlock(embed_dim, 2, 8) for _ in range(depth)]
        self.pool = layers.GlobalAveragePooling1D()
        self.head = layers.Dense(2, activation="softmax")

    def call(self, x):
        x = self.embedding(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.pool(x))


class BasicBlock(keras.Model):
    """A residual block that is a model, with the ReLU after the sum."""

    def __init__(self, filters, stride=1):
        super().__init__()
        self.conv1 = layers.Conv2D(filters, 3, strides=stride, padding="same")
        self.bn1 = layers.BatchNormalization()
        self.relu = layers.Activation("relu")
        self.conv2 = layers.Conv2D(filters, 3, padding="same")
        self.bn2 = layers.BatchNormalization()
        self.shortcut = layers.Identity()
        if stride != 1:
            self.shortcut = keras.Sequential(
                [layers.Conv2D(filters, 1, strides=stride), layers.BatchNormalization()]
            )

    def call(self, x, training=False):
        y = self.relu(self.bn1(self.conv1(x), training=training))
        y = self.bn2(self.conv2(y), training=training)
        return self.relu(y + self.shortcut(x))


class ResNet(keras.Model):
    """Stages that are Sequentials of blocks."""

    def __init__(self, layer_dims=(1, 2), num_classes=3):
        super().__init__()
        self.stem = keras.Sequential(
            [
                layers.Conv2D(4, 3, padding="same"),
                layers.BatchNormalization(),
                layers.Activation("relu"),
            ]
        )
        self.layer1 = self.stage(4, layer_dims[0])
        self.layer2 = self.stage(8, layer_dims[1], stride=2)
        self.avgpool = layers.GlobalAveragePooling2D()
        self.fc = layers.Dense(num_classes)

    @staticmethod
    def stage(filters, blocks, stride=1):
        """A Sequential of blocks."""
        first = BasicBlock(filters, stride)
        return keras.Sequential(
            [first, *(BasicBlock(filters) for _ in range(1, blocks))]
        )

    def call(self, x, training=False):
        x = self.stem(x, training=training)
        x = self.layer2(self.layer1(x, training=training), training=training)
        return self.fc(self.avgpool(x))


class SqueezeExcite(layers.Layer):
    """A gate for each channel, made from their means."""

    def __init__(self, ratio=2, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape):
        channels = input_shape[-1]
        self.pool = layers.GlobalAveragePooling2D(keepdims=True)
        self.reduce = layers.Conv2D(channels // self.ratio, 1, activation="relu")
        self.expand = layers.Conv2D(channels, 1, activation="sigmoid")
        self.reduce.build((None, 1, 1, channels))
        self.expand.build((None, 1, 1, channels // self.ratio))
        self.built = True

    def call(self, x):
        return x * self.expand(self.reduce(self.pool(x)))

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}


class MLPMixerLayer(layers.Layer):
    """As on keras.io: two perceptrons, one across the patches."""

    def __init__(self, num_patches, hidden_units, **kwargs):
        super().__init__(**kwargs)
        self.mlp1 = keras.Sequential(
            [layers.Dense(num_patches, activation="relu"), layers.Dense(num_patches)]
        )
        self.mlp2 = keras.Sequential(
            [layers.Dense(hidden_units, activation="relu"), layers.Dense(hidden_units)]
        )
        self.normalize = layers.LayerNormalization(epsilon=1e-6)

    def call(self, inputs):
        x = ops.transpose(self.normalize(inputs), (0, 2, 1))
        x = inputs + ops.transpose(self.mlp1(x), (0, 2, 1))
        return x + self.mlp2(self.normalize(x))


class MLPMixer(keras.Model):
    """Mixer layers in a Sequential."""

    def __init__(self, blocks=2, patches=4, width=6):
        super().__init__()
        self.embed = layers.Conv2D(width, 4, strides=4)
        self.flat = layers.Reshape((patches, width))
        self.mixers = keras.Sequential(
            [MLPMixerLayer(patches, width) for _ in range(blocks)]
        )
        self.head = layers.Dense(3)

    def call(self, x):
        return self.head(ops.mean(self.mixers(self.flat(self.embed(x))), axis=1))


class Autoencoder(keras.Model):
    """As in the tutorial of TensorFlow: two Sequentials."""

    def __init__(self, latent_dim, shape):
        super().__init__()
        self.latent_dim = latent_dim
        self.shape = shape
        self.encoder = keras.Sequential(
            [layers.Flatten(), layers.Dense(latent_dim, activation="relu")]
        )
        self.decoder = keras.Sequential(
            [
                layers.Dense(shape[0] * shape[1], activation="sigmoid"),
                layers.Reshape(shape),
            ]
        )

    def call(self, x):
        return self.decoder(self.encoder(x))


class GraphConv(layers.Layer):
    """Weights of its own, and an activation by name."""

    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[0][-1], self.units), name="w")

    def call(self, inputs):
        nodes, adjacency = inputs
        return self.activation(ops.matmul(adjacency, ops.matmul(nodes, self.w)))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }


class GCN(keras.Model):
    """Two graph convolutions; takes nodes and adjacency."""

    def __init__(self, hidden=8, classes=3):
        super().__init__()
        self.conv1 = GraphConv(hidden, activation="relu")
        self.conv2 = GraphConv(classes)

    def call(self, inputs):
        nodes, adjacency = inputs
        return self.conv2([self.conv1([nodes, adjacency]), adjacency])


class MoE(keras.Model):
    """Experts in a list, and a router."""

    def __init__(self, experts=3, units=4):
        super().__init__()
        self.router = layers.Dense(experts, activation="softmax")
        self.experts = [
            keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(units)])
            for _ in range(experts)
        ]

    def call(self, x):
        outputs = ops.stack([expert(x) for expert in self.experts], axis=-1)
        return ops.sum(outputs * ops.expand_dims(self.router(x), 1), axis=-1)


class FineTuned(keras.Model):
    """A body of Keras applications in an attribute, and a head."""

    def __init__(self, classes=3):
        super().__init__()
        self.base = keras.applications.MobileNet(
            (32, 32, 3), alpha=0.25, include_top=False, weights=None, pooling="avg"
        )
        self.base.trainable = False
        self.hidden = layers.Dense(8, activation="relu")
        self.head = layers.Dense(classes)

    def call(self, x, training=False):
        return self.head(self.hidden(self.base(x, training=False)))


def _called(model, data):
    model(data)
    return Made(model, data)


@CASES.case
def unet():
    """Blocks of layers in lists; one ReLU object in each block, called twice."""
    return _called(UNet(), normal(2, 8, 8, 3))


@CASES.case
def tcn():
    """Blocks that make their layers in `build`."""
    return _called(TCN(), normal(2, 12, 3))


@CASES.case
def transformer():
    """Blocks without config whose feed-forward part is a Sequential."""
    return _called(TransformerEncoder(), indices(20, 2, 6))


@CASES.case
def resnet():
    """Residual blocks that are models, inside Sequentials."""
    return _called(ResNet(), normal(2, 8, 8, 3))


@CASES.case
def squeeze_excite():
    """A custom layer in a Functional model."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = SqueezeExcite(2)(x)
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    return Made(keras.Model(inputs, outputs))


@CASES.case
def transformer_functional():
    """As on keras.io: blocks without config in a Functional model."""
    inputs = keras.Input((6,))
    x = TokenAndPositionEmbedding(6, 20, 4)(inputs)
    x = TransformerBlock(4, 2, 8)(x)
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(20, activation="relu")(x)
    outputs = layers.Dense(2, activation="softmax")(x)
    return Made(keras.Model(inputs, outputs), indices(20, 2, 6))


@CASES.case
def mlp_mixer():
    """Rectifiers across patches and across channels."""
    return _called(MLPMixer(), normal(2, 8, 8, 3))


@CASES.case(refused="Autoencoder, whose constructor takes arguments")
def autoencoder():
    """Two Sequentials; an argument of the constructor is a tuple."""
    return _called(Autoencoder(4, (4, 3)), normal(2, 4, 3))


@CASES.case
def graph_convolution():
    """A layer that takes two tensors and calls its activation itself."""
    return _called(GCN(), [normal(2, 5, 4), normal(2, 5, 5)])


@CASES.case
def mixture_of_experts():
    """Sequentials in a list."""
    return _called(MoE(), normal(2, 5))


@CASES.case
def fine_tuned():
    """A Functional model inside a subclassed one, frozen."""
    return _called(FineTuned(), normal(2, 32, 32, 3))
