"""What was changed in a compile config, collected while it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_rectifiers.repairs import Repair

_LONGEST = 60


class CompileNotes:
    """The repairs of one compile config."""

    def __init__(self) -> None:
        self._made: dict[Repair, None] = {}

    def repaired(self, rule: str, text: str) -> None:
        """Note a difference that changes nothing for the user.

        Args:
            rule: Name of the rule.
            text: What it was and what it is: `"lr → learning_rate"`.
        """
        self._made[Repair(rule, "", text)] = None

    def caution(self, rule: str, text: str) -> None:
        """Note what was left behind, or differs from what it was."""
        self._made[Repair(rule, "", text, caution=True)] = None

    @property
    def made(self) -> tuple[Repair, ...]:
        """Each repair once, in the order in which they were made."""
        return tuple(self._made)


def class_name_of(entry: Any) -> str:
    """The class, function or string in a compile config.

    `"Custom>Adam"` and other registered names keep their prefix.
    """
    if isinstance(entry, Mapping):
        name = entry.get("class_name")
        config = entry.get("config")
        if name == "function" and isinstance(config, str):
            return config
        return name if isinstance(name, str) else ""
    return entry if isinstance(entry, str) else ""


def settings_of(entry: Any) -> dict[str, Any]:
    """The config dict of a serialized object (empty where it has none)."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    return dict(config) if isinstance(config, Mapping) else {}


def named(entry: Any) -> str:
    """What a compile config names, quoted, for people."""
    text = class_name_of(entry) or str(entry)
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
