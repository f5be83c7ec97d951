"""Each old way of writing a model, and the one rule that brings it up to date.

The rules are applied in the order of these imports, whichever is asked for first.
"""

# ruff: noqa: I001, F401

from keras_rectifiers.legacy.dialects.keras1 import keras0
from keras_rectifiers.legacy.dialects.keras1 import merge
from keras_rectifiers.legacy.dialects.keras1 import theano_padding
from keras_rectifiers.legacy.dialects.keras1 import rules
from keras_rectifiers.legacy.dialects.keras1 import convolution
from keras_rectifiers.legacy.dialects.keras1 import theano_mirroring
from keras_rectifiers.legacy.dialects import structure
from keras_rectifiers.legacy.dialects import classes
from keras_rectifiers.legacy.dialects import shared
from keras_rectifiers.legacy.dialects import functions
from keras_rectifiers.legacy.dialects import recurrent
from keras_rectifiers.legacy.dialects import frozen
from keras_rectifiers.legacy.dialects import layers
from keras_rectifiers.legacy.dialects import objects
from keras_rectifiers.legacy.dialects import names
from keras_rectifiers.legacy.dialects import calls
from keras_rectifiers.legacy.dialects import keras3
from keras_rectifiers.legacy.dialects.tensorflow import operations
