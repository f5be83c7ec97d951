"""Documents of Keras 1 opened in Keras 3, with weights as Keras 1 stored them."""

import json

import keras
import numpy as np

from keras_rectifiers.graph.document import walk
from keras_rectifiers.legacy.dialects.modernize import Modern
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS


def entry(class_name, name, **config):
    """A layer as Keras 1 wrote it."""
    config = {"name": name, "trainable": True, **config}
    return {"class_name": class_name, "config": config}


def sequential(*layers):
    """A Sequential as Keras 1 wrote it: a list, without a name."""
    return {"class_name": "Sequential", "config": list(layers)}


def modern(document, version=(1, 2, 2), backend="tensorflow") -> Modern:
    return modernize(document, Origin(version, backend))


def opened(result: Modern):
    """The modern document, as Keras 3 opens it."""
    return keras.models.model_from_json(json.dumps(result.document))


def loaded(result: Modern, arrays):
    """The model with old arrays, by the names of the layers that Keras 1 knew."""
    model = opened(result)
    left = dict(arrays)
    for place in walk(result.document):
        was = result.was.get(place.names)
        known = was is not None and was.path and was.path[0] in left
        if not known or place.entry["class_name"] == "InputLayer":
            continue
        layer = model
        for name in place.names:
            inner = getattr(layer, "layer", None)
            layer = inner if inner is not None else layer.get_layer(name)
        if getattr(layer, "layers", None) or not layer.weights:
            continue
        values = [np.asarray(value, "float32") for value in left.pop(was.path[0])]
        if was.conversion:
            conversion = CONVERSIONS[was.conversion]
            assert len(conversion.stored(place.config)) == len(values)
            values = conversion.apply(values, place.config)
        layer.set_weights(values)
    assert not left
    return model


def repaired(result: Modern, rule):
    """What a rule told, as `layer: text`."""
    return [
        f"{each.layer}: {each.text}" for each in result.repairs if each.rule == rule
    ]


def drawn(*shapes, seed=0):
    """Arrays of random numbers."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def correlation(images, kernel, strides=(1, 1), pads=((0, 0), (0, 0))):
    """Images `(n, c, rows, columns)`, correlated with `(filters, c, rows, columns)`."""
    images = np.pad(images, ((0, 0), (0, 0), *pads))
    filters, _, rows, columns = kernel.shape
    high = (images.shape[2] - rows) // strides[0] + 1
    wide = (images.shape[3] - columns) // strides[1] + 1
    out = np.zeros((len(images), filters, high, wide))
    for y in range(high):
        for x in range(wide):
            top, left = y * strides[0], x * strides[1]
            patch = images[:, :, top : top + rows, left : left + columns]
            out[:, :, y, x] = np.einsum("ncij,fcij->nf", patch, kernel)
    return out


def convolution(images, kernel, strides=(1, 1), pads=((0, 0), (0, 0))):
    """The same for a convolution: the kernel is turned over, as Theano does."""
    return correlation(images, kernel[:, :, ::-1, ::-1], strides, pads)


def transposed(images, kernel, strides):
    """What correlation with `kernel` maps back: `(filters, c, rows, columns)`."""
    filters, _, rows, columns = kernel.shape
    number, _, high, wide = images.shape
    shape = ((high - 1) * strides[0] + rows, (wide - 1) * strides[1] + columns)
    out = np.zeros((number, filters, *shape))
    for y in range(high):
        for x in range(wide):
            top, left = y * strides[0], x * strides[1]
            patch = np.einsum("nc,fcij->nfij", images[:, :, y, x], kernel)
            out[:, :, top : top + rows, left : left + columns] += patch
    return out
