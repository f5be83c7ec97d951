"""Old losses and metrics as Keras 3 writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.legacy.compile import known
from keras_rectifiers.legacy.compile.notes import CompileNotes
from keras_rectifiers.legacy.compile.notes import class_name_of
from keras_rectifiers.legacy.compile.notes import named
from keras_rectifiers.legacy.compile.notes import settings_of
from keras_rectifiers.legacy.dialects.registry import serialized

#: How a loss is made one number; Keras 3 has no `"auto"`.
_REDUCTIONS = frozenset({"sum", "sum_over_batch_size", "none"})
_AUTO = "sum_over_batch_size"
#: The metric that `"crossentropy"` means, by the loss of the same output.
_CROSSENTROPIES = {
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
}
#: Deepest list in a plain value.
_MAX_DEPTH = 4


def modern_loss(entry: Any, notes: CompileNotes) -> str | Entry | None:
    """A loss as Keras 3 writes it, None where it does not have it.

    Args:
        entry: As any Keras before it wrote it: a name, a function or a class.
        notes: Takes the repairs.
    """
    if entry is None:
        return None
    name, config = class_name_of(entry).rpartition("Keras>")[2], settings_of(entry)
    if name == "LossFunctionWrapper":
        name = _class_of(config, known.LOSS_FUNCTIONS)
    if not isinstance(entry, Mapping) or isinstance(entry.get("config"), str):
        renamed = known.RENAMED.get(name, name)
        if renamed in known.LOSS_STRINGS:
            if renamed != name:
                notes.repaired("loss", f"{name!r} → {renamed!r}")
            return renamed
    elif name in known.LOSSES:
        kept = _kept(config, known.LOSSES[name], notes, ("loss", name))
        kept["reduction"] = _reduction(config.get("reduction"), notes)
        return serialized(name, "keras.losses", kept)
    notes.caution(
        "loss",
        f"loss {named(entry)}, which Keras 3 does not have: left out; compile the "
        "model with it before you train it",
    )
    return None


def modern_metric(entry: Any, loss: Any, notes: CompileNotes) -> str | Entry | None:
    """A metric as Keras 3 writes it, None where it does not have it.

    Args:
        entry: As any Keras before it wrote it.
        loss: The modern loss of the same output: it decides which metric
            `"crossentropy"` means.
        notes: Takes the repairs.
    """
    if entry is None:
        return None
    name, config = class_name_of(entry).rpartition("Keras>")[2], settings_of(entry)
    plain = not isinstance(entry, Mapping) or isinstance(entry.get("config"), str)
    if plain and name in known.METRIC_STRINGS:
        return name
    class_name = name
    if plain:
        class_name = _plain_class(name, loss)
        config = {"name": name}
    elif name in ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper"):
        class_name = _class_of(config, known.METRIC_FUNCTIONS)
    if class_name in known.METRICS:
        kept = _kept(config, known.METRICS[class_name], notes, ("metric", class_name))
        dtype = config.get("dtype")
        kept["dtype"] = dtype if isinstance(dtype, str) else "float32"
        if class_name != name:
            notes.repaired("metric", f"{_function(name, config)} → {class_name}")
        return serialized(class_name, "keras.metrics", kept)
    own_name = config.get("name") if name == "MeanMetricWrapper" else None
    notes.caution(
        "metric",
        f"metric {named(own_name or entry)}, which Keras 3 does not have: left out",
    )
    return None


def _plain_class(name: str, loss: Any) -> str:
    """The class of a metric that Keras 3 does not know by this name."""
    if name not in ("crossentropy", "ce"):
        return known.METRIC_FUNCTIONS.get(name, "")
    meant = class_name_of(loss)
    meant = known.LOSS_FUNCTIONS.get(meant, meant)
    return meant if meant in _CROSSENTROPIES else ""


def _class_of(config: Mapping[str, Any], functions: Mapping[str, str]) -> str:
    """The class that computes the function in a wrapper."""
    return functions.get(class_name_of(config.get("fn")), "")


def _function(name: str, config: Mapping[str, Any]) -> str:
    function = class_name_of(config.get("fn"))
    return f"{name} of {function}" if function else repr(name)


def _kept(
    config: Mapping[str, Any],
    arguments: tuple[str, ...],
    notes: CompileNotes,
    what: tuple[str, str],
) -> dict[str, Any]:
    """What Keras 3 takes of a config, its name first."""
    kept: dict[str, Any] = {}
    for key in ("name", *arguments):
        if key not in config:
            continue
        if _is_plain(config[key]):
            kept[key] = config[key]
        else:
            rule, name = what
            notes.caution(
                rule, f"{key} of {name}, not a plain value: the default is used"
            )
    return kept


def _reduction(reduction: Any, notes: CompileNotes) -> str:
    if isinstance(reduction, str) and reduction in _REDUCTIONS:
        return reduction
    if reduction == "auto":
        notes.repaired("loss", f"reduction 'auto' → {_AUTO!r}")
    elif reduction is not None:
        notes.caution("loss", f"reduction {named(reduction)} → {_AUTO!r}")
    return _AUTO


def _is_plain(value: Any, depth: int = _MAX_DEPTH) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(each, depth - 1) for each in value)
    return value is None or isinstance(value, str | int | float)
