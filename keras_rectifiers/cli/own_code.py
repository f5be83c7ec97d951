"""The user's own code, as `--import` and `--custom-object` name it."""

from __future__ import annotations

import dataclasses
from typing import Any

import click


@dataclasses.dataclass(frozen=True)
class NamedObject:
    """A class or function, and the name that files have for it."""

    name: str
    #: The name of a module, or the path of a `.py` file.
    module: str
    #: Where it is in the module: a name, or `Outer.Inner`.
    attribute: str

    def __str__(self) -> str:
        return f"{self.name}={self.module}:{self.attribute}"


@dataclasses.dataclass(frozen=True)
class OwnCode:
    """The modules to import, and the objects that are named one by one."""

    modules: tuple[str, ...] = ()
    objects: tuple[NamedObject, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.modules or self.objects)


class CustomObject(click.ParamType[NamedObject]):
    """`Name=module:Class`."""

    name = "custom object"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> NamedObject:
        """Parse, and refuse another form."""
        name, _, place = str(value).partition("=")
        module, _, attribute = place.rpartition(":")
        words = attribute.split(".")
        if not name or not module or not all(word.isidentifier() for word in words):
            self.fail(
                f"{value!r} is not of the form Name=module:Class, such as "
                "Scale=my_layers:Scale or Scale=my_layers.py:Scale.",
                param,
                ctx,
            )
        return NamedObject(name, module, attribute)
