"""Python functions as plain data: what a config says of one that Keras cannot name.

Keras names its own functions, and those that somebody registered. Lambdas, partials
and callable objects have no name that leads back to them, and the function of another
library is taken for the one of Keras that has its name. Keras is never imported here.
"""

from __future__ import annotations

import functools
import types
from typing import Any

#: Libraries whose functions are known by their names.
LIBRARIES = frozenset({"tensorflow", "jax", "torch"})
#: Their functions that compute what Keras' functions of these names do.
_SAME = frozenset({"relu", "relu6", "tanh", "sigmoid", "elu", "selu"})
_PLAIN = int | float | str | None


def describe(value: Any) -> dict[str, Any] | None:
    """What a config says of a callable; None where Keras itself can say it.

    Args:
        value: Anything.

    Returns:
        `module`, `class_name` (`"function"`), `config` (the name), and for a partial
        whose arguments are all plain, `keywords`.
    """
    if isinstance(value, type) or not callable(value) or hasattr(value, "get_config"):
        return None
    if isinstance(value, functools.partial):
        return _partial(value)
    root = _module(value).split(".", maxsplit=1)[0]
    if root == "keras":
        return None
    function = isinstance(value, types.FunctionType)
    if function and root in LIBRARIES and value.__name__ in _SAME:
        return None
    return named(value)


def named(value: Any) -> dict[str, Any]:
    """A callable by its module and its name."""
    name = getattr(value, "__name__", None) or f"{type(value).__name__}()"
    return {"module": _module(value), "class_name": "function", "config": str(name)}


def _partial(value: functools.partial[Any]) -> dict[str, Any]:
    inner = named(value.func)
    plain = all(isinstance(each, _PLAIN) for each in value.keywords.values())
    if plain and not value.args:
        return {**inner, "keywords": dict(value.keywords)}
    return {
        **inner,
        "module": "functools",
        "config": f"partial({inner['config']}, ...)",
    }


def _module(value: Any) -> str:
    owner = getattr(value, "__self__", None)
    for each in (value, owner, type(value)):
        module = getattr(each, "__module__", None)
        if isinstance(module, str) and module != "builtins":
            return module
    return "python"
