"""Initializers, regularizers and constraints of Keras 1, as Keras 3 writes them.

They matter for training only. Where Keras 3 has no equivalent, the layer gets its
default, and the report says so.
"""

from __future__ import annotations

from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import serialized


def _scaled(scale: float, mode: str) -> tuple[str, dict[str, Any]]:
    """Keras 1 drew from a whole normal distribution, and cut nothing off."""
    settings = {"scale": scale, "mode": mode, "distribution": "untruncated_normal"}
    return "VarianceScaling", settings


#: Function of Keras 1 -> class and settings in Keras 3.
_INITIALIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "uniform": ("RandomUniform", {"minval": -0.05, "maxval": 0.05}),
    "normal": ("RandomNormal", {"mean": 0.0, "stddev": 0.05}),
    "lecun_uniform": ("LecunUniform", {}),
    "glorot_uniform": ("GlorotUniform", {}),
    "glorot_normal": _scaled(1.0, "fan_avg"),
    "he_uniform": ("HeUniform", {}),
    "he_normal": _scaled(2.0, "fan_in"),
    "orthogonal": ("Orthogonal", {"gain": 1.1}),
    "identity": ("Identity", {"gain": 1.0}),
    "zero": ("Zeros", {}),
    "one": ("Ones", {}),
}
#: Initializers that draw at random, and have a seed in Keras 3.
_DETERMINISTIC = frozenset({"identity", "zero", "one"})

#: Constraint of Keras 1 -> class in Keras 3, and its settings' old and new names.
_CONSTRAINTS: dict[str, tuple[str, dict[str, str]]] = {
    "MaxNorm": ("MaxNorm", {"m": "max_value", "axis": "axis"}),
    "NonNeg": ("NonNeg", {}),
    "UnitNorm": ("UnitNorm", {"axis": "axis"}),
    "MinMaxNorm": (
        "MinMaxNorm",
        {"low": "min_value", "high": "max_value", "rate": "rate", "axis": "axis"},
    ),
}
_REGULARIZERS = frozenset(
    {"L1L2Regularizer", "WeightRegularizer", "ActivityRegularizer"}
)
_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def modernize_objects(entry: Entry, context: Context) -> None:
    """Bring a layer's initializers, regularizers and constraints up to date.

    Args:
        entry: A layer, whose config's keys have their modern names already.
        context: Where to report what was left out.
    """
    config = config_of(entry)
    for key, value in list(config.items()):
        if key.endswith(_ENDINGS) and value is not None:
            new = _modern(key, value)
            if new is None:
                del config[key]
                text = f"{key} {_shown(value)} is unknown and was left out (training)"
                context.repaired(entry, text, caution=True)
            else:
                config[key] = new


def initializer(name: Any) -> Entry | None:
    """An initializer by its name in Keras 1; None where it is unknown.

    Args:
        name: Name of a function in Keras 1's `initializations`.
    """
    if not isinstance(name, str) or name not in _INITIALIZERS:
        return None
    class_name, settings = _INITIALIZERS[name]
    if name not in _DETERMINISTIC:
        settings = {**settings, "seed": None}
    return serialized(class_name, "keras.initializers", dict(settings))


def _modern(key: str, value: Any) -> Any:
    if isinstance(value, dict) and "class_name" in value:
        return value  # Keras 2 wrote it
    if key.endswith("_initializer"):
        return initializer(value)
    if not isinstance(value, dict):
        return None
    if key.endswith("_regularizer"):
        return _regularizer(value)
    return _constraint(value)


def _regularizer(value: dict[str, Any]) -> Entry | None:
    if value.get("name") not in _REGULARIZERS:
        return None
    strengths = {key: float(value.get(key) or 0.0) for key in ("l1", "l2")}
    return serialized("L1L2", "keras.regularizers", strengths)


def _constraint(value: dict[str, Any]) -> Entry | None:
    name = value.get("name")
    if not isinstance(name, str) or name not in _CONSTRAINTS:
        return None
    class_name, keys = _CONSTRAINTS[name]
    settings = {new: value[old] for old, new in keys.items() if old in value}
    return serialized(class_name, "keras.constraints", settings)


def _shown(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else value
    return repr(name)[:60]
