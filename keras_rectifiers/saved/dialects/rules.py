"""All rules, in the order in which they are applied."""

# ruff: noqa: I001, F401 (the order of the imports is the order of the rules)

from keras_rectifiers.saved.dialects import keras0
from keras_rectifiers.saved.dialects import keras1_merge
from keras_rectifiers.saved.dialects import theano_padding
from keras_rectifiers.saved.dialects import keras1
from keras_rectifiers.saved.dialects import keras1_convolution
from keras_rectifiers.saved.dialects import theano_kernels
from keras_rectifiers.saved.dialects import structure
from keras_rectifiers.saved.dialects import classes
from keras_rectifiers.saved.dialects import shared
from keras_rectifiers.saved.dialects import lambdas
from keras_rectifiers.saved.dialects import functions
from keras_rectifiers.saved.dialects import recurrent
from keras_rectifiers.saved.dialects import frozen
from keras_rectifiers.saved.dialects import random_crop
from keras_rectifiers.saved.dialects import layers
from keras_rectifiers.saved.dialects import objects
from keras_rectifiers.saved.dialects import names
from keras_rectifiers.saved.dialects import calls
from keras_rectifiers.saved.dialects import keras3
from keras_rectifiers.saved.dialects import operations
