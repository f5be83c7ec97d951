import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_rectifiers.errors import DataError
from keras_rectifiers.files.data import Data
from keras_rectifiers.finetuning.split import split


def _numbered(samples):
    return Data(np.arange(samples)[:, None], np.arange(samples), source="numbers")


@settings(max_examples=80, deadline=None)
@given(samples=st.integers(1, 60), share=st.floats(0, 0.99), seed=st.integers(0, 1000))
def test_every_sample_is_in_one_part(samples, share, seed):
    """No sample is lost or in both parts, and labels stay with their inputs."""
    parts = split(_numbered(samples), share, 8, seed)

    taken = [parts.train, *([parts.test] if parts.test else [])]
    together = np.concatenate([part.y for part in taken])
    assert sorted(together) == list(range(samples))
    assert all(np.array_equal(part.x[:, 0], part.y) for part in taken)
    assert parts.train.samples > 0


def test_sorted_classes_are_mixed():
    """What is held out of a file sorted by class is not its last class only."""
    held_out = split(_numbered(1000), 0.1, 8, 0).test.y

    assert held_out.min() < 200
    assert held_out.max() > 800


def test_test_arrays_are_used_as_they_are():
    """Data with test arrays are measured on those, and all the rest is trained on."""
    whole = _numbered(10)
    data = Data(whole.x, whole.y, whole.x[:3], whole.y[:3])

    parts = split(data, 0.5, 8, 0)

    assert parts.evaluated_on == "test data"
    assert (parts.train.samples, parts.test.samples) == (10, 3)


def test_named_inputs_are_divided_alike():
    """Each input of a model with several is divided in the same way."""
    x = {"a": np.arange(20), "b": np.arange(20) * 2}

    part = split(Data(x, np.arange(20)), 0.25, 8, 0).test

    np.testing.assert_array_equal(part.x["a"], part.y)
    np.testing.assert_array_equal(part.x["b"], part.y * 2)


def test_data_that_can_be_read_once_are_refused():
    """A generator would be empty in the second epoch."""
    with pytest.raises(DataError, match="read once"):
        split(Data(iter([(np.zeros(1), np.zeros(1))])), 0.1, 8, 0)


def test_labels_are_needed():
    """Arrays without labels are refused by their name."""
    with pytest.raises(DataError, match="here"):
        split(Data(np.zeros((3, 1)), source="here"), 0.1, 8, 0)


def test_a_sample_is_a_part_of_the_arrays():
    """It takes at most so many samples of the training arrays, with their labels."""
    sample = split(_numbered(50), 0, 8, 0).sample(20)

    assert len(sample.x) == len(sample.y) == 20


class _Batches(keras.utils.PyDataset):
    num_batches = 4

    def __init__(self):
        super().__init__()
        self.read = 0

    def __getitem__(self, index):
        self.read += 1
        return np.full((8, 2), index), np.zeros(8)


def test_a_sample_of_a_data_set_reads_no_more_than_it_needs():
    """The sample of a data set object is made of its first batches only."""
    batches = _Batches()

    parts = split(Data(batches), 0.1, 8, 0)
    batches.read = 0
    sample = parts.sample(12)

    assert sample.x.shape == (12, 2)
    assert sample.y.shape == (12,)
    assert batches.read == 2


def test_validation_data_choose_and_test_arrays_report():
    """With both, no sample of the training data is held out."""
    whole, other = _numbered(10), _numbered(6)
    data = Data(whole.x, whole.y, whole.x[:3], whole.y[:3])

    parts = split(data, 0.5, 8, 0, validation=other)
    alone = split(whole, 0.5, 8, 0, validation=other)

    assert (parts.evaluated_on, parts.held_out) == ("test data", 6)
    assert (parts.chosen_on, alone.chosen_on) == 2 * ("validation data",)
    assert parts.evaluation()["x"] is data.x_test
    assert parts.choosing()["x"] is other.x
    assert parts.training()["validation_data"][0] is other.x
    assert (alone.evaluated_on, alone.held_out) == ("validation data", 6)
    assert alone.train.samples == 10


def test_test_arrays_choose_nothing():
    """The training data do, where there are no others."""
    whole = _numbered(10)
    parts = split(Data(whole.x, whole.y, whole.x[:3], whole.y[:3]), 0.5, 8, 0)

    assert parts.held_out is None
    assert parts.chosen_on == "training data"
    assert split(whole, 0.5, 8, 0).chosen_on == "validation split"
    assert parts.choosing()["x"] is whole.x


def test_the_samples_of_a_stream_are_counted():
    """A choice between treatments needs to know its standard error."""
    parts = split(Data(_Batches()), 0.1, 8, 0, validation=Data(_Batches()))
    short = split(Data(_Batches()), 0.1, 8, 0, steps=2)

    assert (parts.train.samples, parts.held_out, parts.steps) == (32, 32, 4)
    assert (short.samples_seen, short.steps) == (16, 2)
    assert short.training()["steps_per_epoch"] == 2
    assert "steps" not in short.evaluation()


def test_test_data_may_be_a_stream_or_stand_beside_one():
    """Neither is left out."""
    whole = _numbered(10)
    beside = split(Data(_Batches(), x_test=whole.x, y_test=whole.y), 0.1, 8, 0)
    stream = split(Data(whole.x, whole.y, x_test=_Batches()), 0.1, 8, 0)

    assert beside.evaluation()["x"] is whole.x
    assert isinstance(stream.evaluation()["x"], _Batches)
    assert beside.evaluated_on == stream.evaluated_on == "test data"


def test_weights_are_divided_with_their_samples():
    """Whatever their structure is."""
    whole = _numbered(20)
    weight = {"a": np.arange(20), "b": [np.arange(20) * 2]}
    labels = {"a": whole.y, "b": [whole.y * 2]}
    data = Data([whole.x, whole.x], labels, sample_weight=weight)

    part = split(data, 0.25, 8, 0).test

    np.testing.assert_array_equal(part.sample_weight["b"][0], part.y["b"][0])
    np.testing.assert_array_equal(part.x[1][:, 0], part.sample_weight["a"])


def test_a_stream_is_known_by_its_form():
    """Its first samples are others each time that it is shuffled."""
    parts = split(Data(_Batches()), 0.1, 8, 0)
    one, other = (Data(np.full((8, 2), i), np.zeros(8)) for i in (0, 1))

    same = zip(parts.identity(one), parts.identity(other), strict=True)
    assert all(np.array_equal(*pair) for pair in same)
    assert not np.array_equal(
        *(split(_numbered(9), 0, 8, 0).identity(each)[0] for each in (one, other))
    )
