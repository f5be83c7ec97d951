"""Draw the picture in the README from a real run of the demo.

python examples/make_picture.py docs/demo.svg
"""

import os
import subprocess
import sys
import tempfile

from rich.console import Console
from rich.text import Text

COMMAND = ["keras-rectifiers", "demo", "--out", "demo"]
WIDTH = 96


def main():
    """Run the demo as a terminal would, and keep its screen as SVG."""
    environment = dict(os.environ, COLUMNS=str(WIDTH), FORCE_COLOR="1")
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            COMMAND, cwd=folder, env=environment, capture_output=True, check=True
        )
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print(Text("$ keras-rectifiers demo", style="bold"))
    console.print(Text.from_ansi(run.stdout.decode()), end="")
    console.save_svg(sys.argv[1], title="keras-rectifiers")


if __name__ == "__main__":
    main()
