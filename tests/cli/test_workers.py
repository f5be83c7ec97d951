"""Work in processes; the work here is Python's own `eval`."""

import pytest

from keras_rectifiers.cli.workers import Crash
from keras_rectifiers.cli.workers import results


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_crash_costs_one_item(jobs):
    """A process that kills itself loses its item; all others have their results."""
    kill = "__import__('os').kill(__import__('os').getpid(), 9)"
    items = ["1 + 1", kill, "2 + 2", "__import__('os')._exit(7)", "3 + 3"]

    found = dict(results(eval, items, jobs))

    assert found == {
        0: 2,
        1: Crash("crashed (SIGKILL)"),
        2: 4,
        3: Crash("ended with code 7"),
        4: 6,
    }


def test_no_items_are_no_work():
    """Nothing to do starts no process."""
    assert list(results(eval, [], 4)) == []


def test_processes_are_others():
    """Each job is another process, and it is used again."""
    pid = "(__import__('time').sleep(0.2), __import__('os').getpid())[1]"

    found = set(dict(results(eval, [pid] * 6, 2)).values())

    assert len(found) == 2
