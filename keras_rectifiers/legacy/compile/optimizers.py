"""Old optimizers as Keras 3 writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from typing import TypeGuard

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.legacy.compile import known
from keras_rectifiers.legacy.compile.notes import CompileNotes
from keras_rectifiers.legacy.compile.notes import class_name_of
from keras_rectifiers.legacy.compile.notes import named
from keras_rectifiers.legacy.compile.notes import settings_of
from keras_rectifiers.legacy.dialects.registry import serialized
from keras_rectifiers.surgery.optimizer_layout import INITIAL_SCALE
from keras_rectifiers.surgery.optimizer_layout import SCALER
from keras_rectifiers.surgery.optimizer_layout import default_rate

_RULE = "optimizer"
_MODULE = "keras.optimizers"
_SCHEDULES = "keras.optimizers.schedules"
_CLASSES = {name.lower(): name for name in known.OPTIMIZERS}
_SCALED = frozenset(
    {"lossscaleoptimizer", "lossscaleoptimizerv1", "lossscaleoptimizerv3"}
)
#: What Keras meant by an epsilon of None.
_EPSILON = 1e-7
#: Smallest epsilon whose place in float32 is not lost.
_LEAST = 1e-36
#: How fast the Nadam of Keras 3 warms its momentum up; others did it more slowly.
_NADAM_DECAY = 1.0


class Unknown(Exception):  # noqa: N818 (control flow: never leaves this package)
    """An optimizer that Keras 3 does not have; says which and why."""


def modern_optimizer(entry: Any, notes: CompileNotes) -> Entry | None:
    """An optimizer as Keras 3 writes it, None where it does not have it.

    Args:
        entry: As any Keras before it wrote it: a name, or class and config.
        notes: Takes the repairs.
    """
    try:
        return _optimizer(entry, notes)
    except Unknown as error:
        notes.caution(
            _RULE,
            f"{error}: left out, with loss and metrics; compile the model before you "
            "train it",
        )
        return None


def is_legacy(config: Mapping[str, Any]) -> bool:
    """Whether an optimizer belongs to the family that Keras had before 2.11.

    Args:
        config: Its config.
    """
    legacy = config.get("is_legacy_optimizer")
    if isinstance(legacy, bool):
        return legacy
    return "jit_compile" not in config and "use_ema" not in config


def _optimizer(entry: Any, notes: CompileNotes) -> Entry:
    name, config = class_name_of(entry), settings_of(entry)
    prefix, _, plain = name.rpartition(">")
    own = prefix in ("", "Keras") or (prefix == "Custom" and not is_legacy(config))
    if own and plain.lower() in _SCALED:
        return _scaled(config, notes)
    class_name = _CLASSES.get(plain.lower())
    if not own or class_name is None:
        raise Unknown(f"optimizer {named(entry)}, which Keras 3 does not have")
    if isinstance(entry, str):  # compiled by name: with the defaults of Keras 2.12 on
        rate = default_rate(class_name)
        config = {"name": class_name.lower(), "learning_rate": rate}
        return serialized(class_name, _MODULE, config)
    old = _Old(class_name, config, notes)
    return serialized(class_name, _MODULE, old.modern())


class _Old:
    """The config of an old optimizer, on its way to Keras 3.

    Args:
        class_name: Its class in Keras 3.
        config: Its old config.
        notes: Takes the repairs.
    """

    def __init__(
        self, class_name: str, config: dict[str, Any], notes: CompileNotes
    ) -> None:
        self._class = class_name
        self._config = config
        self._notes = notes
        self._legacy = is_legacy(config)
        #: Before tf.keras 2.0 an optimizer had no name.
        self._nameless = "name" not in config

    def modern(self) -> dict[str, Any]:
        """The config as Keras 3 writes it."""
        name = self._config.get("name")
        own = self._own()
        return {
            "name": name if isinstance(name, str) else self._class.lower(),
            "learning_rate": self._rate(),
            **self._shared(),
            **own,
        }

    def _rate(self) -> Any:
        key = "learning_rate" if "learning_rate" in self._config else "lr"
        rate = self._config.get(key)
        if isinstance(rate, Mapping):
            rate = _schedule(rate)
        elif not _is_number(rate):
            raise Unknown(
                f"optimizer {self._class!r} with the learning rate {named(rate)}"
            )
        else:
            rate = float(rate)
        if key == "lr":
            self._notes.repaired(_RULE, "lr → learning_rate")
        return self._decayed(rate)

    def _decayed(self, rate: Any) -> Any:
        """The rate with the decay that optimizers had before Keras 2.11."""
        decay = self._config.get("decay")
        if self._class == "Nadam" or not _is_number(decay) or decay <= 0:
            return rate
        if isinstance(rate, Mapping):
            self._notes.caution(
                _RULE, f"decay {decay:g} with a learning-rate schedule: left out"
            )
            return rate
        self._notes.repaired(_RULE, f"decay {decay:g} → InverseTimeDecay")
        config = {
            "initial_learning_rate": rate,
            "decay_steps": 1,
            "decay_rate": float(decay),
            "staircase": False,
            "name": "InverseTimeDecay",
        }
        return serialized("InverseTimeDecay", _SCHEDULES, config)

    def _shared(self) -> dict[str, Any]:
        shared = {
            key: default
            if self._config.get(key) is None
            else _plain(key, self._config[key], _kind(default))
            for key, default in known.SHARED.items()
        }
        if self._nameless and shared["clipnorm"] is not None:
            # Keras before 2.4 held the norm of all gradients together against it.
            shared["global_clipnorm"] = shared.pop("clipnorm")
            shared["clipnorm"] = None
            self._notes.repaired(_RULE, "clipnorm → global_clipnorm")
        clipped = [
            key
            for key in ("clipnorm", "global_clipnorm", "clipvalue")
            if shared[key] is not None
        ]
        for key in clipped[1:]:
            self._notes.caution(
                _RULE, f"{key} {shared[key]:g} next to {clipped[0]}: left out"
            )
            shared[key] = None
        return {key: shared[key] for key in known.SHARED}

    def _own(self) -> dict[str, Any]:
        defaults = {"initial_accumulator_value": 0.0, "epsilon": _EPSILON}
        own = {}
        for key, kind in known.OPTIMIZERS[self._class].items():
            value = self._config.get(key)
            if value is None:
                value = defaults.get(key)
            if value is not None:
                own[key] = _plain(key, value, kind)
        if self._legacy:
            self._move_epsilon(own)
            self._warm_up()
        return own

    def _move_epsilon(self, own: dict[str, Any]) -> None:
        """Move epsilon inside the square root, as Keras 3 has it."""
        fused = self._class == "RMSprop" and own.get("momentum")
        if self._class not in ("RMSprop", "Adagrad") or fused:
            return
        old = own["epsilon"]
        own["epsilon"] = max(old * old, _LEAST)
        self._notes.repaired(
            _RULE,
            f"epsilon {old:g} outside the square root → {own['epsilon']:g} inside it",
        )

    def _warm_up(self) -> None:
        if self._class != "Nadam":
            return
        decay = self._config.get("schedule_decay", self._config.get("decay"))
        if decay != _NADAM_DECAY:
            self._notes.caution(
                _RULE,
                f"Nadam's schedule_decay {named(decay)} → 1: Keras 3 warms up the "
                "momentum faster",
            )


def _scaled(config: dict[str, Any], notes: CompileNotes) -> Entry:
    """An optimizer that scales the loss, for training in float16."""
    inner = _optimizer(config.get("inner_optimizer", config.get("optimizer")), notes)
    scale = config.get("loss_scale")
    if isinstance(scale, Mapping):  # the form of TensorFlow 2.1 to 2.3
        fixed = scale.get("class_name") == "FixedLossScale"
        values = settings_of(scale)
        start = values.get("loss_scale_value" if fixed else "initial_loss_scale")
        steps = values.get("increment_period")
    else:
        fixed = config.get("dynamic") is False
        start, steps = config.get("initial_scale"), config.get("dynamic_growth_steps")
    if fixed and _is_number(start):
        inner["config"]["loss_scale_factor"] = float(start)
        notes.repaired(_RULE, "fixed loss scale → loss_scale_factor")
        return inner
    return scaler(inner, start, steps)


def scaler(inner: Any, scale: Any = None, steps: Any = None) -> Entry:
    """An optimizer that scales the loss for another one, as Keras 3 writes it.

    Args:
        inner: The other one.
        scale: The scale that it starts from; default, and where it is not a number:
            that of Keras.
        steps: After how many it scales more; as for `scale`.
    """
    config = {
        "name": "loss_scale_optimizer",
        "inner_optimizer": inner,
        "initial_scale": float(scale) if _is_number(scale) else INITIAL_SCALE,
        "dynamic_growth_steps": int(steps) if _is_number(steps) else 2000,
    }
    return serialized(SCALER, _MODULE, config)


def _schedule(entry: Mapping[str, Any]) -> Entry:
    name = class_name_of(entry).rpartition("Keras>")[2]
    arguments = known.SCHEDULES.get(name)
    if arguments is None:
        raise Unknown(f"learning-rate schedule {named(entry)}")
    config = settings_of(entry)
    kept = {key: config[key] for key in arguments if key in config}
    for key, value in kept.items():
        items = value if isinstance(value, list) else [value]
        fine = all(
            each is None or isinstance(each, bool) or _is_number(each) for each in items
        )
        if key != "name" and not fine:
            raise Unknown(f"learning-rate schedule {name!r} with the {key} {value!r}")
    if not isinstance(kept.get("name"), str):
        kept["name"] = name  # Keras 3 cannot do without
    return serialized(name, _SCHEDULES, kept)


def _kind(default: Any) -> str:
    return "flag" if type(default) is bool else "number"


def _plain(key: str, value: Any, kind: str) -> Any:
    """A number, a flag or a list of strings in a config."""
    if kind == "flag" and value in (0, 1):
        return bool(value)
    if kind == "number" and _is_number(value):
        return value
    texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind == "texts" and texts:
        return value
    raise Unknown(f"optimizer with the {key} {named(value)}")


def _is_number(value: Any) -> TypeGuard[int | float]:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and math.isfinite(value)
