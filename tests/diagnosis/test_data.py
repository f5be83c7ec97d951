import keras
import numpy as np
import pytest

from keras_rectifiers.diagnosis import data
from keras_rectifiers.errors import DataError

_X = np.arange(10, dtype="float32").reshape(5, 2)
_Y = np.zeros(5)


class _Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return _X[2 * index : 2 * index + 2], _Y[2 * index : 2 * index + 2]


def _tf_dataset():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((_X, _Y)).batch(2)


def _loader():
    torch = pytest.importorskip("torch")
    pairs = torch.utils.data.TensorDataset(torch.tensor(_X), torch.tensor(_Y))
    return torch.utils.data.DataLoader(pairs, batch_size=2)


def _all(source, **options):
    options = {"batch_size": 2, "steps": None, **options}
    return [
        keras.tree.map_structure(lambda leaf: np.asarray(leaf).tolist(), batch)
        for batch in data.batches(source, **options)
    ]


_BATCHES = [_X[:2].tolist(), _X[2:4].tolist(), _X[4:].tolist()]


@pytest.mark.parametrize(
    "make",
    [
        lambda: _X,
        lambda: (_X, _Y),
        lambda: (_X, _Y, _Y),
        lambda: _X.astype("float64"),
        lambda: keras.ops.convert_to_tensor(_X),
        _Sequence,
        _tf_dataset,
        _loader,
        lambda: ((_X[i : i + 2], _Y[i : i + 2]) for i in (0, 2, 4)),
        lambda: [(_X[i : i + 2], _Y[i : i + 2]) for i in (0, 2, 4)],
    ],
    ids=[
        "array", "x-y", "x-y-weights", "float64", "tensor",
        "PyDataset", "tf.data", "DataLoader", "generator", "batches",
    ],
)  # fmt: skip
def test_each_kind_gives_the_inputs_in_batches(make):
    """Whatever holds the data, the batches of input are the same."""
    assert _all(make()) == _BATCHES


@pytest.mark.parametrize("kind", [dict, list])
def test_several_inputs_stay_together(kind):
    """A dict or a list of arrays is cut at the same samples."""
    both = {"a": _X, "b": _Y} if kind is dict else [_X, _Y]

    batches = list(data.batches(both, batch_size=4, steps=None))

    assert [keras.tree.map_structure(len, batch) for batch in batches] == (
        [{"a": 4, "b": 4}, {"a": 1, "b": 1}] if kind is dict else [[4, 4], [1, 1]]
    )


def test_data_frames_are_cut_by_rows():
    """A pandas frame is a table of samples."""
    pandas = pytest.importorskip("pandas")

    assert _all(pandas.DataFrame(_X)) == _BATCHES


def test_steps_limit_the_batches():
    """No more batches than asked for are taken."""
    assert _all(_X, steps=1) == _BATCHES[:1]


def test_endless_dataset_needs_steps():
    """A dataset that repeats for ever is refused without steps."""
    endless = _tf_dataset().repeat()

    with pytest.raises(DataError, match="steps="):
        _all(endless)

    assert _all(endless, steps=4)[3] == _BATCHES[0]


@pytest.mark.parametrize("source", ["file.npy", 3, None, [1, 2], {"a": 1}])
def test_what_holds_no_data_is_refused(source):
    """A path, a number or a list of numbers is no data set."""
    with pytest.raises(TypeError, match=r"data must be .* Received: "):
        _all(source)


def test_arrays_of_different_length_are_refused():
    """Inputs and labels of different lengths belong to different data."""
    with pytest.raises(DataError, match=r"\[5, 4\]"):
        _all((_X, _Y[:4]))


def _two_inputs():
    a, b = keras.Input((2,), name="a"), keras.Input((3, 1), name="b")
    return keras.Model([a, b], keras.layers.Flatten()(b))


_B = np.zeros((5, 3, 1))


@pytest.mark.parametrize(
    "x",
    [[_X, _B], (_X, _B), {"a": _X, "b": _B}, {"a": _X, "b": _B[..., 0]}],
)
def test_fitting_data_passes(x):
    """Inputs by order or by name fit; Keras adds an axis of length 1 itself."""
    data.check_fits(_two_inputs(), x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (_X, "takes 2 input"),
        ({"a": _X, "c": _B}, r"missing: \['b'\]"),
        ([_X, _B[:, :2]], r"'b' must have the shape \(batch, 3, 1\)"),
        ([_X[:, 0], _B], r"'a' must have the shape \(batch, 2\)"),
    ],
)
def test_data_that_does_not_fit_is_refused(x, message):
    """The error names the input, its shape, and what was received."""
    with pytest.raises(DataError, match=message):
        data.check_fits(_two_inputs(), x)


def test_dict_inputs_are_known_by_their_keys():
    """A model with a dict of inputs takes data by the keys of that dict."""
    inputs = {"image": keras.Input((2,), name="t1")}
    model = keras.Model(inputs, keras.layers.ReLU()(inputs["image"]))

    data.check_fits(model, {"image": _X})

    with pytest.raises(DataError, match="image"):
        data.check_fits(model, {"picture": _X})


def test_only_iterators_cannot_be_repeated():
    """A generator is used up by one pass; arrays and data sets are not."""
    assert data.can_be_repeated(_X)
    assert data.can_be_repeated(_Sequence())
    assert not data.can_be_repeated(iter([_X]))
