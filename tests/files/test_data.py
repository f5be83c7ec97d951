import io
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_rectifiers.errors import DataError
from keras_rectifiers.files import data
from keras_rectifiers.files.data import Data


def _model(*shapes, names=("image", "other")):
    return SimpleNamespace(
        inputs=[
            SimpleNamespace(name=name, shape=shape)
            for name, shape in zip(names, shapes, strict=False)
        ]
    )


X = np.arange(6 * 4, dtype="float32").reshape(6, 4)
Y = np.arange(6)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("x_train", "y_train")])
def test_npz_gives_inputs_and_labels(folder, x, y):
    """A .npz is read under either pair of names."""
    np.savez(folder / "d.npz", **{x: X, y: Y})

    loaded = data.load("d.npz", _model((None, 4)), labels=True)

    np.testing.assert_array_equal(X, loaded.x)
    np.testing.assert_array_equal(Y, loaded.y)


def test_npz_keeps_its_test_arrays(folder):
    """x_test and y_test of a .npz are kept apart."""
    np.savez(folder / "d.npz", x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2])

    loaded = data.load("d.npz")

    assert (len(loaded.x_test), len(loaded.y_test)) == (2, 2)


@pytest.mark.parametrize("name", ["sample_weight", "sample_weight_train"])
@pytest.mark.parametrize("ends", ["", "_train"])
def test_npz_gives_weights_of_samples(folder, name, ends):
    """Also under the name that goes with x_train."""
    np.savez(folder / "d.npz", **{f"x{ends}": X, f"y{ends}": Y, name: Y / 2})

    found = data.load("d.npz").sample_weight

    if ends or name == "sample_weight":
        np.testing.assert_array_equal(Y / 2, found)
    else:
        assert found is None


def test_npz_may_name_the_outputs_of_the_model(folder):
    """Labels of several outputs are a dict, as Keras takes them."""
    model = _model((None, 4))
    model.output_names = ["label", "size"]
    np.savez(folder / "d.npz", x=X, label=Y, size=Y * 2.0)

    loaded = data.load("d.npz", model, labels=True)

    assert {"label", "size"} == set(loaded.y)
    np.testing.assert_array_equal(Y * 2.0, loaded.y["size"])


@pytest.mark.parametrize("form", [list, tuple])
def test_inputs_may_be_listed(form):
    """A tuple would be taken for inputs and labels elsewhere: it becomes a list."""
    whole = data.given((form([X, X]), Y))

    assert isinstance(whole.x, list)
    assert whole.samples == 6
    assert [part.shape for part in whole.limited(3).x] == [(3, 4), (3, 4)]


def test_numbers_in_lists_are_one_array():
    """As before there were structures."""
    whole = data.given((X.tolist(), [0, 1, 0, 1, 0, 1]))

    assert whole.x.shape == (6, 4)
    assert whole.y.shape == (6,)


def test_npz_may_name_the_inputs_of_the_model(folder):
    """A model with several inputs takes one array for each of their names."""
    np.savez(folder / "d.npz", image=X, other=X[:, :2], y=Y)

    loaded = data.load("d.npz", _model((None, 4), (None, 2)))

    assert {"image", "other"} == set(loaded.x)
    assert loaded.samples == 6


def test_arrays_that_are_not_needed_are_not_read(folder):
    """Names of classes, or anything else beside the data, are no obstacle."""
    np.savez(folder / "d.npz", x=X, y=Y, classes=np.array(["a", "b"]))

    assert data.load("d.npz", _model((None, 4)), labels=True).samples == 6


def test_npy_has_no_labels(folder):
    """A .npy is inputs only."""
    np.save(folder / "d.npy", X)

    loaded = data.load("d.npy", _model((None, 4)))

    np.testing.assert_array_equal(X, loaded.x)
    assert loaded.y is None


def test_gray_images_get_their_channel_axis(folder):
    """Images without a channel axis fit a model with one channel."""
    np.save(folder / "d.npy", np.zeros((5, 8, 8), "uint8"))

    assert data.load("d.npy", _model((None, 8, 8, 1))).x.shape == (5, 8, 8, 1)


def test_scale_multiplies_the_inputs(folder):
    """A scale gives float32 inputs; without one they keep their dtype."""
    np.savez(folder / "d.npz", x=np.full((2, 3), 51, "uint8"), y=Y[:2])

    scaled = data.load("d.npz", scale=1 / 255).x

    np.testing.assert_allclose(0.2, scaled, rtol=1e-6)
    assert scaled.dtype == np.float32
    assert data.load("d.npz").x.dtype == np.uint8


@settings(max_examples=50, deadline=None)
@given(samples=st.integers(1, 40), limit=st.integers(1, 50))
def test_a_limit_takes_evenly_spaced_samples(samples, limit):
    """At most `limit` samples stay, in order, from the first on, with their labels."""
    whole = Data(np.arange(samples)[:, None], np.arange(samples))

    part = whole.limited(limit)

    assert part.samples == min(samples, limit)
    assert part.y[0] == 0
    np.testing.assert_array_equal(part.x[:, 0], part.y)
    assert np.all(np.diff(part.y) > 0)
    if limit > 1:
        assert part.y[-1] == samples - 1


def _refused(spec, *parts, model=None, **options):
    with pytest.raises(DataError) as caught:
        data.load(spec, model, **options)
    message = str(caught.value)
    for part in parts:
        assert part in message
    return message


@pytest.mark.usefixtures("folder")
def test_missing_data_are_named():
    """A path that does not exist is named, with what can be given."""
    _refused("nothing.npz", "nothing.npz", "do not exist")


