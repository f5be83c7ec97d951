"""The arms: ways to go on from a dying model, all with the same number of steps.

Where not said otherwise an arm trains with a fresh Adam at the rate of the healthy
twin: a learning rate that kills is taken away from every repair alike.
"""

import math

import numpy as np

from rescue_families.case import Data
from rescue_families.case import fit
from rescue_families.case import load
from rescue_families.case import score

#: A restart looks whether it is at chance after this share of the budget.
TRIES = 5
#: Seeds of restarts and twins: far from those of the dying models.
RESTART = 1000
TWIN = 500_000


def twin(case, seed):
    """Not a rescue: the healthy twin, to which the others are compared."""
    load(case.twin, case.draw_healthy(TWIN + seed), case.healthy_rate)
    return _trained(case.twin, case, seed)


def go_on(case, seed):
    """Train on as it stands: same weights, optimizer state and learning rate."""
    return _trained(case.dying(), case, seed)


def lower_rate(case, seed):
    """Train on with a fresh optimizer at the healthy rate."""
    load(case.model, case.weights, case.healthy_rate)
    return _trained(case.model, case, seed)


def restart(case, seed):
    """Draw all weights anew as the model's author would, at the author's rate."""
    return _restarted(case, seed, case.learning_rate)


def restart_lower_rate(case, seed):
    """The same, with the healthy rate."""
    return _restarted(case, seed, case.healthy_rate)


def restart_schedule(case, seed):
    """The same with the schedule of the recipe: up to five times the healthy rate."""
    return _restarted(case, seed, case.healthy_rate, scheduled=True)


def leaky(case, seed):
    """Leaky ReLU (slope 0.01) everywhere."""
    return _converted(case, seed, "leaky_relu", 0.01)


def prelu(case, seed):
    """PReLU everywhere, slopes start at 0."""
    return _converted(case, seed, "prelu", 0.0)


def prelu_quarter(case, seed):
    """PReLU everywhere, slopes start at 0.25 (He 2015)."""
    return _converted(case, seed, "prelu", 0.25)


def redo(case, seed):
    """`callbacks.ReviveDeadUnits` with its defaults."""
    from keras_rectifiers import callbacks

    load(case.model, case.weights, case.healthy_rate)
    revive = callbacks.ReviveDeadUnits(case.data.x[:1024])
    return _trained(case.model, case, seed, [revive])


def recipe(case, seed):
    """`keras_rectifiers.finetune` with its defaults, at the healthy rate.

    It is given the test arrays to report on, which choose nothing, and so trains on
    all training data, as the other arms do.
    """
    from keras_rectifiers.files import data

    arrays = case.data
    given = data.Data(arrays.x, arrays.y, arrays.x_test, arrays.y_test)
    return _finetuned(case, seed, given, case.epochs)


def recipe_held_out(case, seed):
    """The same without test arrays: it holds out a tenth of the training data.

    It has more epochs then, for the same number of steps.
    """
    arrays = case.data
    samples = len(arrays.x)
    steps = math.ceil(samples / case.batch_size) * case.epochs
    trained_on = math.ceil((samples - round(0.1 * samples)) / case.batch_size)
    return _finetuned(case, seed, (arrays.x, arrays.y), steps // trained_on)


def _finetuned(case, seed, given, epochs):
    from keras_rectifiers import finetune

    result = finetune(
        case.dying(),
        given,
        epochs=epochs,
        learning_rate=case.healthy_rate,
        batch_size=case.batch_size,
        seed=seed,
    )
    return score(result.model, case.data)


def _trained(model, case, seed, callbacks=()):
    fit(model, case.data, case.epochs, case.batch_size, seed, callbacks)
    return score(model, case.data)


def _restarted(case, seed, rate, *, scheduled=False):
    """Random restarts, as many as the budget allows while they are at chance."""
    share = case.epochs // TRIES
    left = case.epochs
    while True:
        start = RESTART * (case.epochs - left + share) // share + seed
        load(case.model, case.draw(start), rate)
        extra = [_schedule(case.model, left)] if scheduled else []
        losses = fit(case.model, case.data, share, case.batch_size, start, extra)
        alive = losses["loss"][-1] < 0.9 * _chance(case.data)
        if alive or left < 2 * share:
            break
        left -= share
    if left > share:
        fit(case.model, case.data, left, case.batch_size, start, extra, done=share)
    return score(case.model, case.data)


def _schedule(model, epochs):
    """The schedule of a restart in the recipe."""
    from keras_rectifiers.finetuning.prescriptions import RESTART
    from keras_rectifiers.finetuning.prescriptions import Prescription
    from keras_rectifiers.finetuning.schedule import WarmupCosine

    return WarmupCosine(model.optimizer, epochs, Prescription(RESTART, "").peak)


def _chance(data: Data):
    """Loss of the best constant: what a dead network reaches."""
    if data.y.dtype.kind == "f":
        return float(np.var(data.y))
    shares = np.bincount(data.y) / len(data.y)
    return float(-np.sum(shares * np.log(shares)))


def _converted(case, seed, to, slope):
    """Convert everywhere; the compiled model is kept for the next seed."""
    from keras_rectifiers import plan

    key = (to, slope)
    if key not in case.store:
        option = {"negative_slope": slope} if to == "leaky_relu" else {"alpha": slope}
        converted = plan(case.dying(), to, **option).apply(case.model)
        case.store[key] = converted, converted.get_weights()
    model, start = case.store[key]
    load(model, start, case.healthy_rate)
    for layer in case.dying().layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    return _trained(model, case, seed)


ALL = {
    "twin": twin,
    "go-on": go_on,
    "lower-rate": lower_rate,
    "restart": restart,
    "restart-lower-rate": restart_lower_rate,
    "restart-schedule": restart_schedule,
    "leaky": leaky,
    "prelu": prelu,
    "prelu-0.25": prelu_quarter,
    "redo": redo,
    "recipe": recipe,
    "recipe-held-out": recipe_held_out,
}
