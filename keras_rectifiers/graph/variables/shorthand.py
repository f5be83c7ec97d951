"""What the tables of variables are written with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph.variables.variable import Variable

Config = Mapping[str, Any]
Shape = tuple[int | str | None, ...] | None


def own(*named: tuple[str, Shape], fixed: Iterable[str] = ()) -> tuple[Variable, ...]:
    """Variables of the layer itself, numbered in this order."""
    return tuple(
        Variable(name, ("vars", str(number)), (name,), shape, name not in fixed)
        for number, (name, shape) in enumerate(named)
    )


def below(
    variables: Iterable[Variable], group: str, attribute: str, name: str = ""
) -> tuple[Variable, ...]:
    """The same variables, as those of a part of a layer."""
    return tuple(
        dataclasses.replace(
            each,
            name=f"{name}/{each.name}" if name else each.name,
            group=(group, *each.group),
            attribute=(attribute, *each.attribute),
        )
        for each in variables
    )


def bias(config: Config, *shape: Any) -> list[tuple[str, Shape]]:
    """The bias, where the config asks for one."""
    return [("bias", shape)] if config.get("use_bias", True) else []


def on(config: Config, key: str) -> bool:
    """Whether a switch is on, as it is by default."""
    return bool(config.get(key, True))
