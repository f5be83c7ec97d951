import keras
import numpy as np
import pytest

from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.finetuning.finetune import finetune
from tests.backends import some_by_default

LOSS = "sparse_categorical_crossentropy"


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    return x, (x.sum(axis=1) > 0).astype("int64")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu", name="first"),
            keras.layers.Dense(6, activation="relu", name="second"),
            keras.layers.Dense(2, activation="softmax", name="out"),
        ]
    )
    made.get_layer("first").bias.assign([-9.0] * 4 + [0.5] * 4)
    made.compile(keras.optimizers.Adam(0.02), LOSS, metrics=["accuracy"])
    return made


class _Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    @property
    def num_batches(self):
        return len(self.x) // 20

    def __getitem__(self, index):
        piece = slice(20 * index, 20 * index + 20)
        return self.x[piece], self.y[piece]


def test_units_come_back(model, data):
    """Dead units get new weights, and the metrics improve."""
    result = finetune(model, data, treatment="revive", epochs=6)

    assert result.before["dead_fraction"] >= 4 / 14
    assert result.after["dead_fraction"] == 0
    assert result.after["loss"] < result.before["loss"]
    assert len(result.history) == 6
    assert {"loss", "val_loss", "dead_fraction", "silent_fraction"} <= set(
        result.history[0]
    )


@pytest.mark.parametrize(
    "treatment",
    some_by_default(["revive", "slopes", "restart", "convert"], ["revive"]),
)
def test_the_original_is_unchanged(model, data, treatment):
    """Weights and optimizer of the original stay as they are."""
    before = [weight.copy() for weight in model.get_weights()]

    result = finetune(model, data, treatment=treatment, epochs=1)

    assert result.model is not model
    assert int(model.optimizer.iterations) == 0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_without_a_target_it_stays_relu(model, data):
    """treatment="none" trains a copy with the same rectifiers."""
    result = finetune(model, data, treatment="none", epochs=1)

    assert result.plan is None
    assert len(result.model.weights) == len(model.weights)


def test_the_optimizer_goes_on(model, data):
    """A compiled model keeps its optimizer, learning rate and steps."""
    model.fit(*data, batch_size=40, verbose=0)

    after = finetune(
        model, data, treatment="none", epochs=1, batch_size=54
    ).model.optimizer

    assert int(after.iterations) == 3 + 2
    assert float(after.learning_rate) == pytest.approx(0.02)


def test_a_learning_rate_replaces_that_of_the_model(model, data):
    """learning_rate is set on the optimizer that the model has."""
    result = finetune(model, data, epochs=1, learning_rate=0.5)

    assert float(result.model.optimizer.learning_rate) == pytest.approx(0.5)


def test_the_seed_decides_everything(model, data):
    """Two runs with one seed are the same; another seed divides the data anew."""
    first, second = (finetune(model, data, epochs=2, seed=3) for _ in range(2))
    other = finetune(model, data, epochs=2, seed=4)

    assert first.to_dict() == second.to_dict()
    assert first.to_dict() != other.to_dict()


def test_a_data_set_object_serves(model, data):
    """Batches of a data set object are trained on, measured and watched."""
    result = finetune(model, _Batches(*data), epochs=2)

    assert result.evaluated_on == "training data"
    assert result.after["dead_fraction"] == 0


def test_callbacks_see_the_units(model, data):
    """EarlyStopping may watch the monitor's figures, and may end the run."""
    stop = keras.callbacks.EarlyStopping("dead_fraction", mode="min", patience=1)

    result = finetune(model, data, epochs=9, callbacks=[stop])

    assert 1 <= len(result.history) < 9


def test_a_model_without_rectifiers_is_trained_too(data):
    """Where there is no unit to watch, the metrics are all there is."""
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    result = finetune(plain, data, epochs=1, loss=loss)

    assert {"loss", "accuracy"} == set(result.after)


def test_a_loss_is_needed(data):
    """A model without a loss is refused, with the name of the argument."""
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])

    with pytest.raises(ValueError, match=r"loss=.*--loss"):
        finetune(plain, data)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"validation_split": 1.0}, "validation_split=1.0"),
    ],
)
def test_numbers_out_of_range_are_refused(model, data, options, name):
    """A number out of its range is named before anything is done."""
    with pytest.raises(ValueError, match=name):
        finetune(model, data, **options)


def test_labels_must_be_classes_of_the_model(model, data):
    """A class that the model has no output for is named, on every backend."""
    with pytest.raises(DataError, match=r"0 to 1.*0 to 7"):
        finetune(model, (data[0], data[1] * 7))


def test_labels_must_fit_the_loss(model, data):
    """Labels of another shape are told with shape, output and loss."""
    labels = np.zeros((120, 5), "float32")

    with pytest.raises(DataError, match=r"\(\d+, 5\).*categorical_crossentropy"):
        finetune(model, (data[0], labels), loss="categorical_crossentropy")


def test_inputs_alone_are_refused(model, data):
    """Data without labels are refused."""
    with pytest.raises(DataError, match="labels"):
        finetune(model, data[0])


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_a_run_that_diverges_is_an_error(model, data):
    """A loss that becomes NaN is an error with a remedy, and not a result."""
    with (
        pytest.warns(UserWarning, match="units gave NaN or infinity"),
        pytest.raises(RectifierError, match=r"diverged.*learning rate"),
    ):
        finetune(model, data, epochs=3, learning_rate=1e38)
