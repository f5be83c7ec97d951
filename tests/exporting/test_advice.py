"""What is said of costs."""

import dataclasses

from keras_rectifiers.exporting import advice
from keras_rectifiers.exporting.result import Differences
from keras_rectifiers.exporting.result import ExportedRectifier
from keras_rectifiers.exporting.result import ExportResult
from keras_rectifiers.exporting.result import Twin

_SAME = Differences(samples=100, maximum=0.0, mean=0.0, scale=1.0, agreement=1.0)


def _result(ratio=1.0, agreement=1.0):
    return ExportResult(
        model="m",
        format="litert",
        target=None,
        precision="int8",
        size=1,
        backend="tensorflow",
        batch=None,
        rectifiers=(),
        operations={},
        fallbacks=(),
        differences=dataclasses.replace(_SAME, agreement=agreement),
        tolerance=0.1,
        judged="mean",
        inputs="",
        twin=Twin(1, _SAME, (ratio, 1.0)),
        advice=(),
        versions={},
    )


def test_nothing_is_said_of_what_costs_little():
    """Neither time nor agreement, nor where there is no twin."""
    assert advice.of(_result(1.2, 0.99), 0.1) == ()
    assert advice.of(dataclasses.replace(_result(9.0), twin=None), 0.1) == ()


def test_a_slow_file_gets_a_command():
    """With the tolerance at which every PReLU becomes simpler."""
    (said,) = advice.of(_result(1.5), 0.125)

    assert "1.50 times" in said
    assert "fold --tolerance 0.12 " in said


def test_onnx_runtime_has_a_faster_form():
    """Its PRelu is slow on CPUs; other runtimes have one kernel for it."""
    slow = dataclasses.replace(_result(2.0), format="onnx", operations={"PRelu": 1})

    assert "--arithmetic" in advice.of(slow, 0.1)[1]


def test_a_loss_beside_the_twin_is_told():
    """In shares of the samples."""
    (said,) = advice.of(_result(agreement=0.9), 0.1)

    assert "90.0%" in said
    assert "100.0%" in said


def test_rectifiers_that_are_no_operation_are_named():
    """Several operations, or none that could be told from others."""
    several = ExportedRectifier("a", "prelu", ("MUL", "SUB"))
    lost = ExportedRectifier("b", "prelu", ())
    native = ExportedRectifier("c", "prelu", ("PRELU",), (4,), native=True)

    first, second = advice.not_native([several, lost, native])

    assert "no single operation for a." in first
    assert "from others of b" in second
    assert advice.not_native([native]) == []
