"""Units that die again are seen, and the run is taken back."""

import keras
import numpy as np
import pytest

from keras_rectifiers.finetuning.best_epoch import KeepBest
from keras_rectifiers.finetuning.best_epoch import Standing
from keras_rectifiers.finetuning.dying import StopDying
from keras_rectifiers.finetuning.notes import Notes
from keras_rectifiers.finetuning.schedule import WarmupCosine


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.Adam(0.1), "mse")
    made.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    return made


def _run(model, epochs):
    """What the callbacks make of some epochs: (accuracy, loss, dead) each."""
    keeper = KeepBest(
        {"accuracy": 0.1, "loss": 9.0, "dead_fraction": 0.9}, model.get_weights()
    )
    schedule = WarmupCosine(model.optimizer, len(epochs))
    notes = Notes()
    dying = StopDying(keeper, schedule, notes)
    model.stop_training = False
    for callback in (keeper, dying):
        callback.set_model(model)
    for epoch, (accuracy, loss, dead) in enumerate(epochs):
        model.set_weights([each + 1 for each in model.get_weights()])
        logs = {"accuracy": accuracy, "loss": loss, "dead_fraction": dead}
        for callback in (keeper, dying):
            callback.on_epoch_end(epoch, logs)
    return keeper, schedule, notes, dying


def test_a_run_goes_back_to_its_best_epoch(model):
    """The weights come back, the rate is a tenth, the optimizer forgets."""
    keeper, schedule, notes, dying = _run(
        model, [(0.8, 0.5, 0.1), (0.9, 0.3, 0.1), (0.5, 2.0, 0.8)]
    )

    assert dying.times == 1
    assert keeper.best_epoch == 2
    assert schedule.peak == pytest.approx(0.1)
    for mine, kept in zip(model.get_weights(), keeper.weights, strict=True):
        np.testing.assert_array_equal(mine, kept)
    momentums = [v for v in model.optimizer.variables if "momentum" in v.path]
    assert momentums
    assert all(not np.any(keras.ops.convert_to_numpy(each)) for each in momentums)
    (line,) = notes.lines
    assert line.startswith("Epoch 3: 80.0% of the units are dead again")
    assert line.endswith("from the weights of epoch 2 at a tenth of its rate.")
    assert not model.stop_training


def test_the_third_time_it_ends(model):
    """A run whose units die at a hundredth of its rate, too, is over."""
    _, schedule, notes, dying = _run(
        model, [(0.9, 0.3, 0.1), *[(0.2, 3.0, 0.9)] * 3, (0.2, 3.0, 0.1)]
    )

    assert dying.times == 3
    assert schedule.peak == pytest.approx(0.01)
    assert model.stop_training
    assert notes.lines[-1].endswith("training ends here.")


def test_units_that_fall_silent_in_a_better_model_are_no_death(model):
    """A network that becomes sparse and better goes on as it is."""
    _, schedule, notes, dying = _run(model, [(0.8, 0.5, 0.1), (0.9, 0.3, 0.6)])

    assert not dying.times
    assert schedule.peak == 1
    assert not notes.lines


@pytest.mark.parametrize(
    ("kept", "now", "takes_over"),
    [
        (Standing(1.0, 0.1, 0.15), Standing(1.0, 0.187, 0.35), False),
        (Standing(1.0, 0.2, 0.15), Standing(1.0, 0.1, 0.35), True),
        (Standing(1.0, 0.1, 0.35), Standing(1.0, 0.1, 0.15), True),
        (Standing(1.0, 0.1, 0.15), Standing(1.0, 0.1, 0.35), False),
        (Standing(0.9, 0.1, 0.1), Standing(0.9, 0.1, 0.1), True),
        (Standing(0.9, 0.1), Standing(0.9, 0.1), True),
        (Standing(0.9, 0.1, 0.1), Standing(0.89, 0.2, 0.1), True),
        (Standing(0.9, 0.1, 0.1), Standing(0.89, 0.2, 0.4), False),
        (Standing(0.9, 0.2, 0.1), Standing(0.91, 0.1, 0.4), True),
        (Standing(0.9, 0.1, 0.1), Standing(0.9, 0.21, 0.1), False),
        (Standing(0.9, 0.1, 0.1), Standing(0.9, 0.19, 0.12), True),
    ],
)
def test_of_equal_epochs_the_better_one_is_kept(kept, now, takes_over):
    """The longer training, but for a loss that is far higher, or units that died."""
    assert now.takes_over(kept) is takes_over


@pytest.mark.parametrize(
    ("now", "better"),
    [
        (Standing(0.5, 1.0, 0.4), False),
        (Standing(0.5, 0.9, 0.4), True),
        (Standing(0.5, 1.1, 0.1), False),
        (Standing(0.5, 1.0, 0.1), True),
        (Standing(0.4, 0.1, 0.1), False),
        (Standing(0.6, 1.0, 0.9), True),
    ],
)
def test_an_epoch_must_be_better_than_the_start(now, better):
    """By its score; at the same score by its loss; at the same loss by its units."""
    assert now.better_than_start(Standing(0.5, 1.0, 0.4)) is better
