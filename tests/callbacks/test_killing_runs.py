"""Networks that die as they train, with `ReviveDeadUnits` on.

The runs are those that kill the networks of `benchmarks/rescue.py`.
"""

import sys
from pathlib import Path

import pytest

from tests.backends import some_by_default

_BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, _BENCHMARKS)
from rescue_families import families  # noqa: E402
from rescue_families import live  # noqa: E402

sys.path.remove(_BENCHMARKS)

#: Those that take minutes are in `benchmarks/live.py` only.
_QUICK = ("conv-bias", "dead-output", "digits-rate", "lagging", "narrow", "unscaled")


@pytest.mark.parametrize("name", some_by_default(_QUICK, ["digits-rate"]))
def test_a_network_that_is_being_killed_ends_alive(name):
    """At most a quarter of its units is dead at the end, and no layer as a whole."""
    family = families.ALL[name]()

    result = live.run(family, seed=0)

    assert result["alive"]


def test_without_the_callback_the_run_kills():
    """The network of the test above is really one that dies."""
    from keras_rectifiers.diagnosis.diagnose import diagnose

    family = families.ALL["digits-rate"]()
    family.prepare()
    family.kill(0)

    found = diagnose(family.killed, family.data(0).x[:1024], batch_size=1024)

    assert found.dead_fraction > 0.5
