"""Arguments that are paths or URLs, and the command that resolves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from keras_rectifiers.files.urls import is_url


class _Place(click.Path):
    """A path, or a URL as it was given."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """A path, or the URL."""
        return value if is_url(value) else super().convert(value, param, ctx)


class SourcePath(_Place):
    """What a command reads."""


class TargetPath(_Place):
    """What a command writes."""


class LocalFolder(click.Path):
    """A folder that is read and written all the time."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """A path; a URL is refused."""
        if is_url(value):
            self.fail("must be a local folder, not a URL.", param, ctx)
        return super().convert(value, param, ctx)


class Command(click.Command):
    """A command that gets local paths where URLs were given."""

    def invoke(self, ctx: click.Context) -> Any:
        """Download the sources, and run the command, which uploads the targets."""
        from keras_rectifiers.cli.screen import say
        from keras_rectifiers.files import remote

        with remote.places(say) as here:
            for kind, resolve in ((TargetPath, here.target), (SourcePath, here.source)):
                for param in self.params:
                    if isinstance(param.type, kind) and param.name is not None:
                        value = ctx.params[param.name]
                        ctx.params[param.name] = _resolved(value, resolve)
            return super().invoke(ctx)


def _resolved(value: Any, resolve: Callable[[str], Path]) -> Any:
    if isinstance(value, tuple):
        return tuple(_resolved(each, resolve) for each in value)
    return resolve(value) if is_url(value) else value
