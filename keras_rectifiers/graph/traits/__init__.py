"""The one table of what Keras' classes do, and what becomes of the channels by it.

Whoever walks over a model asks here: `traits.of("Conv2D").makes`. A class that Keras
adds is one row of `table.py`. Keras is never imported.
"""

from keras_rectifiers.graph.traits.channels import LAST
from keras_rectifiers.graph.traits.channels import Argument
from keras_rectifiers.graph.traits.channels import Axis
from keras_rectifiers.graph.traits.channels import AxisRank
from keras_rectifiers.graph.traits.channels import after
from keras_rectifiers.graph.traits.channels import agreed
from keras_rectifiers.graph.traits.channels import channel_axis
from keras_rectifiers.graph.traits.channels import data_format
from keras_rectifiers.graph.traits.channels import format_axis
from keras_rectifiers.graph.traits.channels import inside
from keras_rectifiers.graph.traits.channels import into_step
from keras_rectifiers.graph.traits.channels import out_of_step
from keras_rectifiers.graph.traits.channels import slope_axis
from keras_rectifiers.graph.traits.channels import whole
from keras_rectifiers.graph.traits.keras_classes import LAYERS
from keras_rectifiers.graph.traits.keras_classes import OPERATIONS
from keras_rectifiers.graph.traits.keras_classes import UNKNOWN
from keras_rectifiers.graph.traits.keras_classes import Channels
from keras_rectifiers.graph.traits.keras_classes import Traits
from keras_rectifiers.graph.traits.keras_classes import Weight
from keras_rectifiers.graph.traits.keras_classes import function
from keras_rectifiers.graph.traits.keras_classes import of
from keras_rectifiers.graph.traits.keras_classes import of_entry

__all__ = [
    "LAST",
    "LAYERS",
    "OPERATIONS",
    "UNKNOWN",
    "Argument",
    "Axis",
    "AxisRank",
    "Channels",
    "Traits",
    "Weight",
    "after",
    "agreed",
    "channel_axis",
    "data_format",
    "format_axis",
    "function",
    "inside",
    "into_step",
    "of",
    "of_entry",
    "out_of_step",
    "slope_axis",
    "whole",
]
