"""Data set objects: whether they end, how many samples they hold, their first ones."""

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import DataError
from keras_rectifiers.finetuning import streams
from keras_rectifiers.finetuning.streams import StreamLength

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20)


class _Batches(keras.utils.PyDataset):
    def __init__(self, count):
        super().__init__()
        self._count = count

    @property
    def num_batches(self):
        return self._count

    def __getitem__(self, index):
        return X[:8], Y[:8]


def _tf(batch=8):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(batch)


def _loader(iterable=False):
    data = pytest.importorskip("torch.utils.data")

    class Rows(data.IterableDataset):
        def __iter__(self):
            return iter(zip(X, Y, strict=True))

    rows = Rows() if iterable else list(zip(X, Y, strict=True))
    return data.DataLoader(rows, batch_size=8)


@pytest.mark.parametrize(
    ("make", "steps", "wanted"),
    [
        (lambda: _Batches(3), None, StreamLength(3, 24, ends=True)),
        (lambda: _Batches(3), 5, StreamLength(5, 40, ends=True)),
        (lambda: _Batches(None), 5, StreamLength(5, 40, ends=False)),
        (_tf, None, StreamLength(3, 24, ends=True)),
        (lambda: _tf().repeat(), 4, StreamLength(4, 32, ends=False)),
        (lambda: _tf().filter(lambda x, y: True), None, StreamLength(3, 20, ends=True)),
        (_loader, None, StreamLength(3, 24, ends=True)),
        (lambda: _loader(iterable=True), None, StreamLength(3, 20, ends=True)),
    ],
)
def test_the_length_of_an_epoch_is_known(make, steps, wanted):
    """By what the data set says; one that says nothing is counted."""
    assert streams.length(make(), steps, "data", "here") == wanted


@pytest.mark.parametrize(
    "make",
    [
        lambda: _Batches(None),
        lambda: _tf().repeat(),
        lambda: _tf().repeat().filter(lambda x, y: True),
    ],
)
def test_what_never_ends_needs_a_number_of_steps(make, monkeypatch):
    """One clear sentence, also where the data set does not know it itself."""
    monkeypatch.setattr(streams, "MOST_COUNTED", 10)

    with pytest.raises(DataError, match=r"that never ends\. Pass steps_per_epoch="):
        streams.length(make(), None, "data", "here")
    with pytest.raises(DataError, match=r"x_test must end.*Shorten it"):
        streams.length(make(), None, "x_test", "here")


def test_an_empty_data_set_is_refused():
    """Before a model sees it."""
    with pytest.raises(DataError, match=r"empty tf\.data\.Dataset in data"):
        streams.length(_tf().take(0), None, "data", "here")


def test_the_first_samples_are_arrays():
    """With labels, and no more than were asked for."""
    x, y, weight = streams.first_samples(_tf(), 12)

    np.testing.assert_array_equal(x, X[:12])
    np.testing.assert_array_equal(y, Y[:12])
    assert weight is None


def test_batches_of_other_lengths_are_left_out():
    """Sequences that are padded batch by batch cannot be one array."""

    class Padded(_Batches):
        def __getitem__(self, index):
            return np.zeros((4, 5 + index // 2)), np.zeros(4)

    x, y, _ = streams.first_samples(Padded(6), 100)

    assert x.shape == (8, 5)
    assert y.shape == (8,)


def test_several_inputs_are_a_list():
    """A tuple of inputs is no pair of inputs and labels."""

    class Two(_Batches):
        def __getitem__(self, index):
            return (X[:8], X[:8]), {"a": Y[:8]}

    x, y, _ = streams.first_samples(Two(2), 100)

    assert isinstance(x, list)
    assert y["a"].shape == (16,)


@pytest.mark.parametrize("batch", [(X, Y, Y, Y), "text", object(), ()])
def test_a_batch_is_inputs_and_labels(batch):
    """What is none is named by its kind."""
    with pytest.raises(DataError, match=r"Each batch must be \(x, y\)"):
        streams.as_numpy(batch)


def test_readers_share_a_generator():
    """Each goes on where the others are, and its end is an error with a remedy."""
    shared = streams.Generator(iter([(X, Y)] * 3), "here")
    first, second = iter(shared), iter(shared)
    assert next(first)[0] is next(second)[0]
    next(first)

    with pytest.raises(DataError, match=r"never ends.*'here' that ended after 3"):
        next(second)


@pytest.mark.parametrize("value", [object(), iter([1])])
def test_what_fit_does_not_take_is_named(value):
    """By its class."""
    with pytest.raises(DataError, match=f"Received: {type(value).__name__}"):
        streams.check_kind(value, "data", "here")
