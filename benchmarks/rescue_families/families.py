"""The families. Each makes the dying model of a seed, always in the same way."""

import numpy as np

from rescue_families import architectures
from rescue_families import nets
from rescue_families import reported
from rescue_families.case import Data
from rescue_families.case import drawer
from rescue_families.case import fit
from rescue_families.case import load
from rescue_families.family import Family
from rescue_families.resnet import ResNet


class Narrow(Family):
    """Lu 2019: two units wide, ten layers deep, |x|; most collapse at birth."""

    name = "narrow"
    dies = "at birth, 2 units wide and 10 layers deep"
    epochs = 60
    killing_epochs = 2
    learning_rate = 0.005
    healthy_rate = 0.005
    greatest_mse = 0.0125  # 5 % of the variance of |x|, which is 0.25

    def build(self):
        return nets.compiled(nets.mlp(1, 2, 10, 1), "mse")

    def prepare(self):
        super().prepare()
        self.draw_healthy = self._near_the_identity

    def data(self, seed):
        return nets.absolute()

    def _near_the_identity(self, seed):
        """Give x and -x in the first layer, and layers that hand them on."""
        rng = np.random.default_rng(seed)
        drawn = []
        for weight in self.draw(seed):
            start = {
                (1, 2): np.array([[1.0, -1.0]]),
                (2, 2): np.eye(2),
                (2, 1): np.ones((2, 1)),
            }
            if weight.shape in start:
                noise = rng.normal(0, 0.02, weight.shape)
                drawn.append((start[weight.shape] + noise).astype("float32"))
            else:
                drawn.append(weight)
        return drawn


class DigitsRate(Family):
    """A deep MLP on digits, killed by Adam at a three hundred times the usual rate."""

    name = "digits-rate"
    dies = "learning rate 0.3, digits, 6 x 64"
    learning_rate = 0.3

    def build(self):
        return nets.compiled(nets.mlp(64, 64, 6, 10))

    def data(self, seed):
        return nets.digits()


class CifarRate(DigitsRate):
    """The same on CIFAR-10, averaged to 8x8."""

    name = "cifar-rate"
    dies = "learning rate 0.1, CIFAR-10, 5 x 96"
    epochs = 10
    batch_size = 64
    killing_epochs = 3
    learning_rate = 0.1
    healthy_rate = 0.001

    def missing(self):
        return "" if nets.CIFAR.is_file() else f"{nets.CIFAR} is not there"

    def build(self):
        return nets.compiled(nets.mlp(192, 96, 5, 10))

    def data(self, seed):
        return nets.small_cifar()


class ConvBias(Family):
    """A convnet on digits whose biases start at -3."""

    name = "conv-bias"
    dies = "biases start at -3, convnet on digits"
    epochs = 30
    killing_epochs = 2

    def build(self):
        return nets.compiled(nets.convnet(-3.0))

    def prepare(self):
        super().prepare()
        self.draw_healthy = drawer(nets.convnet(0.0))

    def data(self, seed):
        return nets.digits((8, 8, 1))


class Stream(Family):
    """Dohare 2024: task after task (permuted pixels and labels) until it is stiff."""

    name = "stream"
    dies = "40 tasks one after the other, permuted digits"
    tasks = 40
    epochs = 20
    killing_epochs = 3
    learning_rate = 0.01

    def build(self):
        return nets.compiled(nets.mlp(64, 64, 3, 10))

    def kill(self, seed, callbacks=()):
        load(self.model, self.draw(seed), self.learning_rate)
        for task in range(self.tasks):
            data = self._task(seed, task)
            fit(self.model, data, 3, self.batch_size, seed, callbacks)

    def data(self, seed):
        return self._task(seed, self.tasks)

    @staticmethod
    def _task(seed, task):
        rng = np.random.default_rng([seed, task])
        pixels, labels = rng.permutation(64), rng.permutation(10).astype("int32")
        base = nets.digits()
        return Data(
            base.x[:, pixels],
            labels[base.y],
            base.x_test[:, pixels],
            labels[base.y_test],
        )


ALL = {
    family.name: family
    for family in (
        *(Narrow, DigitsRate, CifarRate, ConvBias, Stream, ResNet),
        *reported.ALL,
        *architectures.ALL,
    )
}
