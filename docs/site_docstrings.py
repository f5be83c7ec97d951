"""Lets the reference show the examples of docstrings as code.

Docstrings here have one `Example:`, as those of Keras; the builder knows the section
by its other name only, `Examples:`.
"""

from typing import Any

from griffe import Extension
from griffe import Object


class OneExample(Extension):
    """Renames the section in what the builder reads; no file is changed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Look at one object, of whatever kind, once it is read."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace(
                "\nExample:\n", "\nExamples:\n"
            )
