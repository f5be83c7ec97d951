"""Fine-tuning on arrays that are on the disk."""

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import DataError
from keras_rectifiers.files import data as data_sets
from keras_rectifiers.files.rows import Rows
from keras_rectifiers.finetuning.disk_batches import DiskBatches
from keras_rectifiers.finetuning.split import split


@pytest.fixture
def on_disk(tmp_path):
    """The arrays of a dict as memory maps."""

    def call(**given):
        for name, array in given.items():
            np.save(tmp_path / f"{name}.npy", array)
        return [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in given]

    return call


@pytest.fixture
def numbers():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 32)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((32,)), keras.layers.Dense(6, activation="relu")]
    made = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    made.layers[0].bias.assign([-100.0] * 2 + [0.0] * 4)
    return made


def test_the_split_is_that_of_arrays(on_disk, numbers):
    """The same samples are held out, and inputs are read when they are needed."""
    x, y = on_disk(x=numbers[0], y=numbers[1])

    here = split(data_sets.given(numbers), 0.25, 16, 3)
    there = split(data_sets.given((x, y)), 0.25, 16, 3)

    assert isinstance(there.train.x, Rows)
    assert isinstance(there.test.x, Rows)
    np.testing.assert_array_equal(there.train.x[:], here.train.x)
    np.testing.assert_array_equal(there.test.x[:], here.test.x)
    np.testing.assert_array_equal(there.test.y, here.test.y)
    assert (there.steps, there.held_out) == (here.steps, here.held_out)


def test_each_epoch_has_each_sample_once(on_disk, numbers):
    """In another order in each, with its label and weight."""
    data = data_sets.given((*on_disk(x=numbers[0], y=np.arange(200)), np.arange(200)))
    batches = DiskBatches(data, 48, seed=1)

    def epoch():
        found = [batches[place] for place in range(batches.num_batches)]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    first = epoch()
    batches.on_epoch_end()
    second = epoch()

    for x, y, weight in (first, second):
        np.testing.assert_array_equal(x, numbers[0][y])
        np.testing.assert_array_equal(y, weight)
        assert sorted(y) == list(range(200))
    assert first[1].tolist() != second[1].tolist()


def test_fine_tuning_ends_well(on_disk, numbers, model):
    """Units come back, and what is measured is what arrays give."""
    x, y = on_disk(x=numbers[0], y=numbers[1])

    here = keras_rectifiers.finetune(model, numbers, epochs=3, validation_split=0.2)
    there = keras_rectifiers.finetune(model, (x, y), epochs=3, validation_split=0.2)

    assert there.before == pytest.approx(here.before, rel=1e-4)
    assert there.evaluated_on == here.evaluated_on
    assert there.rescued == here.rescued


@pytest.mark.parametrize("steps", [None, 3])
def test_several_inputs_and_large_labels(on_disk, numbers, steps):
    """An autoencoder of two inputs in a dict, whose labels are on the disk, too."""
    x, other = on_disk(x=numbers[0], other=-numbers[0])
    first, second = keras.Input((32,), name="a"), keras.Input((32,), name="b")
    both = keras.layers.Dense(4, activation="relu")(first - second)
    model = keras.Model({"a": first, "b": second}, keras.layers.Dense(32)(both))
    model.compile("adam", "mse")

    result = keras_rectifiers.finetune(
        *(model, ({"a": x, "b": other}, x)),
        treatment="none",
        epochs=2,
        steps_per_epoch=steps,
    )

    assert np.isfinite(result.after["loss"])


def test_class_weights_hold(on_disk, numbers, model):
    """Labels of small rows are in memory, and are counted."""
    x, y = on_disk(x=numbers[0], y=numbers[1])

    parts = split(data_sets.given((x, y)), 0.0, 32, 0).weighted("balanced", model)
    _, labels, weights = parts.training()["x"][0]

    share = [(numbers[1] == each).mean() for each in (0, 1)]
    np.testing.assert_allclose(weights, [0.5 / share[each] for each in labels])


def test_large_labels_cannot_be_counted(on_disk, numbers, model):
    """Those that are on the disk are not gone through for "balanced"."""
    x, y = on_disk(x=numbers[0], y=np.eye(32)[numbers[1]])

    with pytest.raises(ArgumentError, match="counts the labels"):
        split(data_sets.given((x, y)), 0.0, 32, 0).weighted("balanced", model)


def test_numbers_that_are_not_finite_are_found(on_disk, numbers, model):
    """Also where not all are read at once."""
    broken = numbers[0].copy()
    broken[150, 3] = np.nan
    x, y = on_disk(x=broken, y=numbers[1])

    with pytest.raises(DataError, match="in 1 of 200 samples, sample 150 first"):
        keras_rectifiers.finetune(model, (x, y), epochs=1)


def test_validation_data_on_the_disk(on_disk, numbers, model):
    """They choose the best epoch, and need not fit into memory either."""
    x, y = on_disk(x=numbers[0], y=numbers[1])

    result = keras_rectifiers.finetune(
        model, numbers, validation_data=(x, y), epochs=2, treatment="none"
    )

    assert result.before["loss"] == pytest.approx(
        model.evaluate(*numbers, verbose=0)[0], rel=1e-4
    )


def test_a_diagnosis_is_that_of_the_array(on_disk, numbers, model):
    """The same statistics, and labels for gradients."""
    x, y = on_disk(x=numbers[0], y=numbers[1])

    here = keras_rectifiers.diagnose(model, numbers, gradients=True)
    there = keras_rectifiers.diagnose(model, (x, y), gradients=True)

    assert there.to_dict() == here.to_dict()
