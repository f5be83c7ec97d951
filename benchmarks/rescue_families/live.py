"""The killing runs once more, with `callbacks.ReviveDeadUnits` on."""

import statistics
import time
import warnings

import keras

from rescue_families.case import fit
from rescue_families.case import load
from rescue_families.case import score

#: Most dead units of a network that is alive, as a share.
_ALIVE = 0.25
#: Fewest epochs of a run.
_EPOCHS = 8
#: Pairs of runs, with the callback and without it, that are timed; and their length.
_PAIRS = 5
_HEALTHY_EPOCHS = 30


def run(family, seed):
    """The killing run of a seed with the callback on, and an epoch without it.

    A run of few epochs is prolonged, since the callback acts at the end of each.

    The last epoch shows whether what was revived stays alive.

    Returns:
        Score on the test arrays, share of dead units, whether the network is alive
        (a quarter of its units is dead at most, and no layer to the last unit), and
        CPU seconds.
    """
    from keras_rectifiers.diagnosis.diagnose import diagnose

    family.prepare()
    family.killing_epochs = max(_EPOCHS, type(family).killing_epochs)
    callback = _callback(family.data(seed).x)
    began = time.process_time()
    family.kill(seed, [callback])
    seconds = time.process_time() - began
    model, data = family.killed, family.data(seed)
    fit(model, data, 1, family.batch_size, seed)
    found = diagnose(model, data.x[:1024], batch_size=1024)
    silent = any(layer.dead == layer.units for layer in found.layers)
    return {
        "score": score(model, data),
        "dead": found.dead_fraction,
        "alive": found.dead_fraction <= _ALIVE and not silent,
        "seconds": round(seconds, 2),
    }


def cost(family):
    """CPU time of the callback, as a share of the training of a healthy network.

    Runs of `_HEALTHY_EPOCHS` epochs with it and without it take turns; the first
    epoch of each, which compiles, is left out, and the median of the pairs counts.
    """
    family.prepare()
    model, data = family.killed, family.data(0)
    load(model, family.draw_healthy(0), family.healthy_rate)
    clocks = {True: _Clock(), False: _Clock()}
    for _ in range(_PAIRS):
        for on, clock in clocks.items():
            callbacks = [*([_callback(data.x)] if on else []), clock]
            fit(model, data, _HEALTHY_EPOCHS, family.batch_size, 0, callbacks)
    pairs = zip(clocks[True].seconds, clocks[False].seconds, strict=True)
    return statistics.median(mine / other - 1 for mine, other in pairs)


def _callback(probe):
    from keras_rectifiers.callbacks import ReviveDeadUnits

    warnings.filterwarnings("ignore", ".*died again")
    warnings.filterwarnings("ignore", "ReviveDeadUnits leaves")
    warnings.filterwarnings("ignore", "Units that fire in training")
    return ReviveDeadUnits(probe)


class _Clock(keras.callbacks.Callback):
    """CPU seconds of each run, but for its first epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self._began = time.process_time()

    def on_train_end(self, logs=None):
        self.seconds.append(time.process_time() - self._began)
