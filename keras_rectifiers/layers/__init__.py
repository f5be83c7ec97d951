"""The rectifiers as Keras layers."""

from keras_rectifiers.layers.leaky_relu import LeakyReLU
from keras_rectifiers.layers.nrelu import NReLU
from keras_rectifiers.layers.prelu import PReLU
from keras_rectifiers.layers.rrelu import RReLU

__all__ = ["LeakyReLU", "NReLU", "PReLU", "RReLU"]
