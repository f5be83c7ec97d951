"""Starting weights for networks of rectifiers, as Keras initializers."""

from keras_rectifiers.initializers.asymmetric import RandomizedAsymmetric
from keras_rectifiers.initializers.asymmetric import RandomizedAsymmetricBias
from keras_rectifiers.initializers.asymmetric import randomized_asymmetric
from keras_rectifiers.initializers.he import HeNormal
from keras_rectifiers.initializers.he import HeUniform
from keras_rectifiers.initializers.redraw import redraw_asymmetric

__all__ = [
    "HeNormal",
    "HeUniform",
    "RandomizedAsymmetric",
    "RandomizedAsymmetricBias",
    "randomized_asymmetric",
    "redraw_asymmetric",
]
