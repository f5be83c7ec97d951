"""Figures of a comparison, against ones computed by hand."""

import numpy as np
import pytest

from keras_rectifiers.errors import ExportError
from keras_rectifiers.exporting import verification


def test_differences_are_of_the_worst_output():
    """Largest and mean difference, and the largest output of the model."""
    expected = [np.array([[1.0, -4.0]]), np.array([[2.0, 2.0]])]
    actual = [np.array([[1.0, -3.5]]), np.array([[2.25, 2.25]])]

    found = verification.compare(expected, actual, None)

    assert (found.maximum, found.mean, found.scale) == (0.5, 0.25, 4.0)
    assert found.share(mean=False) == 0.125
    assert found.share(mean=True) == 0.0625
    assert found.metric is None


def test_small_outputs_are_judged_by_their_own_scale():
    """In 8 bits; in float a scale below 0.1 counts as 0.1."""
    found = verification.compare([np.array([[1e-3]])], [np.array([[2e-3]])], None)

    assert found.share(mean=True) == pytest.approx(1)
    assert found.share(mean=False) == pytest.approx(0.01)
    assert (
        verification.compare([np.zeros(2)], [np.zeros(2)], None).share(mean=True) == 0
    )


def test_nan_in_one_of_them_is_past_any_tolerance():
    """NaN in both is the same; an infinity in both, too."""
    both = verification.compare(
        [np.array([[np.nan, np.inf, 1]])], [np.array([[np.nan, np.inf, 1]])], None
    )
    one = verification.compare([np.array([[0.0, 1]])], [np.array([[np.nan, 1]])], None)

    assert both.maximum == 0
    assert one.maximum == np.inf


def test_agreement_and_accuracy():
    """Two of three samples keep their class; labels are numbers or one-hot."""
    expected = [np.array([[3.0, 1], [1, 3], [3, 1]])]
    actual = [np.array([[3.0, 1], [1, 3], [1, 3]])]
    y = np.array([0, 0, 0])

    numbers = verification.compare(expected, actual, y)
    one_hot = verification.compare(expected, actual, np.eye(2)[y])

    assert numbers.agreement == pytest.approx(2 / 3)
    assert numbers.metric == "accuracy"
    assert numbers.metric_before == pytest.approx(2 / 3)
    assert numbers.metric_after == pytest.approx(1 / 3)
    assert one_hot == numbers


def test_other_labels_are_a_mean_absolute_error():
    """A regression has no classes."""
    found = verification.compare(
        [np.array([[1.0], [2.0]])], [np.array([[1.5], [2.0]])], np.array([1.0, 2.5])
    )

    assert found.agreement is None
    assert (found.metric_before, found.metric_after) == (0.25, 0.5)


def test_other_shapes_are_an_error():
    """A file with other outputs is not compared."""
    with pytest.raises(ExportError, match=r"\(2, 3\)"):
        verification.compare([np.ones((2, 3))], [np.ones((2, 4))], None)


@pytest.mark.parametrize("batch", [None, 1, 4])
def test_a_fixed_batch_is_filled_up(batch):
    """Every run has the same number of samples, and each sample one result."""
    lengths = []

    def run(arrays):
        lengths.append(len(arrays[0]))
        return [2 * arrays[0]]

    x = np.arange(11.0)
    (made,) = verification.outputs(run, [x], batch)

    assert made.tolist() == (2 * x).tolist()
    assert batch is None or set(lengths) == {batch}