def test_wrong_keys_are_listed(folder):
    """A .npz with other names says which it has and which are wanted."""
    np.savez(folder / "d.npz", images=X, labels=Y)

    _refused("d.npz", "'images', 'labels'", "'x'")


def test_other_files_are_refused(folder):
    """A file of another kind is refused by its name."""
    (folder / "d.csv").write_text("1,2")

    _refused("d.csv", "d.csv", ".npz")


def test_lengths_must_agree(folder):
    """Inputs and labels of different number are refused with both numbers."""
    np.savez(folder / "d.npz", x=X, y=Y[:4])

    _refused("d.npz", "6 and 4")


def test_shapes_must_fit_the_model(folder):
    """Data of another shape are refused with both shapes."""
    np.savez(folder / "d.npz", x=X, y=Y)

    _refused("d.npz", "4", "8 x 8 x 3", model=_model((None, 8, 8, 3)))


def test_one_array_does_not_fit_two_inputs(folder):
    """A single array for a model with two inputs names the inputs."""
    np.savez(folder / "d.npz", x=X, y=Y)

    _refused("d.npz", "'image', 'other'", model=_model((None, 4), (None, 4)))


def test_labels_are_asked_for(folder):
    """Data without labels are refused where labels are needed."""
    np.save(folder / "d.npy", X)

    _refused("d.npy", "labels", labels=True)


def test_no_sample_is_refused(folder):
    """Data without samples are refused."""
    np.save(folder / "d.npy", X[:0])

    _refused("d.npy", "no sample")


def test_pickles_are_never_loaded(folder):
    """An array of Python objects is refused without unpickling it."""

    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    np.savez(folder / "d.npz", x=np.array([Trap()], dtype=object))

    _refused("d.npz", "must be numbers", "object")


def test_text_is_refused(folder):
    """An array of text is refused with its dtype."""
    np.save(folder / "d.npy", np.array(["a", "b"]))

    _refused("d.npy", "must be numbers", "<U1")


def _npz_member(header_shape, payload=b""):
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": header_shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + payload


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_forged_sizes_are_refused_before_they_are_allocated(folder, suffix):
    """An array that declares terabytes in a small file is refused at once."""
    member = _npz_member((1 << 40,), b"\0" * 16)
    path = folder / f"d{suffix}"
    if suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", member)
    else:
        path.write_bytes(member)

    _refused(path.name, "4,398,046,511,104 bytes")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x93NUMPY"])
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_damaged_files_are_refused(folder, suffix, content):
    """Files that are cut short or of another kind give one sentence."""
    (folder / f"d{suffix}").write_bytes(content)

    _refused(f"d{suffix}", "damaged")


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_damage_anywhere_is_a_data_error(tmp_path_factory, cut, flip):
    """Cutting a file short and flipping a byte either loads or is a DataError."""
    path = tmp_path_factory.mktemp("d") / "d.npz"
    np.savez(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[flip % len(content)] ^= 0xFF
    path.write_bytes(bytes(content[: max(len(content) - cut, 0)]))

    try:
        samples = data.load(str(path), _model((None, 4))).samples
    except DataError as error:
        samples = 6 if "d.npz" in str(error) else None

    assert samples == 6


@pytest.fixture
def module(folder):
    (folder / "made_data.py").write_text(
        "import numpy as np\n"
        "def pair(): return np.zeros((3, 4)), np.arange(3)\n"
        "def listed(): return [np.zeros((3, 4)), np.zeros((3, 2))], np.arange(3)\n"
        "def weighted(): return np.zeros((3, 4)), np.arange(3), np.ones(3)\n"
        "def array(): return np.zeros((3, 4))\n"
        "def stream(): return iter([1])\n"
        "def broken(): raise RuntimeError('no disk')\n"
        "def number(): return 7\n"
        "ready = (np.zeros((2, 4)), np.arange(2))\n"
    )
    yield "made_data"
    sys.modules.pop("made_data", None)
    sys.path.remove(str(folder))


@pytest.mark.parametrize(("name", "samples"), [("pair", 3), ("array", 3), ("ready", 2)])
def test_a_function_gives_data(module, name, samples):
    """package.module:function is imported from here, called, and taken."""
    loaded = data.load(f"{module}:{name}", _model((None, 4)))

    assert samples == loaded.samples


def test_a_function_may_give_weights_and_several_inputs(module):
    """Whatever `fit` takes."""
    two = _model((None, 4), (None, 2))

    assert data.load(f"{module}:weighted", _model((None, 4))).sample_weight.sum() == 3
    assert [x.shape for x in data.load(f"{module}:listed", two).x] == [(3, 4), (3, 2)]
    _refused(f"{module}:listed", "Received: 2 arrays", model=_model((None, 4)))


def test_a_function_may_give_a_data_set_object(module):
    """Anything that gives batches is passed on as it is."""
    assert data.load(f"{module}:stream").is_stream


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("pear", "Did you mean 'pair'?"),
        ("broken", "RuntimeError: no disk"),
        ("number", "int"),
    ],
)
def test_a_wrong_function_is_explained(module, name, part):
    """A function that is missing, fails or gives no data is named with the cause."""
    _refused(f"{module}:{name}", part)


def test_a_missing_module_is_named(folder):
    """A module that cannot be imported is named."""
    _refused("no_such_module_here:data", "no_such_module_here")
    sys.path.remove(str(folder))


def test_a_stream_cannot_be_scaled(module):
    """A scale for a data set object is refused: it would be ignored."""
    _refused(f"{module}:stream", "Scale the data", scale=0.5)
