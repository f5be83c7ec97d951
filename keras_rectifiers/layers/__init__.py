"""The rectifiers as Keras layers."""

from keras_rectifiers.layers.leaky_relu import LeakyReLU
from keras_rectifiers.layers.prelu import PReLU

__all__ = ["LeakyReLU", "PReLU"]
