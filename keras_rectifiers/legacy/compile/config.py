"""An old compile config as Keras 3 writes it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.legacy.compile import moved
from keras_rectifiers.legacy.compile.losses import modern_loss
from keras_rectifiers.legacy.compile.losses import modern_metric
from keras_rectifiers.legacy.compile.notes import CompileNotes
from keras_rectifiers.legacy.compile.notes import named
from keras_rectifiers.legacy.compile.notes import settings_of
from keras_rectifiers.legacy.compile.optimizers import modern_optimizer
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery.optimizer_layout import of_every_backend

#: The first Keras that writes what the newest reads.
_MODERN = (3,)


def modern_compile_config(
    training: dict[str, Any], origin: Origin, document: Entry | None = None
) -> tuple[dict[str, Any] | None, tuple[Repair, ...]]:
    """A compile config as Keras 3 writes it, and what was changed.

    Args:
        training: The `training_config` of a whole-model `.h5` or a SavedModel, or
            the `compile_config` of a `.keras`, of any age.
        origin: Where it comes from.
        document: The modern document of the model: its outputs show which losses and
            metrics belong to which output.

    Returns:
        The config, None where Keras 3 does not have the optimizer.
    """
    old = training.get("optimizer_config", training.get("optimizer"))
    if "optimizer_config" not in training and origin.version >= _MODERN:
        return _of_keras_3(training)
    notes = CompileNotes()
    optimizer = modern_optimizer(old, notes)
    if optimizer is None:
        return None, notes.made
    compiled = {
        "optimizer": optimizer,
        **_Outputs(output_names(document)).compiled(training, notes),
        "run_eagerly": training.get("run_eagerly") is True,
        "steps_per_execution": _steps(training.get("steps_per_execution")),
        "jit_compile": True if training.get("jit_compile") is True else "auto",
    }
    return compiled, notes.made


def _of_keras_3(
    compiled: dict[str, Any],
) -> tuple[dict[str, Any], tuple[Repair, ...]]:
    if not moved.is_of_torch(compiled):
        return compiled, ()
    old = compiled["optimizer"]
    text = (
        f"{named(old)}, which only the torch backend can train with → the optimizer "
        "of every backend"
    )
    new = {**compiled, "optimizer": of_every_backend(old)}
    return new, (Repair("optimizer", "", text),)


def output_names(document: Entry | None) -> tuple[str, ...] | None:
    """The names of a model's outputs, None where they are not a plain list.

    Args:
        document: A modern document.
    """
    if document is None or not is_model(document):
        return None
    if not is_functional(document):
        return ("",)
    outputs = config_of(document)["output_layers"]
    if isinstance(outputs, list) and outputs and isinstance(outputs[0], str):
        outputs = [outputs]
    if not isinstance(outputs, list):
        return None
    if not all(isinstance(each, list) and each for each in outputs):
        return None
    return tuple(str(name) for name, *_ in outputs)


class _Outputs:
    """Losses and metrics, sorted by output.

    Keras 2 took one loss or one list of metrics for all outputs, lists and dicts by
    output; Keras 3 takes all of these forms too, but not mixed.

    Args:
        names: The outputs' names; None where they are not known.
    """

    def __init__(self, names: tuple[str, ...] | None) -> None:
        self._names = names

    def compiled(
        self, training: Mapping[str, Any], notes: CompileNotes
    ) -> dict[str, Any]:
        """Losses, their weights and metrics as Keras 3 writes them."""
        loss = self._sorted(training.get("loss"))
        loss = _map(loss, lambda each: modern_loss(each, notes))
        beside = _first(loss)
        if beside is None:
            loss = None

        def metrics(key: str) -> Any:
            found = self._sorted_metrics(training.get(key))
            found = _map(found, lambda each: modern_metric(each, beside, notes))
            self._rename(found)
            return _pruned(found)

        return {
            "loss": loss,
            "loss_weights": self._weights(training.get("loss_weights"), loss, notes),
            "metrics": metrics("metrics"),
            "weighted_metrics": metrics("weighted_metrics"),
        }

    def _sorted(self, values: Any) -> Any:
        """One value for a single output, else a list with one for each."""
        if self._names is None:
            return values
        if len(self._names) == 1:
            return _only(values, self._names[0])
        return self._by_output(values) if isinstance(values, list | dict) else values

    def _sorted_metrics(self, values: Any) -> Any:
        if self._names is None:
            return values
        if not _is_nested(values):
            values = None if values is None else [values]
        if len(self._names) == 1:
            flat = list(_leaves(values))
            return flat or None
        if not values:
            return None
        if not isinstance(values, dict) and not any(map(_is_nested, values)):
            return [values for _ in self._names]  # all of them for every output
        values = self._by_output(values)
        if isinstance(values, dict):
            return values
        return [[each] if each and not _is_nested(each) else each for each in values]

    def _rename(self, metrics: Any) -> None:
        """Take the output's name from its metrics' names: Keras 3 puts it there.

        Once a model was trained, Keras 2 kept the names with it.
        """
        names = self._names or ()
        if len(names) < 2 or not isinstance(metrics, list):  # noqa: PLR2004
            return
        for name, mine in zip(names, metrics, strict=False):
            for each in _leaves(mine):
                config = settings_of(each)
                named_for = config.get("name")
                if isinstance(named_for, str) and named_for.startswith(f"{name}_"):
                    each["config"] = {**config, "name": named_for[len(name) + 1 :]}

    def _by_output(self, values: Any) -> Any:
        names = self._names or ()
        if isinstance(values, dict):
            values = {_modern_name(key, names): each for key, each in values.items()}
            known = set(values) <= set(names) and len(set(names)) == len(names)
            return [values.get(name) for name in names] if known else values
        return values

    def _weights(self, weights: Any, loss: Any, notes: CompileNotes) -> Any:
        """The losses' weights, in the losses' form."""
        if weights is None or weights in ([], {}):
            return None
        weights = self._sorted(weights)
        if isinstance(loss, list) and isinstance(weights, list):
            fits = len(loss) == len(weights)
        elif isinstance(loss, dict) and isinstance(weights, dict):
            fits = set(loss) == set(weights)
        elif isinstance(weights, list) and self._names is not None:
            fits = False
        else:
            fits = not _is_nested(weights)
        plain = all(
            isinstance(each, int | float) and not isinstance(each, bool)
            for each in _leaves(weights)
        )
        if not (fits and plain):
            notes.caution("loss", f"loss_weights {named(weights)}: left out")
            return None
        return _map(weights, lambda each: 1.0 if each is None else float(each))


def _modern_name(name: str, names: tuple[str, ...]) -> str:
    """An output's name in Keras 3, which does not allow `/`."""
    return name if name in names else name.replace("/", "_")


