"""Families of networks that people train today: a U-Net, a value network, attention."""

import functools

import keras
import numpy as np

from rescue_families import nets
from rescue_families.case import Data
from rescue_families.case import drawer
from rescue_families.case import fit
from rescue_families.case import load
from rescue_families.family import Family


class UNet(Family):
    """A U-Net from grey images to their edges; the encoder lives, the decoder not."""

    name = "unet"
    dies = "biases of the decoder start at -3, small U-Net, CIFAR-10 to edges"
    epochs = 20
    batch_size = 16
    killing_epochs = 2
    healthy_rate = 0.005
    learning_rate = 0.005
    mse_margin = 0.05  # of edges with a variance of 1

    def missing(self):
        return "" if nets.CIFAR.is_file() else f"{nets.CIFAR} is not there"

    def build(self):
        return nets.compiled(_unet(-3.0), "mse")

    def prepare(self):
        super().prepare()
        self.draw_healthy = drawer(_unet(0.0))

    def data(self, seed):
        return _edges()


def _unet(bias):
    """Two levels down and up, on 16x16; biases of the way up start at `bias`."""

    def block(x, width, name, start=0.0):
        x = keras.layers.Conv2D(
            width,
            3,
            padding="same",
            kernel_initializer="he_normal",
            bias_initializer=keras.initializers.Constant(start),
            name=f"c_{name}",
        )(x)
        return keras.layers.ReLU(name=f"r_{name}")(x)

    image = keras.Input((16, 16, 1))
    first = block(image, 8, "down1")
    second = block(keras.layers.MaxPooling2D(name="p1")(first), 12, "down2")
    x = block(keras.layers.MaxPooling2D(name="p2")(second), 16, "middle")
    x = keras.layers.UpSampling2D(name="u2")(x)
    x = keras.layers.Concatenate(name="j2")([x, second])
    x = block(x, 12, "up2", bias)
    x = keras.layers.UpSampling2D(name="u1")(x)
    x = keras.layers.Concatenate(name="j1")([x, first])
    x = block(x, 8, "up1", bias)
    return keras.Model(image, keras.layers.Conv2D(1, 1, name="out")(x))


@functools.cache
def _edges():
    """Grey images of 16x16, and the size of their gradient in deviations."""
    images = nets.images_cifar(1000)

    def grey(x):
        return x.reshape(-1, 16, 2, 16, 2, 3).mean(axis=(2, 4, 5)) / 255

    def edges(x):
        return np.hypot(*np.gradient(x, axis=(1, 2)))[..., None]

    x, x_test = grey(images.x), grey(images.x_test[:500])
    y, y_test = edges(x), edges(x_test)
    spread = y_test.std()
    return Data(
        *(each.astype("float32") for each in (x[..., None], y / spread)),
        *(each.astype("float32") for each in (x_test[..., None], y_test / spread)),
    )


class Transformer(Family):
    """A block of attention and MLP; no unit of the MLP fires, attention lives."""

    name = "transformer"
    dies = "biases of the MLP start at -10, a transformer block, digits by rows"
    epochs = 30
    killing_epochs = 5
    learning_rate = 0.003
    healthy_rate = 0.003

    def build(self):
        return nets.compiled(_transformer(-10.0))

    def prepare(self):
        super().prepare()
        self.draw_healthy = drawer(_transformer(0.0))

    def data(self, seed):
        return _rows()


@functools.cache
def _rows():
    """Digits as rows of 8 pixels, each with the number of the row as a unit vector."""
    base = nets.digits((8, 8))

    def numbered(x):
        numbers = np.broadcast_to(np.eye(8, dtype="float32"), x.shape)
        return np.concatenate([x, numbers], axis=-1)

    return Data(numbered(base.x), base.y, numbered(base.x_test), base.y_test)


def _transformer(bias):
    """Rows as tokens of a block with a normalization before each part."""
    rows = keras.Input((8, 16))
    x = keras.layers.Dense(16, name="embed")(rows)
    y = keras.layers.LayerNormalization(name="n1")(x)
    y = keras.layers.MultiHeadAttention(1, 4, name="attend")(y, y)
    x = keras.layers.Add(name="s1")([x, y])
    y = keras.layers.LayerNormalization(name="n2")(x)
    y = keras.layers.Dense(
        64,
        kernel_initializer="he_normal",
        bias_initializer=keras.initializers.Constant(bias),
        name="h",
    )(y)
    y = keras.layers.ReLU(name="r")(y)
    y = keras.layers.Dense(16, name="d")(y)
    x = keras.layers.Add(name="s2")([x, y])
    x = keras.layers.LayerNormalization(name="n")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(rows, keras.layers.Dense(10, name="out")(x))


