"""Write the table of rules in docs/upgrade.md from the rules themselves.

python docs/make_rules.py
"""

import re
from pathlib import Path

from keras_rectifiers.legacy.dialects.registry import ENTRY_RULES
from keras_rectifiers.legacy.dialects.registry import MODEL_RULES
from keras_rectifiers.legacy.weights.old_layouts import CONVERSIONS

_PAGE = Path(__file__).with_name("upgrade.md")
_BLOCK = re.compile(r"(?<=<!-- rules -->\n).*?(?=<!-- end of rules -->)", re.DOTALL)


def page() -> str:
    """The page with its table made anew."""
    lines = ["| rule | what it repairs |", "|---|---|"]
    lines += [f"| `{each.name}` | {each.about} |" for each in ENTRY_RULES + MODEL_RULES]
    lines += ["", "| weights that are stored otherwise | what is done |", "|---|---|"]
    lines += [f"| `{name}` | {each.about} |" for name, each in CONVERSIONS.items()]
    table = "\n".join(lines)
    return _BLOCK.sub(lambda _: f"\n{table}\n\n", _PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    _PAGE.write_text(page(), encoding="utf-8")
