"""Write docs/api.md from the public names themselves.

python docs/make_api.py
"""

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import keras_rectifiers

_HEAD = """# Public names

Everything here can be imported from `keras_rectifiers` or from the module named; every other path is internal and may change.
Names are imported when they are first used: `import keras_rectifiers` loads neither Keras nor anything else.
This page is made by `python docs/make_api.py` from the first line of each docstring.
"""  # noqa: E501
_RESULTS = """Most functions return a result of `keras_rectifiers.types`, and all results are alike: `rows` (one dict for each line, with the keys `COLUMNS`), `to_pandas()`, `to_dict()`, `to_json()`, `parts()` (the lines and tables that are shown), and `plot()` where there is a picture (`Diagnosis`, `Timeline`).
They print as text, with `rich.print` as tables, and a notebook shows them."""  # noqa: E501


def page() -> str:
    """The page: a table of the functions, and one of each public module."""
    names = dir(keras_rectifiers)
    found = {name: getattr(keras_rectifiers, name) for name in names}
    modules = {n: each for n, each in found.items() if isinstance(each, ModuleType)}
    functions = {n: each for n, each in found.items() if n not in modules}
    parts = [_HEAD, "## `keras_rectifiers`\n", _table(functions), "", _RESULTS, ""]
    for name, module in modules.items():
        parts += [f"## `keras_rectifiers.{name}`\n", f"{_first_line(module)}\n"]
        public = {each: getattr(module, each) for each in sorted(module.__all__)}
        parts += [_table(public), ""]
    return "\n".join(parts)


def _table(names: dict[str, Any]) -> str:
    lines = ["| name | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {_first_line(each)} |" for name, each in names.items()]
    return "\n".join(lines)


def _first_line(each: Any) -> str:
    paragraph = (inspect.getdoc(each) or "").partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(page(), encoding="utf-8")
