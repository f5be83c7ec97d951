"""Families after reports of users: what died in their hands, made small."""

import keras
import numpy as np

from rescue_families import nets
from rescue_families.case import Data
from rescue_families.case import drawer
from rescue_families.family import Family


class DeadOutput(Family):
    """A rectifier as last activation of a regression: every prediction is 0."""

    name = "dead-output"
    dies = "a ReLU as output whose weights start negative, regression"
    epochs = 30
    killing_epochs = 2
    learning_rate = 0.005
    healthy_rate = 0.005
    greatest_mse = 0.05  # of labels with a variance of 1

    def build(self):
        return nets.compiled(
            _regression(keras.initializers.RandomNormal(-1, 0.1)), "mse"
        )

    def prepare(self):
        super().prepare()
        self.draw_healthy = drawer(_regression("he_normal", 2.0))

    def data(self, seed):
        rng = np.random.default_rng(1)
        x = rng.normal(size=(1500, 8)).astype("float32")
        ways = rng.normal(size=(8, 2))
        y = np.abs(x @ ways).sum(axis=1, keepdims=True)
        y = (y / y.std()).astype("float32")
        return Data(x[:1000], y[:1000], x[1000:], y[1000:])


def _regression(last, bias=0.0):
    model = nets.mlp(8, 48, 3, 1)
    inputs = model.layers[:-1]
    end = keras.layers.Dense(
        1,
        activation="relu",
        kernel_initializer=last,
        bias_initializer=keras.initializers.Constant(bias),
        name="out",
    )
    return keras.Sequential([keras.Input((8,)), *inputs, end])


class Unscaled(Family):
    """Pixels of 0..255 without a scale, at a rate that such inputs do not bear."""

    name = "unscaled"
    dies = "inputs of 0..255, Adam at 0.03, digits, 3 x 64"
    epochs = 30
    learning_rate = 0.03

    def build(self):
        return nets.compiled(nets.mlp(64, 64, 3, 10))

    def prepare(self):
        super().prepare()
        self.draw_healthy = self._for_pixels

    def data(self, seed):
        base = nets.digits()
        return Data(base.x * 255, base.y, base.x_test * 255, base.y_test)

    def _for_pixels(self, seed):
        """The first kernel does what a scale in front would do."""
        first, *rest = self.draw(seed)
        return [first / 255, *rest]


class Lagging(Family):
    """Moving statistics that are still those of the start after few steps.

    A small MobileNetV2 (Sandler 2018) with the momentum that Keras gives to it. The
    weights are sound; only what the model puts out in inference is not.
    """

    name = "lagging"
    dies = "momentum 0.999 and few steps, small MobileNetV2, digits"
    epochs = 10
    killing_epochs = 5

    def build(self):
        return nets.compiled(_mobile(0.999))

    def prepare(self):
        if not hasattr(self, "model"):
            self.twin = nets.compiled(_mobile(0.9))
        super().prepare()

    def data(self, seed):
        return nets.digits((8, 8, 1))


def _mobile(momentum):
    """A convolution and three inverted residual blocks."""

    def normalized(x, name):
        return keras.layers.BatchNormalization(momentum=momentum, name=f"n_{name}")(x)

    def rectified(x, name):
        return keras.layers.ReLU(6.0, name=f"r_{name}")(normalized(x, name))

    same = {"padding": "same", "use_bias": False}
    image = keras.Input((8, 8, 1))
    x = rectified(keras.layers.Conv2D(8, 3, name="c_stem", **same)(image), "stem")
    for i, (width, strides) in enumerate([(8, 1), (16, 2), (16, 1)]):
        before, inputs = x, x.shape[-1]
        x = keras.layers.Conv2D(4 * inputs, 1, name=f"c_wide{i}", **same)(x)
        x = rectified(x, f"wide{i}")
        x = keras.layers.DepthwiseConv2D(3, strides=strides, name=f"c_deep{i}", **same)(
            x
        )
        x = rectified(x, f"deep{i}")
        x = keras.layers.Conv2D(width, 1, name=f"c_narrow{i}", **same)(x)
        x = normalized(x, f"narrow{i}")
        if inputs == width and strides == 1:
            x = keras.layers.Add(name=f"sum{i}")([x, before])
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, keras.layers.Dense(10, name="out")(x))


class Recurrent(Family):
    """An LSTM with relu under dense layers, killed by its rate."""

    name = "lstm"
    dies = "learning rate 0.1, LSTM with relu and 3 dense layers, digits by rows"
    epochs = 30
    killing_epochs = 5
    learning_rate = 0.1

    def build(self):
        layers = [keras.Input((8, 8)), keras.layers.LSTM(32, "relu", name="lstm")]
        for i in range(3):
            layers.append(
                keras.layers.Dense(32, kernel_initializer="he_normal", name=f"h{i}")
            )
            layers.append(keras.layers.ReLU(name=f"r{i}"))
        model = keras.Sequential([*layers, keras.layers.Dense(10, name="out")])
        return nets.compiled(model)

    def data(self, seed):
        return nets.digits((8, 8))


ALL = (DeadOutput, Unscaled, Lagging, Recurrent)
