"""Write docs/commands.md from the commands themselves.

python docs/make_commands.py
"""

from pathlib import Path

import click

from keras_rectifiers.cli.main import main

_HEAD = """# Commands

Exit codes: 0 done, 1 a finding over the threshold that was asked for or a difference (`diff`, `export`), 2 an error, shown in one sentence on stderr.
With `--json` the result is JSON on stdout; progress and messages are on stderr.
This page is made by `python docs/make_commands.py` from what `keras-rectifiers COMMAND --help` prints.
"""  # noqa: E501


def page() -> str:
    """The page, whatever the width of the terminal."""
    context = click.Context(main, info_name="keras-rectifiers", **main.context_settings)
    parts = [_HEAD]
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        own = click.Context(command, info_name=name, parent=context, terminal_width=80)
        parts.append(f"## {name}\n\n```\n{command.get_help(own)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(page(), encoding="utf-8")
