"""Old models with memory, masks and layers around layers."""

from tests.legacy.corpus import case
from tests.legacy.corpus import tf_keras
from tests.legacy.corpus_layers import chain

layers = tf_keras.layers
Input = tf_keras.Input
Model = tf_keras.Model
Sequential = tf_keras.Sequential


def _tokens(rng):
    """Sentences of 7 words out of 5; word 0 is padding, at the end."""
    words = rng.integers(1, 5, (3, 7))
    words[0, 4:] = words[1, 6:] = 0
    return words


def _padded(rng):
    """Sequences of which some steps hold the value that is masked."""
    steps = rng.normal(size=(3, 6, 3)).astype("float32")
    steps[0, 4:] = steps[1, 2:3] = 0.5
    return steps


@case(inputs=_tokens)
def words():
    return Sequential(
        [
            layers.Embedding(5, 6, mask_zero=True, input_length=7),
            layers.LSTM(5, return_sequences=True, recurrent_regularizer="l2"),
            layers.GRU(4, return_sequences=True),
            layers.SimpleRNN(3, activation="relu"),
            layers.Dense(2, activation="softmax"),
        ],
        name="words",
    )


@case(inputs=_padded)
def masking():
    return chain(
        (6, 3),
        layers.Masking(mask_value=0.5),
        layers.LSTM(4, go_backwards=True, return_sequences=True),
        layers.TimeDistributed(layers.Dense(3, activation="relu")),
        layers.GlobalAveragePooling1D(),
    )


@case()
def gru_forms():
    x = Input((6, 3))
    return Model(
        x,
        [
            layers.GRU(4, reset_after=False)(x),
            layers.GRU(4, reset_after=True, use_bias=False)(x),
            layers.GRU(4, activation="relu", recurrent_activation="tanh")(x),
            layers.GRU(4, go_backwards=True, unroll=True, dropout=0.1)(x),
            layers.GRU(4, reset_after=False, return_sequences=True)(x),
        ],
    )


@case()
def lstm_forms():
    x = Input((6, 3))
    return Model(
        x,
        [
            layers.LSTM(4, unit_forget_bias=False, use_bias=False)(x),
            layers.LSTM(4, implementation=1, recurrent_dropout=0.2)(x),
            layers.LSTM(4, activation="relu", bias_initializer="ones")(x),
            layers.SimpleRNN(4, use_bias=False, return_sequences=True)(x),
        ],
    )


@case()
def hard_sigmoid_gates():
    """The recurrent activation of Keras 1 and 2.0 to 2.2."""
    x = Input((6, 3))
    return Model(
        x,
        [
            layers.LSTM(4, recurrent_activation="hard_sigmoid")(x),
            layers.GRU(4, recurrent_activation="hard_sigmoid", reset_after=False)(x),
        ],
    )


@case()
def states():
    """An encoder and a decoder: states come out of one, and go into the other."""
    source, target = Input((None, 3)), Input((None, 2))
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(source)
    decoder = layers.LSTM(4, return_sequences=True, return_state=True, name="decoder")
    x, _, _ = decoder(target, initial_state=[h, c])
    first, state = layers.GRU(4, return_state=True, return_sequences=True)(
        source, initial_state=h
    )
    return Model([source, target], [layers.Dense(2)(x), first, state])


@case()
def bidirectional():
    x = Input((6, 3))
    outputs = [
        layers.Bidirectional(layers.LSTM(4), merge_mode=mode)(x)
        for mode in ("concat", "sum", "mul", "ave")
    ]
    two = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=None)
    other = layers.Bidirectional(
        layers.LSTM(4, activation="relu", return_sequences=True),
        backward_layer=layers.GRU(4, go_backwards=True, return_sequences=True),
    )
    return Model(x, [*outputs, *two(x), other(x)])


@case(inputs=_tokens)
def bidirectional_sequential():
    return Sequential(
        [
            layers.Embedding(5, 6, mask_zero=True, input_length=7),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.Bidirectional(layers.GRU(4, reset_after=False)),
            layers.Dense(2),
        ]
    )


@case()
def cells():
    stack = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]
    x = Input((6, 3))
    return Model(
        x,
        [
            layers.RNN(stack, return_sequences=True)(x),
            layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3)]))(x),
            layers.RNN(layers.GRUCell(4, reset_after=False), go_backwards=True)(x),
            layers.Bidirectional(layers.RNN(layers.LSTMCell(4)))(x),
        ],
    )


@case()
def stateful():
    return Sequential(
        [
            layers.LSTM(4, stateful=True, batch_input_shape=(3, 6, 2)),
            layers.Dense(2),
        ]
    )


@case()
def convolutional_memory():
    x = Input((4, 8, 8, 2))
    y = layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True)(x)
    return Model(x, [y, layers.ConvLSTM2D(2, (2, 3), strides=2, use_bias=False)(y)])


@case()
def more_convolutional_memory():
    x, y = Input((3, 9, 2)), Input((2, 5, 5, 5, 2))
    return Model(
        [x, y],
        [
            layers.ConvLSTM1D(3, 3, dilation_rate=2)(x),
            layers.ConvLSTM3D(2, 2, return_sequences=True)(y),
            layers.Bidirectional(layers.ConvLSTM1D(2, 3))(x),
        ],
    )


@case()
def time_distributed():
    inner = Sequential(
        [layers.Conv2D(3, 3, input_shape=(8, 8, 2)), layers.ReLU(), layers.Flatten()],
        name="inner",
    )
    return chain(
        (4, 8, 8, 2),
        layers.TimeDistributed(layers.Conv2D(2, 3, padding="same")),
        layers.TimeDistributed(layers.BatchNormalization()),
        layers.TimeDistributed(layers.Activation("relu")),
        layers.TimeDistributed(inner),
        layers.LSTM(3),
    )


@case()
def time_distributed_model():
    x = Input((5,))
    inner = Model(x, layers.Dense(3, activation="relu")(layers.Dense(4)(x)))
    return chain((6, 5), layers.TimeDistributed(inner), layers.GRU(2))