def _only(values: Any, name: str) -> Any:
    """The value of a single output, whatever container it is in."""
    while _is_nested(values) and len(values) == 1:
        if isinstance(values, dict) and name and name not in values:
            return values
        (values,) = values.values() if isinstance(values, dict) else values
    return values


def _is_nested(value: Any) -> bool:
    """Whether a value holds others and is not a serialized object."""
    return isinstance(value, list) or (
        isinstance(value, dict) and "class_name" not in value
    )


def _map(value: Any, function: Callable[[Any], Any]) -> Any:
    """The same nested structure, with a function applied to each leaf."""
    if isinstance(value, list):
        return [_map(each, function) for each in value]
    if _is_nested(value):
        return {key: _map(each, function) for key, each in value.items()}
    return function(value)


def _leaves(value: Any) -> list[Any]:
    if not _is_nested(value):
        return [] if value is None else [value]
    members = value.values() if isinstance(value, dict) else value
    return [leaf for each in members for leaf in _leaves(each)]


def _first(value: Any) -> Any:
    return next(iter(_leaves(value)), None)


def _pruned(value: Any) -> Any:
    """Metrics without those that were left out; a list by output keeps its length."""
    if isinstance(value, dict) and _is_nested(value):
        kept = {key: _pruned(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None} or None
    if not isinstance(value, list):
        return value
    if any(isinstance(each, list) for each in value):
        kept_list = [_pruned(each) for each in value]
        return kept_list if any(each is not None for each in kept_list) else None
    return [each for each in value if each is not None] or None


def _steps(steps: Any) -> int:
    fine = isinstance(steps, int) and not isinstance(steps, bool) and steps >= 1
    return steps if fine else 1
