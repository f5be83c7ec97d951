"""Old files beside Keras 3 alone: what opens, what opens wrongly, what is refused.

    python benchmarks/upgrade.py [--corpus] [--applications]

Each case is a file as an older version of Keras wrote it, whose outputs are known
(`tests/legacy/aged*.py`). It is opened by Keras alone, and by Keras after this
project's `upgrade`. The differences are relative to the largest output of the
reference, `tf_keras`. Prints a table in Markdown. With --corpus, all models of the
tests in all formats are counted as well (minutes), with --applications those of
Keras' applications (many minutes).
"""

import argparse
import os
import sys
import warnings
from pathlib import Path


def main():
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", action="store_true")
    parser.add_argument("--applications", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks import upgrade_tables  # what the tests need, --help does not

    warnings.simplefilter("ignore")
    upgrade_tables.case_table()
    if arguments.corpus:
        upgrade_tables.corpus_table(slow=False)
    if arguments.applications:
        upgrade_tables.corpus_table(slow=True)


if __name__ == "__main__":
    main()
