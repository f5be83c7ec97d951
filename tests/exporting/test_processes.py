"""How a child process ends is one sentence; real processes that crash and hang."""

import sys

import pytest

from keras_rectifiers.errors import ExportError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.exporting import processes
from keras_rectifiers.exporting.request import Request
from tests.exporting.conftest import BACKEND

_CRASH = """
import os, signal
os.kill(os.getpid(), signal.SIGSEGV)
"""
_LOGS = """
import logging
logging.getLogger("exporter").error("No Op registered for MulNoNan")
"""


@pytest.fixture
def child(tmp_path, monkeypatch, saved):
    """Run a child whose user has a module with some code; give its error."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def run(code, timeout=300):
        (tmp_path / "of_the_user.py").write_text(code)
        Request(
            model=str(saved / "small.keras"),
            shown_as="small.keras",
            format="litert",
            target=str(tmp_path / "out.tflite"),
            limit=4,
            modules=("of_the_user",),
        ).write(tmp_path / processes.REQUEST)
        with pytest.raises(ExportError) as error:
            processes.run(tmp_path, BACKEND, timeout)
        assert not (tmp_path / "out.tflite").exists()
        return str(error.value)

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="signals have names elsewhere")
def test_a_crash_is_one_sentence(child):
    """The signal and the step are named."""
    assert child(_CRASH) == (
        "The export process crashed (SIGSEGV) while opening the model. Nothing "
        "was written."
    )


def test_a_child_that_hangs_is_ended(child):
    """After the time that was given; it does not even import Keras by then."""
    said = child("", timeout=0.2)

    assert "took longer than 0.2 s" in said
    assert said.count(".") < 6


def test_what_is_logged_as_an_error_is_one(child):
    """Exporters go on after it, and write a file that is not valid."""
    said = child(_LOGS)

    assert "No Op registered for MulNoNan (logged by exporter)" in said


def test_a_lost_twin_leaves_the_result(tmp_path):
    """A child that ends while it exports the twin has left what it found before."""
    (tmp_path / processes.RESULT).write_text('{"model": "m"}')
    (tmp_path / processes.STAGE).write_text(processes.TWIN_STAGE)

    # There is no request, so that the child ends at once.
    found = processes.run(tmp_path, BACKEND, 60)

    assert found == {"model": "m", "lost": "ended with code 1"}


def test_errors_come_back_as_what_they_were():
    """Those that carry more than a sentence become their nearest kin."""
    made = [
        processes._raised({"kind": kind, "message": "What happened.", "name": "Net"})
        for kind in ("ExportError", "HiddenLayersError", "NoSuchError")
    ]

    assert [type(each) for each in made] == [
        ExportError,
        UnknownClassError,
        ExportError,
    ]
    assert str(made[0]) == made[1].fact == str(made[2]) == "What happened."
    assert made[1].name == "Net"


def test_the_reason_is_the_last_line_that_gives_one():
    """Lines that only look bad, as of drivers that are not there, are passed over."""
    log = (
        "E0000 00:00:1.0 1 cuda_platform.cc:52] failed call to cuInit: CUDA error: X\n"
        "<unknown>:0: error: loc('x'): 'tf.X' op is neither\n"
        "W0000 00:00:1.0 1 other.cc:1] more\n"
    )

    assert (
        processes._reason(log) == "<unknown>:0: error: loc('x'): 'tf.X' op is neither"
    )
    assert processes._reason("all is well\n") == ""