class ValueNetwork(Family):
    """A value network that has followed moving targets until it is stiff.

    Paths to a goal on a grid of 8x8 with walls; the network takes the position and
    the goal, and gives the value of each of 4 moves. It is trained as DQN is (Mnih
    2015), on replayed moves with targets of its own older weights, and the walls are
    moved again and again. More than 60 % of its units are dormant then (Sokar 2023).
    The arms fit the values of the last walls.
    """

    name = "dqn"
    dies = "bootstrapped targets, walls that move, a grid of 8x8, Adam at 0.1"
    epochs = 40
    batch_size = 64
    healthy_rate = 0.003
    learning_rate = 0.1
    mse_margin = 0.05  # of values with a variance of 1
    #: How often the walls move, and how often targets are made for each.
    layouts = 15
    rounds = 4
    replayed = 2048

    def build(self):
        return nets.compiled(nets.mlp(32, 64, 3, 4), "mse")

    def kill(self, seed, callbacks=()):
        load(self.model, self.draw(seed), self.learning_rate)
        rng = np.random.default_rng(seed)
        for layout in range(self.layouts):
            grid = Grid([seed, layout])
            for _ in range(self.rounds):
                states = rng.integers(Grid.STATES, size=self.replayed)
                actions = rng.integers(4, size=self.replayed)
                x, y = grid.bootstrapped(self.model, states, actions)
                replayed = Data(x, y, x, y)
                fit(self.model, replayed, 1, self.batch_size, seed, callbacks)

    def data(self, seed):
        return _values(seed, self.layouts - 1)


class Grid:
    """Ways to a goal on a grid with walls, as a Markov decision process."""

    SIDE = 8
    STATES = SIDE**4
    _MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))
    _DISCOUNT = 0.9
    _WALLS = 0.2

    def __init__(self, seed):
        side = self.SIDE
        rng = np.random.default_rng(seed)
        walls = rng.random((side, side)) < self._WALLS
        at = np.stack(np.unravel_index(np.arange(self.STATES), (side,) * 4), axis=1)
        there = at[:, None, :2] + np.array(self._MOVES)
        inside = ((there >= 0) & (there < side)).all(axis=2)
        clipped = np.clip(there, 0, side - 1)
        free = inside & ~walls[clipped[..., 0], clipped[..., 1]]
        there = np.where(free[..., None], clipped, at[:, None, :2])
        goal = np.broadcast_to(at[:, None, 2:], there.shape)
        #: Number of the state after each move, (states, 4).
        self.next = np.ravel_multi_index(
            np.moveaxis(np.concatenate([there, goal], axis=2), 2, 0), (side,) * 4
        )
        #: Whether a move reaches the goal.
        self.reached = (there == goal).all(axis=2)
        #: What a network is given, (states, 32).
        self.inputs = np.eye(side, dtype="float32")[at].reshape(self.STATES, -1)

    def values(self):
        """Value of every move, (states, 4), by value iteration."""
        found = np.zeros(self.next.shape)
        for _ in range(4 * self.SIDE):
            found = self._targets(found)
        return found

    def bootstrapped(self, model, states, actions):
        """Inputs and targets of replayed moves; other moves keep their value."""
        now = model.predict_on_batch(self.inputs)
        targets = now[states].copy()
        rows = np.arange(len(states))
        targets[rows, actions] = self._targets(now)[states, actions]
        return self.inputs[states], targets

    def _targets(self, values):
        ahead = self._DISCOUNT * values.max(axis=1)[self.next]
        return np.where(self.reached, 1.0, ahead)


@functools.cache
def _values(seed, layout):
    """Three quarters of all states with their values, which have a variance of 1."""
    grid = Grid([seed, layout])
    values = grid.values()
    y = ((values - values.mean()) / values.std()).astype("float32")
    order = np.random.default_rng(seed).permutation(Grid.STATES)
    train, test = np.split(order, [3 * Grid.STATES // 4])
    return Data(grid.inputs[train], y[train], grid.inputs[test], y[test])


ALL = (UNet, Transformer, ValueNetwork)
