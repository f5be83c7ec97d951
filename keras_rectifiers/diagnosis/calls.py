"""The calls that advice names, in Python and as commands. Plain data.

Advice is written once, in Python; where it is read on the command line,
`on_command_line` puts the command in place of each call.
"""

from __future__ import annotations

import re

#: What brings dead units back.
FINETUNE = "keras_rectifiers.finetune(model, (x, y))"
#: What brings back units that only moving statistics silence.
REFRESH = "keras_rectifiers.revival.refresh_statistics(model, x)"
#: What gives units a slope.
CONVERT = "keras_rectifiers.convert(model, 'prelu')"
#: What names the causes of silent units.
EXPLAIN = "keras_rectifiers.explain(keras_rectifiers.diagnose(model, x))"

_FINETUNE = re.compile(re.escape(FINETUNE[:-1]) + r"((?:, \w+=[^,)]+)*)\)")
_COMMANDS = {
    CONVERT: "keras-rectifiers convert MODEL OUT --to prelu",
    EXPLAIN: "keras-rectifiers diagnose MODEL --data DATA --explain",
}
#: Arguments that advice names without a value, and which are options, too.
_ARGUMENT = re.compile(r"\b(epochs|learning_rate|loss|treatment)=(?!\w)")


def finetune(**options: float) -> str:
    """The call of `finetune` with some options.

    Args:
        options: Numbers by the names of the arguments.
    """
    given = "".join(f", {name}={value:g}" for name, value in options.items())
    return f"{FINETUNE[:-1]}{given})"


def on_command_line(text: str) -> str:
    """Advice with commands in place of calls; a call without a command stays.

    Args:
        text: Sentences that name calls, or one call.
    """
    text = _FINETUNE.sub(_finetune_command, text)
    for call, command in _COMMANDS.items():
        text = text.replace(call, command)
    return _ARGUMENT.sub(lambda found: _option(found[1]), text)


def shortened(text: str) -> str:
    """Advice on the command line, with the command on a separate line below.

    Args:
        text: Sentences that name calls.
    """
    return on_command_line(_FINETUNE.sub("finetune", text))


def _finetune_command(found: re.Match[str]) -> str:
    options = re.sub(
        r", (\w+)=([^,]+)", lambda each: f" {_option(each[1])} {each[2]}", found[1]
    )
    return f"keras-rectifiers finetune MODEL --data DATA --out OUT{options}"


def _option(argument: str) -> str:
    return f"--{argument.replace('_', '-')}"
