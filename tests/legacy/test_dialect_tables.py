"""The tables of Keras' own classes, held to the installed Keras."""

import importlib
import inspect
import pkgutil

import keras
import pytest

from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.tensorflow.known import OPERATIONS

_LAYERS = {
    name: value
    for name, value in vars(keras.layers).items()
    if inspect.isclass(value) and issubclass(value, keras.layers.Layer)
}
#: Enough arguments to make one of each class that needs some.
_ARGUMENTS = {
    "Activation": {"activation": "relu"},
    "AveragePooling1D": {"pool_size": 2},
    "AveragePooling2D": {"pool_size": 2},
    "AveragePooling3D": {"pool_size": 2},
    "CategoryEncoding": {"num_tokens": 3},
    "CenterCrop": {"height": 2, "width": 2},
    "Discretization": {"bin_boundaries": [0.0]},
    "Dot": {"axes": 1},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "Embedding": {"input_dim": 3, "output_dim": 2},
    "HashedCrossing": {"num_bins": 3},
    "Hashing": {"num_bins": 3},
    "InputLayer": {"shape": (3,)},
    "Lambda": {"function": keras.ops.abs},
    "MultiHeadAttention": {"num_heads": 1, "key_dim": 2},
    "Permute": {"dims": (1,)},
    "RandomBrightness": {"factor": 0.1},
    "RandomContrast": {"factor": 0.1},
    "RandomCrop": {"height": 2, "width": 2},
    "RandomRotation": {"factor": 0.1},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomZoom": {"height_factor": 0.1},
    "RepeatVector": {"n": 2},
    "Rescaling": {"scale": 2.0},
    "Reshape": {"target_shape": (3,)},
    "Resizing": {"height": 2, "width": 2},
    "GaussianNoise": {"stddev": 0.1},
}


def test_every_layer_of_keras_is_known():
    """No class is missing, and none is there that Keras lacks."""
    own = {name for name in _LAYERS if name not in known.ALIASES}
    table = set(known._TAKEN) | known._NEW_LAYERS

    assert table == own
    assert all(_LAYERS[old] is _LAYERS[new] for old, new in known.ALIASES.items())
    assert {name for name in _LAYERS if name not in table} == set(known.ALIASES)


#: They wrap another layer: the battery of layers opens them.
_WRAPPERS = {
    "Bidirectional",
    "Layer",
    "RNN",
    "SpectralNormalization",
    "StackedRNNCells",
    "TimeDistributed",
    "Wrapper",
}


@pytest.mark.parametrize("name", sorted(set(known._TAKEN) - _WRAPPERS))
def test_a_layer_takes_what_the_table_says(name):
    """What is in the table, Keras takes; what Keras writes, is in the table."""
    taken = known.taken(name)
    parameters = inspect.signature(_LAYERS[name].__init__).parameters
    usual = {"units": 2, "filters": 2, "kernel_size": 3, "rate": 0.1}
    usual = {key: value for key, value in usual.items() if key in parameters}
    arguments = {**usual, **_ARGUMENTS.get(name, {})}

    config = _LAYERS[name](**arguments).get_config()

    assert set(config) <= taken
    for key in taken - set(config) - {"autocast", "activity_regularizer"}:
        assert key in _parameters(_LAYERS[name]), key


def _parameters(cls):
    found = {"trainable", "dtype", "name", "vocabulary_size"}
    for each in cls.__mro__:
        if "__init__" in vars(each):
            found |= set(inspect.signature(each.__init__).parameters)
    return found


def test_objects_take_what_the_table_says():
    """Initializers, regularizers and constraints: classes and arguments."""
    for module, table in known.OBJECTS.items():
        namespace = vars(getattr(keras, module.rpartition(".")[2]))
        base = {"Initializer", "Regularizer", "Constraint"}
        own = {
            value.__name__
            for value in namespace.values()
            if inspect.isclass(value) and value.__name__ not in base
        }
        assert set(table) == own
        for name, arguments in table.items():
            signature = inspect.signature(namespace[name].__init__).parameters
            names = set(signature) - {"self", "args", "kwargs"}
            assert set(arguments.split()) == names, name


def test_activations_are_those_of_keras():
    """A name in the table is one that Keras finds."""
    from keras.src import activations

    assert set(activations.ALL_OBJECTS_DICT) == known.ACTIVATIONS


def test_operations_stand_where_keras_has_them():
    """Every class of every module of operations, and no other."""
    folder = importlib.import_module("keras.src.ops").__path__
    modules = [f"keras.src.ops.{each.name}" for each in pkgutil.iter_modules(folder)]
    skipped = ("_test", ".function", ".operation")
    modules = [name for name in modules if not name.endswith(skipped)]
    found = {}
    for name in [*modules, "keras.src.activations.activations"]:
        for key, value in vars(importlib.import_module(name)).items():
            own = inspect.isclass(value) and issubclass(value, keras.Operation)
            if own and value.__module__ == name:
                found[key] = name

    assert found == OPERATIONS


@pytest.mark.parametrize(
    ("module", "own"),
    [
        (None, True),
        ("keras", True),
        ("keras.src.layers.core.dense", True),
        ("keras.engine.training", True),
        ("tf_keras.src.engine.functional", True),
        ("tensorflow.python.keras.layers.core", True),
        ("tensorflow_core.python.keras.layers.core", True),
        ("tensorflow.keras.layers", True),
        ("keras_cv.layers", False),
        ("kerastuner", False),
        ("tensorflow_addons.layers", False),
        ("__main__", False),
        (3, False),
    ],
)
def test_modules_of_keras_are_told_from_others(module, own):
    """Of any age, under any root."""
    assert known.is_keras(module) is own


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (known.INITIALIZERS, "initializers"),
        (known.REGULARIZERS, "regularizers"),
        (known.CONSTRAINTS, "constraints"),
    ],
)
def test_strings_that_stand_for_objects_are_those_of_keras(module, kind):
    """A string that Keras does not know is a function of the user's."""
    objects = importlib.import_module(f"keras.src.{kind}").ALL_OBJECTS_DICT
    bases = {"initializer", "regularizer", "constraint"}
    names = {each for each in objects if isinstance(each, str)}

    assert {each for each in names if each.lower() not in bases} == known.NAMES[module]
